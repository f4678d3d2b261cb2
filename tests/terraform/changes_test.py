#!/usr/bin/env python3
"""What Terraform changes after the first apply, on the simulated host: in place, by replacement, and back to what was
wanted after others changed it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import terraform
from account_dump import account_dump
from samples import PUBLIC_KEY

CONFIGURATION = os.path.join("tests", "terraform", "configurations", "changes")

# One variable for each thing that changes without replacing anything.
IN_PLACE = {"tags": {"Name": "after", "Added": "yes"}, "dns_hostnames": True, "public": True, "port": 2222,
            "inline_ports": [80, 443], "instance_type": "t3.small", "both_groups": True, "user_data": "#!/bin/sh\necho two\n",
            "source_dest_check": False, "monitoring": True, "protected": True, "shutdown_behavior": "terminate",
            "tokens": "optional", "root_gib": 2, "volume_gib": 10, "after": True}


def setUpModule():
    harness.require_boto3()
    terraform.require_terraform()
    global virga, account, ec2, before, stack, provider
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    virga.import_image()
    ec2 = account.client()
    before = account_dump(ec2)
    provider = terraform.Provider(account)
    provider.__enter__()
    unittest.addModuleCleanup(provider.__exit__)
    stack = terraform.Stack(virga, account, CONFIGURATION, provider, public_key=PUBLIC_KEY.decode())
    stack.apply()


class Changes(unittest.TestCase):
    """One stack through its life, in the order of the names."""

    def instance(self, name="instance"):
        return ec2.describe_instances(InstanceIds=[stack.output()["facts"][name]])["Reservations"][0]["Instances"][0]

    def test_1_everything_changes_in_place(self):
        facts = stack.output()["facts"]
        stack.variables.update(IN_PLACE)
        self.assertEqual({a: c for a, c in stack.planned().items() if c != "update"}, {})
        stack.apply(parallelism=50)
        self.assertEqual(stack.output()["facts"], facts)
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)

        instance = self.instance()
        self.assertEqual(instance["State"]["Name"], "running")
        self.assertEqual(instance["InstanceType"], "t3.small")
        self.assertEqual({g["GroupId"] for g in instance["SecurityGroups"]}, {facts["one"], facts["two"]})
        self.assertEqual(instance["SourceDestCheck"], False)
        other = self.instance("other")
        self.assertEqual(other["State"]["Name"], "running")
        self.assertEqual(other["Monitoring"]["State"], "enabled")
        options = other["MetadataOptions"]
        self.assertEqual((options["HttpTokens"], options["HttpPutResponseHopLimit"], options["InstanceMetadataTags"]),
                         ("optional", 2, "enabled"))
        self.assertEqual(other["MaintenanceOptions"]["AutoRecovery"], "disabled")
        credit = ec2.describe_instance_credit_specifications(InstanceIds=[facts["third"]])["InstanceCreditSpecifications"][0]
        self.assertEqual(credit["CpuCredits"], "unlimited")
        rule = ec2.describe_security_group_rules(SecurityGroupRuleIds=[facts["rule"]])["SecurityGroupRules"][0]
        self.assertEqual((rule["FromPort"], rule["Description"]), (2222, "port 2222"))
        volumes = {v["VolumeId"]: v for v in ec2.describe_volumes()["Volumes"]}
        volume, root = volumes[facts["volume"]], volumes[self.instance("third")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]]
        self.assertEqual([volume[k] for k in ("Size", "VolumeType", "Iops", "Throughput")], [10, "gp3", 4000, 250])
        self.assertEqual((root["Size"], len(root["Tags"])), (2, 2))

    def change_behind_its_back(self, facts):
        """What others may do to a stack; returns what Terraform has to do about it."""
        ec2.delete_tags(Resources=[facts["vpc"]], Tags=[{"Key": "Added"}])
        ec2.modify_vpc_attribute(VpcId=facts["vpc"], EnableDnsHostnames={"Value": False})
        ec2.modify_subnet_attribute(SubnetId=facts["subnet"], MapPublicIpOnLaunch={"Value": False})
        ec2.create_tags(Resources=[facts["instance"]], Tags=[{"Key": "Name", "Value": "elsewhere"}])
        ec2.modify_instance_attribute(InstanceId=facts["instance"], Groups=[facts["two"]])
        ec2.delete_route(RouteTableId=facts["table"], DestinationCidrBlock="0.0.0.0/0")
        joined = ec2.describe_route_tables(RouteTableIds=[facts["table"]])["RouteTables"][0]["Associations"][0]
        ec2.disassociate_route_table(AssociationId=joined["RouteTableAssociationId"])
        ec2.revoke_security_group_ingress(GroupId=facts["one"], SecurityGroupRuleIds=[facts["rule"]])
        ec2.authorize_security_group_ingress(GroupId=facts["two"], IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        ec2.delete_key_pair(KeyName=facts["key"])
        ec2.release_address(AllocationId=facts["address"])
        ec2.disassociate_address(AssociationId=facts["placed"])
        ec2.detach_volume(VolumeId=facts["attached"])
        ec2.delete_volume(VolumeId=facts["volume"])
        harness.wait_for("the volume to go", lambda: harness.error_code(
            ec2.describe_volumes, VolumeIds=[facts["volume"]]) == "InvalidVolume.NotFound")
        ec2.get_waiter("volume_available").wait(VolumeIds=[facts["attached"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return {"aws_vpc.this": "update", "aws_subnet.this": "update", "aws_instance.this": "update", "aws_route.out": "create",
                "aws_route_table_association.this": "create", "aws_vpc_security_group_ingress_rule.one": "create",
                "aws_security_group.two": "update", "aws_key_pair.this": "create", "aws_eip.this": "create",
                "aws_eip_association.third": "create", "aws_volume_attachment.this": "create", "aws_ebs_volume.this": "create"}

    def test_2_what_others_changed_is_noticed_and_healed(self):
        facts = stack.output()["facts"]
        wanted = self.change_behind_its_back(facts)

        planned = stack.planned()

        self.assertEqual(planned, wanted)
        stack.run("apply", "-auto-approve", "wanted")
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
        self.assertEqual(self.instance()["InstanceId"], facts["instance"])
        self.assertEqual({g["GroupId"] for g in self.instance()["SecurityGroups"]}, {facts["one"], facts["two"]})

    def test_3_what_cannot_change_is_replaced(self):
        facts = stack.output()["facts"]
        stack.apply(protected=False)
        stack.variables.update(subnet=2, description="second")

        planned = stack.planned()

        self.assertEqual(planned["aws_subnet.this"], "replace")
        self.assertEqual(planned["aws_instance.this"], "replace")
        self.assertEqual(planned["aws_security_group.one"], "replace")
        stack.run("apply", "-auto-approve", "wanted")
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
        after = stack.output()["facts"]
        self.assertEqual(after["vpc"], facts["vpc"])
        for replaced in ("subnet", "instance", "one", "rule"):
            self.assertNotEqual(after[replaced], facts[replaced], replaced)

    def test_4_a_guest_terminated_by_others_is_made_again(self):
        facts = stack.output()["facts"]
        ec2.terminate_instances(InstanceIds=[facts["instance"]])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[facts["instance"]],
                                                   WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertEqual(stack.planned(), {"aws_instance.this": "create"})

    def test_5_destroy_leaves_the_account_as_it_was(self):
        stack.destroy(parallelism=50)
        self.assertEqual(stack.resources(), [])
        self.assertEqual(account_dump(ec2), before)


if __name__ == "__main__":
    harness.main()
