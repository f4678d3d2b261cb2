#!/usr/bin/env python3
"""The first slice as boto3 sees it, on the simulated host: life cycle, filters, pages, tokens, quotas."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from harness import error_code, wait_for


def setUpModule():
    harness.require_boto3()
    global virga, account, ec2, image
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    image = virga.import_image()
    ec2 = account.client()


def instances(client=None, **arguments):
    pages = (client or ec2).get_paginator("describe_instances").paginate(**arguments)
    return [i for page in pages for r in page["Reservations"] for i in r["Instances"]]


class LifeCycle(unittest.TestCase):
    def test_instance_lives_from_pending_to_terminated(self):
        ran = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self.assertEqual(ran["Instances"][0]["State"]["Name"], "pending")
        instance = ran["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        stopping = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
        self.assertEqual((stopping["PreviousState"]["Name"], stopping["CurrentState"]["Name"]), ("running", "stopping"))
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        before = instances(InstanceIds=[instance])[0]
        ec2.start_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        after = instances(InstanceIds=[instance])[0]
        # The public address is another one after a stop; the interface is the same.
        self.assertNotIn("PublicIpAddress", before)
        self.assertTrue(after["PublicIpAddress"])
        for interface in after["NetworkInterfaces"]:
            for place in [interface] + interface["PrivateIpAddresses"]:
                self.assertEqual(place.pop("Association")["PublicIp"], after["PublicIpAddress"])
        for same in ("InstanceId", "PrivateIpAddress", "SubnetId", "BlockDeviceMappings", "NetworkInterfaces"):
            self.assertEqual(before[same], after[same], same)
        ec2.reboot_instances(InstanceIds=[instance])
        self.assertEqual(instances(InstanceIds=[instance])[0]["State"]["Name"], "running")
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertEqual(error_code(ec2.start_instances, InstanceIds=[instance]), "IncorrectInstanceState")
        self.assertEqual(ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]["CurrentState"]["Name"],
                         "terminated")

    def test_an_image_goes_at_once_and_its_file_with_the_last_instance(self):
        gone = virga.import_image(name="gone")
        file = os.path.join(virga.home, "state", "host", "simulated", "volumes", gone + ".json")
        ran = ec2.run_instances(ImageId=gone, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[ran], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ec2.deregister_image(ImageId=gone)
        self.assertEqual(error_code(ec2.describe_images, ImageIds=[gone]), "InvalidAMIID.NotFound")
        self.assertNotIn(gone, virga.run("image", "list").stdout)
        self.assertTrue(os.path.exists(file))
        self.assertEqual(instances(InstanceIds=[ran])[0]["State"]["Name"], "running")
        ec2.terminate_instances(InstanceIds=[ran])
        harness.wait_for("the file to go", lambda: not os.path.exists(file))

    def test_the_operator_deletes_an_image(self):
        name = virga.import_image(name="short")
        self.assertIn("deleted", virga.run("image", "delete", name).stdout)
        self.assertNotEqual(virga.run("image", "delete", name, check=False).returncode, 0)
        self.assertNotEqual(virga.import_image(name="short"), name)

    def test_fifty_parallel_launches_make_fifty_instances(self):
        def launch(_):
            return ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1,
                                     TagSpecifications=[{"ResourceType": "instance",
                                                         "Tags": [{"Key": "batch", "Value": "fifty"}]}])
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            launched = [r["Instances"][0] for r in pool.map(launch, range(50))]
        ids = {i["InstanceId"] for i in launched}
        self.assertEqual(len(ids), 50)
        self.assertEqual(len({i["PrivateIpAddress"] for i in launched}), 50)
        batch = [{"Name": "tag:batch", "Values": ["fifty"]}]
        wait_for("fifty running", lambda: all(i["State"]["Name"] == "running" for i in instances(Filters=batch)), 120, 0.5)
        self.assertEqual({i["InstanceId"] for i in instances(Filters=batch)}, ids)
        ec2.terminate_instances(InstanceIds=sorted(ids))
        wait_for("fifty terminated", lambda: all(i["State"]["Name"] == "terminated" for i in instances(Filters=batch)), 120, 0.5)

    def test_same_client_token_makes_one_instance(self):
        def launch(_):
            return ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, ClientToken="once")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ids = {r["Instances"][0]["InstanceId"] for r in pool.map(launch, range(8))}
        self.assertEqual(len(ids), 1)
        self.assertEqual(error_code(ec2.run_instances, ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1,
                                    ClientToken="once"), "IdempotentParameterMismatch")
        ec2.terminate_instances(InstanceIds=sorted(ids))

    def test_all_or_nothing_below_min_count(self):
        before = len(instances())
        code = error_code(ec2.run_instances, ImageId=image, InstanceType="m5.xlarge", MinCount=900, MaxCount=900)
        self.assertIn(code, ("InsufficientInstanceCapacity", "VcpuLimitExceeded", "InstanceLimitExceeded"))
        self.assertEqual(len(instances()), before)

    def test_guest_too_small_for_the_image_is_refused_with_a_reason(self):
        big = virga.import_image(name="big")
        ec2.describe_images(ImageIds=[big])
        virga.run("image", "import", os.path.join(virga.home, "image.raw"), "--name", "hungry", "--min-memory", "4096")
        hungry = ec2.describe_images(Filters=[{"Name": "name", "Values": ["hungry"]}])["Images"][0]["ImageId"]
        with self.assertRaises(harness.botocore.exceptions.ClientError) as refused:
            ec2.run_instances(ImageId=hungry, InstanceType="t2.nano", MinCount=1, MaxCount=1)
        self.assertIn("4096", str(refused.exception))


class Volumes(unittest.TestCase):
    def test_volume_is_attached_and_detached(self):
        instance = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
        instance_id, zone = instance["InstanceId"], instance["Placement"]["AvailabilityZone"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        volume = ec2.create_volume(AvailabilityZone=zone, Size=2)["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ec2.attach_volume(InstanceId=instance_id, VolumeId=volume, Device="/dev/sdf")
        ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertEqual(error_code(ec2.delete_volume, VolumeId=volume), "VolumeInUse")
        wait_for("attached", lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"] == "attached")
        ec2.detach_volume(VolumeId=volume)
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ec2.terminate_instances(InstanceIds=[instance_id])
        ec2.delete_volume(VolumeId=volume)
        ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertEqual(error_code(ec2.describe_volumes, VolumeIds=[volume]), "InvalidVolume.NotFound")


class Mechanisms(unittest.TestCase):
    def test_dry_run_changes_nothing(self):
        vpcs = len(ec2.describe_vpcs()["Vpcs"])
        self.assertEqual(error_code(ec2.create_vpc, CidrBlock="10.9.0.0/16", DryRun=True), "DryRunOperation")
        self.assertEqual(error_code(ec2.create_vpc, CidrBlock="10.9.0.0/8", DryRun=True), "InvalidVpc.Range")
        self.assertEqual(error_code(ec2.describe_availability_zones, DryRun=True), "DryRunOperation")
        self.assertEqual(len(ec2.describe_vpcs()["Vpcs"]), vpcs)

    def test_pages_hold_every_item_once(self):
        made = [ec2.create_security_group(GroupName="page-%d" % i, Description="d")["GroupId"] for i in range(12)]
        seen = []
        for page in ec2.get_paginator("describe_security_groups").paginate(
                Filters=[{"Name": "group-name", "Values": ["page-*"]}], PaginationConfig={"PageSize": 5}):
            self.assertLessEqual(len(page["SecurityGroups"]), 5)
            seen += [g["GroupId"] for g in page["SecurityGroups"]]
        self.assertEqual(sorted(seen), sorted(made))
        self.assertEqual(len(seen), len(set(seen)))
        for group in made:
            ec2.delete_security_group(GroupId=group)

    def test_unknown_filters_and_parameters_are_refused(self):
        self.assertEqual(error_code(ec2.describe_vpcs, Filters=[{"Name": "colour", "Values": ["red"]}]), "InvalidParameterValue")
        self.assertEqual(error_code(ec2.describe_instances, InstanceIds=["i-12345678901234567"]), "InvalidInstanceID.NotFound")
        self.assertEqual(error_code(ec2.describe_instances, InstanceIds=["vol-12345678901234567"]), "InvalidInstanceID.Malformed")
        self.assertEqual(error_code(ec2.describe_instances, NextToken="made-up"), "InvalidNextToken")

    def test_tags_are_set_found_and_removed(self):
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[
            {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "tagged"}]}])["Vpc"]
        self.assertEqual(vpc["Tags"], [{"Key": "Name", "Value": "tagged"}])
        ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "a", "Value": "1"}, {"Key": "Name", "Value": "new"}])
        found = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["n?w"]}, {"Name": "tag-key", "Values": ["a"]}])["Vpcs"]
        self.assertEqual([v["VpcId"] for v in found], [vpc["VpcId"]])
        ec2.delete_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "a"}])
        tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc["VpcId"]]}])["Tags"]
        self.assertEqual([(t["Key"], t["Value"], t["ResourceType"]) for t in tags], [("Name", "new", "vpc")])
        self.assertEqual(error_code(ec2.create_tags, Resources=["vpc-12345678901234567"], Tags=[{"Key": "a", "Value": "1"}]),
                         "InvalidVpcID.NotFound")
        ec2.delete_vpc(VpcId=vpc["VpcId"])

    def test_a_new_account_has_its_default_vpc(self):
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        self.assertEqual([v["CidrBlock"] for v in vpc], ["172.31.0.0/16"])
        subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        self.assertEqual(sorted(s["AvailabilityZone"] for s in subnets), ["us-east-1a", "us-east-1b", "us-east-1c"])
        self.assertEqual(error_code(ec2.create_default_vpc), "DefaultVpcAlreadyExists")
        gateways = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc[0]["VpcId"]]}])
        self.assertEqual(len(gateways["InternetGateways"]), 1)
        main = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])["RouteTables"]
        self.assertEqual({r["DestinationCidrBlock"] for r in main[0]["Routes"]}, {"172.31.0.0/16", "0.0.0.0/0"})

    def test_a_key_pair_is_made_in_the_format_asked_for(self):
        for kind, algorithm in (("rsa", "ssh-rsa"), ("ed25519", "ssh-ed25519")):
            name = "putty-" + kind
            made = ec2.create_key_pair(KeyName=name, KeyType=kind, KeyFormat="ppk")["KeyMaterial"].split("\n")
            self.assertEqual(made[:3], ["PuTTY-User-Key-File-3: " + algorithm, "Encryption: none", "Comment: " + name])
            lines = int(made[3].removeprefix("Public-Lines: "))
            public = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"]
            self.assertEqual(public.split()[:2], [algorithm, "".join(made[4:4 + lines])])
            pem = ec2.create_key_pair(KeyName="pem-" + kind, KeyType=kind)["KeyMaterial"]
            self.assertIn("PRIVATE KEY-----", pem.split("\n")[0])
        self.assertEqual(error_code(ec2.create_key_pair, KeyName="other", KeyFormat="der"), "InvalidParameterValue")

    def test_identity_is_told(self):
        identity = account.client("sts").get_caller_identity()
        self.assertEqual(identity["Account"], account.id)
        self.assertEqual(identity["Arn"], "arn:aws:iam::%s:user/admin" % account.id)

    def test_aws_cli_as_it_is(self):
        if not shutil.which("aws"):
            self.skipTest("skipped: aws-cli is not installed")

        def aws(*words):
            done = subprocess.run(["aws", "--output", "json", *words], env=account.environment(), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr
        self.assertEqual(aws("sts", "get-caller-identity")[1]["Account"], account.id)
        zones = aws("ec2", "describe-availability-zones", "--query", "AvailabilityZones[].ZoneName")[1]
        self.assertEqual(zones, ["us-east-1a", "us-east-1b", "us-east-1c"])
        made = aws("ec2", "create-security-group", "--group-name", "cli", "--description", "by aws-cli")[1]["GroupId"]
        self.assertEqual(aws("ec2", "authorize-security-group-ingress", "--group-id", made, "--protocol", "tcp", "--port", "22",
                             "--cidr", "0.0.0.0/0")[0], 0)
        rules = aws("ec2", "describe-security-group-rules", "--filters", "Name=group-id,Values=" + made, "--page-size", "5")[1]
        self.assertEqual(len(rules["SecurityGroupRules"]), 2)
        self.assertEqual(aws("ec2", "delete-security-group", "--group-id", made)[0], 0)
        code, text = aws("ec2", "describe-security-groups", "--group-ids", made)
        self.assertNotEqual(code, 0)
        self.assertIn("InvalidGroup.NotFound", text)

    def test_a_key_saved_by_the_accounts_id_is_found_by_its_name(self):
        saver = virga.account("saver")
        key = virga.run("key", "create", "admin", "--account", saver.id, "--save", "--format", "{access}").stdout.strip()
        self.assertIn(key, virga.run("env", "--account", "saver").stdout)

    def test_a_key_that_cannot_be_kept_is_shown_all_the_same(self):
        os.makedirs(os.path.join(virga.home, "state", "credentials", "lost.json"))
        done = virga.run("account", "create", "lost", "--save", "--format", "{access} {secret}", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^\S{20} \S{40}\n$")

    def test_quota_is_enforced_with_ec2s_code(self):
        other = virga.account("small")
        for number in range(49):
            other.client().create_vpc(CidrBlock="10.%d.0.0/16" % number)
        self.assertEqual(error_code(other.client().create_vpc, CidrBlock="10.99.0.0/16"), "VpcLimitExceeded")


if __name__ == "__main__":
    harness.main()
