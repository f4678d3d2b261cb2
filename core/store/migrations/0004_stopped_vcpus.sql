-- vCPUs count against an account's quota while an instance holds its place on a host, no longer while it is stopped.
UPDATE quota SET used = (SELECT coalesce(sum(i.vcpus), 0) FROM instance i
                         WHERE i.account = quota.account AND i.holds_capacity = 1)
WHERE name = 'vcpus';
