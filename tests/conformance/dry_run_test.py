#!/usr/bin/env python3
"""DryRun: answers as the real call would, and changes nothing, for every action of the table that changes something."""
import hashlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import samples
from harness import error_code, wait_for


def setUpModule():
    harness.require_boto3()
    global virga, world, table
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    world = samples.World(virga, virga.account(), virga.import_image())
    table = samples.actions(virga)


# Of a host's row only what is promised to instances and volumes: the rest the control role writes by itself when it has
# looked at the host.
PROMISED = "name, vcpus_used, memory_mib_used, storage_gib_used"


def rows():
    """Every table's number of rows and a digest of them."""
    database = sqlite3.connect("file:%s/state/control/virga.db?mode=ro" % virga.home, uri=True)
    try:
        names = [n for n, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        found = {}
        for name in names:
            columns = PROMISED if name == "host" else "*"
            content = sorted(map(repr, database.execute('SELECT %s FROM "%s"' % (columns, name))))
            found[name] = (len(content), hashlib.sha256("\n".join(content).encode()).hexdigest())
        return found
    finally:
        database.close()


def at_rest():
    """The rows once nothing is waiting to be told to the host, which every minute is told everything again."""
    def settled():
        found = rows()
        return found if found["outbox"][0] == 0 and found == rows() else None
    return wait_for("a store at rest", settled, 30)


class DryRun(unittest.TestCase):
    def setUp(self):
        self.before = at_rest()
        for needed in ("outbox", "journal", "quota", "client_token", "resource", "tag", "sqlite_sequence"):
            self.assertIn(needed, self.before)

    def assert_nothing_changed(self, why):
        self.assertEqual(at_rest(), self.before, why)

    def test_every_action_that_changes_something_has_a_sample(self):
        writes = {name for name, (access, _) in table.items() if access == "write"}
        self.assertEqual(writes - set(world.samples()), set(), "add a request for it to tests/support/samples.py")

    def test_a_good_request_would_have_succeeded_and_changes_nothing(self):
        for action, arguments in sorted(world.samples().items()):
            access, dry_run = table.get(action, ("", False))
            if access != "write" or not dry_run:
                continue
            with self.subTest(action=action):
                call = getattr(world.ec2, harness.method_of(action))
                with self.assertRaises(harness.botocore.exceptions.ClientError) as refused:
                    call(**arguments, DryRun=True)
                error = refused.exception.response
                self.assertEqual(error["Error"]["Code"], "DryRunOperation", error["Error"]["Message"])
                self.assertEqual(error["Error"]["Message"], "Request would have succeeded, but DryRun flag is set.")
                self.assertEqual(error["ResponseMetadata"]["HTTPStatusCode"], 412)
                self.assert_nothing_changed(action)

    def test_what_does_not_exist_depends_or_is_malformed_is_refused_as_by_the_real_call(self):
        w, never = world, "0" * 17
        for action, arguments, code in (
                ("DeleteVpc", dict(VpcId="vpc-" + never), "InvalidVpcID.NotFound"),
                ("DeleteVpc", dict(VpcId="vpc-x"), "InvalidVpcID.Malformed"),
                ("DeleteVpc", dict(VpcId=w.vpc), "DependencyViolation"),
                ("DeleteSubnet", dict(SubnetId=w.subnet), "DependencyViolation"),
                ("DeleteSecurityGroup", dict(GroupId=w.group), "DependencyViolation"),
                ("DeleteVolume", dict(VolumeId=w.attached), "VolumeInUse"),
                ("CreateSubnet", dict(VpcId=w.vpc, CidrBlock="10.1.1.0/25"), "InvalidSubnet.Conflict"),
                ("CreateKeyPair", dict(KeyName=w.key), "InvalidKeyPair.Duplicate"),
                ("StartInstances", dict(InstanceIds=["i-" + never]), "InvalidInstanceID.NotFound"),
                ("RebootInstances", dict(InstanceIds=[w.stopped]), "IncorrectInstanceState"),
                ("RunInstances", dict(ImageId="ami-" + never, MinCount=1, MaxCount=1), "InvalidAMIID.NotFound"),
                ("CreateTags", dict(Resources=[w.vpc], Tags=[{"Key": "aws:x", "Value": "y"}]), "InvalidParameterValue")):
            with self.subTest(action=action, code=code):
                call = getattr(w.ec2, harness.method_of(action))
                self.assertEqual(error_code(call, **arguments, DryRun=True), code)
                self.assertEqual(error_code(call, **arguments), code)
        self.assert_nothing_changed("refused requests")

    def test_permission_is_asked_for_first(self):
        reader = virga.reader(world.account)
        self.assertEqual(error_code(reader.client().create_vpc, CidrBlock="10.9.0.0/16", DryRun=True), "UnauthorizedOperation")
        self.assertEqual(error_code(reader.client().describe_vpcs, DryRun=True), "DryRunOperation")

    def test_what_there_is_no_room_for_is_said(self):
        for arguments in (dict(InstanceType="t3.nano", MinCount=1000, MaxCount=1000),
                          dict(InstanceType="m5.xlarge", MinCount=500, MaxCount=500)):
            with self.assertRaises(harness.botocore.exceptions.ClientError) as refused:
                world.ec2.run_instances(ImageId=world.image, SubnetId=world.subnet, DryRun=True, **arguments)
            error = refused.exception.response["Error"]
            self.assertEqual(error["Code"], "DryRunOperation")
            real = error_code(world.ec2.run_instances, ImageId=world.image, SubnetId=world.subnet, **arguments)
            self.assertIn(real, ("InstanceLimitExceeded", "VcpuLimitExceeded", "InsufficientInstanceCapacity",
                                 "InsufficientFreeAddressesInSubnet", "MaxStorageExceeded", "VolumeLimitExceeded"))
            self.assertIn(real, error["Message"])
        self.assert_nothing_changed("launches without room")


if __name__ == "__main__":
    harness.main()
