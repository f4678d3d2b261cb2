-- Networks: VPCs and all that is in them. Numbers of kernel names are those of table `resource`.

-- One set for each account, made with its first VPC: what guests learn by DHCP.
CREATE TABLE dhcp_options (
  id         TEXT PRIMARY KEY REFERENCES resource(id),
  account    TEXT NOT NULL UNIQUE REFERENCES account(id),
  domain     TEXT NOT NULL,                  -- ec2.internal
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE vpc (
  id               TEXT PRIMARY KEY REFERENCES resource(id),
  account          TEXT NOT NULL REFERENCES account(id),
  cidr             TEXT NOT NULL,            -- canonical, /16 to /28
  is_default       INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  dns_support      INTEGER NOT NULL CHECK (dns_support IN (0, 1)),
  dns_hostnames    INTEGER NOT NULL CHECK (dns_hostnames IN (0, 1)),
  usage_metrics    INTEGER NOT NULL CHECK (usage_metrics IN (0, 1)),
  dhcp_options     TEXT NOT NULL REFERENCES dhcp_options(id),
  cidr_association TEXT NOT NULL UNIQUE,     -- vpc-cidr-assoc-...
  created_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX vpc_by_account ON vpc(account, id);
CREATE UNIQUE INDEX vpc_default ON vpc(account) WHERE is_default = 1;

-- The default ACL of each VPC: its entries are fixed (allow all), its associations are the subnets'.
CREATE TABLE network_acl (
  id         TEXT PRIMARY KEY REFERENCES resource(id),
  account    TEXT NOT NULL REFERENCES account(id),
  vpc        TEXT NOT NULL UNIQUE REFERENCES vpc(id),
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX network_acl_by_account ON network_acl(account, id);

CREATE TABLE subnet (
  id              TEXT PRIMARY KEY REFERENCES resource(id),
  account         TEXT NOT NULL REFERENCES account(id),
  vpc             TEXT NOT NULL REFERENCES vpc(id),
  cidr            TEXT NOT NULL,             -- canonical, within the VPC's
  zone            TEXT NOT NULL,
  zone_id         TEXT NOT NULL,
  is_default      INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  acl_association TEXT NOT NULL UNIQUE,      -- aclassoc-...
  created_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX subnet_by_account ON subnet(account, id);
CREATE INDEX subnet_by_vpc ON subnet(vpc);
CREATE UNIQUE INDEX subnet_default ON subnet(account, zone) WHERE is_default = 1;

CREATE TABLE internet_gateway (
  id         TEXT PRIMARY KEY REFERENCES resource(id),
  account    TEXT NOT NULL REFERENCES account(id),
  vpc        TEXT UNIQUE REFERENCES vpc(id), -- NULL: attached to none
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX internet_gateway_by_account ON internet_gateway(account, id);

CREATE TABLE route_table (
  id         TEXT PRIMARY KEY REFERENCES resource(id),
  account    TEXT NOT NULL REFERENCES account(id),
  vpc        TEXT NOT NULL REFERENCES vpc(id),
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX route_table_by_account ON route_table(account, id);
CREATE INDEX route_table_by_vpc ON route_table(vpc);

-- Which table governs a subnet; the row without a subnet makes a table the VPC's main table.
CREATE TABLE route_table_association (
  id          TEXT PRIMARY KEY,              -- rtbassoc-...
  account     TEXT NOT NULL REFERENCES account(id),
  vpc         TEXT NOT NULL REFERENCES vpc(id),
  route_table TEXT NOT NULL REFERENCES route_table(id),
  subnet      TEXT UNIQUE REFERENCES subnet(id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX route_table_main ON route_table_association(vpc) WHERE subnet IS NULL;
CREATE INDEX route_table_association_by_table ON route_table_association(route_table);

-- Routes beside the local one, which every table has. A target that is gone leaves its route as a black hole, so the
-- targets are no foreign keys.
CREATE TABLE route (
  route_table TEXT NOT NULL REFERENCES route_table(id),
  destination TEXT NOT NULL,                 -- canonical IPv4 CIDR
  account     TEXT NOT NULL REFERENCES account(id),
  gateway     TEXT,
  interface   TEXT,
  PRIMARY KEY (route_table, destination),
  CHECK ((gateway IS NULL) <> (interface IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX route_by_gateway ON route(gateway) WHERE gateway IS NOT NULL;
CREATE INDEX route_by_interface ON route(interface) WHERE interface IS NOT NULL;

CREATE TABLE security_group (
  id          TEXT PRIMARY KEY REFERENCES resource(id),
  account     TEXT NOT NULL REFERENCES account(id),
  vpc         TEXT NOT NULL REFERENCES vpc(id),
  name        TEXT NOT NULL,                 -- "default": the group that comes and goes with its VPC
  description TEXT NOT NULL,
  created_ms  INTEGER NOT NULL,
  UNIQUE (vpc, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX security_group_by_account ON security_group(account, id);

-- In canonical form (network/security_rules.h), so that equal rules are equal rows.
CREATE TABLE security_group_rule (
  id          TEXT PRIMARY KEY REFERENCES resource(id),
  account     TEXT NOT NULL REFERENCES account(id),
  group_id    TEXT NOT NULL REFERENCES security_group(id),
  egress      INTEGER NOT NULL CHECK (egress IN (0, 1)),
  protocol    TEXT NOT NULL,                 -- tcp, udp, icmp, icmpv6, -1, or a number
  from_port   INTEGER NOT NULL,              -- icmp: type; -1: all, or the protocol has none
  to_port     INTEGER NOT NULL,              -- icmp: code
  cidr        TEXT NOT NULL,                 -- canonical IPv4 or IPv6; empty: the other end is a group
  peer        TEXT REFERENCES security_group(id),
  description TEXT,
  created_ms  INTEGER NOT NULL,
  CHECK ((cidr = '') = (peer IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX security_group_rule_by_account ON security_group_rule(account, id);
CREATE UNIQUE INDEX security_group_rule_once
  ON security_group_rule(group_id, egress, protocol, from_port, to_port, cidr, coalesce(peer, ''));
CREATE INDEX security_group_rule_by_peer ON security_group_rule(peer) WHERE peer IS NOT NULL;

CREATE TABLE network_interface (
  id                    TEXT PRIMARY KEY REFERENCES resource(id),
  account               TEXT NOT NULL REFERENCES account(id),
  vpc                   TEXT NOT NULL REFERENCES vpc(id),
  subnet                TEXT NOT NULL REFERENCES subnet(id),
  address               INTEGER NOT NULL,    -- the private address as a number, for finding free ones in order
  mac                   TEXT NOT NULL UNIQUE,
  description           TEXT NOT NULL,
  source_dest_check     INTEGER NOT NULL CHECK (source_dest_check IN (0, 1)),
  created_ms            INTEGER NOT NULL,
  attachment            TEXT UNIQUE,         -- eni-attach-...; NULL: not attached
  instance              TEXT,
  host                  TEXT,                -- where the instance is placed
  device_index          INTEGER NOT NULL,
  delete_on_termination INTEGER NOT NULL CHECK (delete_on_termination IN (0, 1)),
  attached_ms           INTEGER NOT NULL,
  UNIQUE (subnet, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX network_interface_by_account ON network_interface(account, id);
CREATE INDEX network_interface_by_vpc ON network_interface(vpc);
CREATE INDEX network_interface_by_instance ON network_interface(instance) WHERE instance IS NOT NULL;
CREATE INDEX network_interface_by_host ON network_interface(host) WHERE host IS NOT NULL;

CREATE TABLE network_interface_group (
  interface TEXT NOT NULL REFERENCES network_interface(id) ON DELETE CASCADE,
  group_id  TEXT NOT NULL REFERENCES security_group(id),
  position  INTEGER NOT NULL,                -- groups are listed in the order they were given
  PRIMARY KEY (interface, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX network_interface_group_by_group ON network_interface_group(group_id);
