#!/usr/bin/env python3
"""Threat B01: no id of one account is usable or visible by another: the answer is that of an id that never was."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness


def setUpModule():
    harness.require_boto3()
    global virga, owner, stranger, theirs
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    image = virga.import_image()
    owner, stranger = virga.account(), virga.account("stranger")
    ec2 = owner.client()
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    instance = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    harness.wait_for("the volume", lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
    theirs = {
        "vpc": vpc, "subnet": subnet, "instance": instance["InstanceId"], "table": tables[0]["RouteTableId"], "group": group,
        "rule": rule["SecurityGroupRules"][0]["SecurityGroupRuleId"],
        "gateway": ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"],
        "volume": volume,
        "snapshot": ec2.create_snapshot(VolumeId=volume)["SnapshotId"],
        "image": virga.run("image", "import", os.path.join(virga.home, "image.raw"), "--name", "private", "--private").stdout.strip(),
        "key": ec2.create_key_pair(KeyName="k")["KeyPairId"],
        "address": ec2.allocate_address(Domain="vpc")["AllocationId"],
        "interface": instance["NetworkInterfaces"][0]["NetworkInterfaceId"],
    }
    ec2.attach_internet_gateway(InternetGatewayId=theirs["gateway"], VpcId=vpc)
    theirs["association"] = ec2.associate_address(
        AllocationId=theirs["address"], NetworkInterfaceId=theirs["interface"])["AssociationId"]
    harness.wait_for("the volume", lambda: ec2.describe_volumes(
        VolumeIds=[theirs["volume"]])["Volumes"][0]["State"] == "available")
    ec2.modify_volume(VolumeId=theirs["volume"], Size=2)


def calls(ids):
    """Calls that name one id each: (what, operation, arguments)."""
    i = ids
    image = theirs["image"]
    return [
        ("instance", "describe_instances", dict(InstanceIds=[i["instance"]])),
        ("instance", "describe_instance_status", dict(InstanceIds=[i["instance"]])),
        ("instance", "start_instances", dict(InstanceIds=[i["instance"]])),
        ("instance", "stop_instances", dict(InstanceIds=[i["instance"]])),
        ("instance", "reboot_instances", dict(InstanceIds=[i["instance"]])),
        ("instance", "terminate_instances", dict(InstanceIds=[i["instance"]])),
        ("instance", "get_console_output", dict(InstanceId=i["instance"])),
        ("instance", "describe_instance_attribute", dict(InstanceId=i["instance"], Attribute="userData")),
        ("instance", "modify_instance_attribute", dict(InstanceId=i["instance"], DisableApiStop={"Value": True})),
        ("instance", "modify_instance_metadata_options", dict(InstanceId=i["instance"], HttpTokens="optional")),
        ("instance", "monitor_instances", dict(InstanceIds=[i["instance"]])),
        ("instance", "associate_address", dict(InstanceId=i["instance"], AllocationId=None)),
        ("interface", "describe_network_interfaces", dict(NetworkInterfaceIds=[i["interface"]])),
        ("interface", "describe_network_interface_attribute",
         dict(NetworkInterfaceId=i["interface"], Attribute="description")),
        ("interface", "modify_network_interface_attribute",
         dict(NetworkInterfaceId=i["interface"], Description={"Value": "x"})),
        ("interface", "reset_network_interface_attribute",
         dict(NetworkInterfaceId=i["interface"], SourceDestCheck="true")),
        ("interface", "delete_network_interface", dict(NetworkInterfaceId=i["interface"])),
        ("interface", "associate_address", dict(NetworkInterfaceId=i["interface"], AllocationId=None)),
        ("instance", "attach_volume", dict(InstanceId=i["instance"], VolumeId=None, Device="/dev/sdf")),
        ("volume", "describe_volumes", dict(VolumeIds=[i["volume"]])),
        ("volume", "delete_volume", dict(VolumeId=i["volume"])),
        ("volume", "detach_volume", dict(VolumeId=i["volume"])),
        ("volume", "modify_volume", dict(VolumeId=i["volume"], Size=9)),
        ("volume", "describe_volumes_modifications", dict(VolumeIds=[i["volume"]])),
        ("volume", "describe_volume_status", dict(VolumeIds=[i["volume"]])),
        ("volume", "describe_volume_attribute", dict(VolumeId=i["volume"], Attribute="autoEnableIO")),
        ("volume", "create_snapshot", dict(VolumeId=i["volume"])),
        ("snapshot", "describe_snapshots", dict(SnapshotIds=[i["snapshot"]])),
        ("snapshot", "delete_snapshot", dict(SnapshotId=i["snapshot"])),
        ("snapshot", "create_volume", dict(SnapshotId=i["snapshot"], AvailabilityZone="us-east-1a")),
        ("snapshot", "create_tags", dict(Resources=[i["snapshot"]], Tags=[{"Key": "a", "Value": "b"}])),
        ("vpc", "describe_vpcs", dict(VpcIds=[i["vpc"]])),
        ("vpc", "delete_vpc", dict(VpcId=i["vpc"])),
        ("vpc", "describe_vpc_attribute", dict(VpcId=i["vpc"], Attribute="enableDnsSupport")),
        ("vpc", "modify_vpc_attribute", dict(VpcId=i["vpc"], EnableDnsSupport={"Value": False})),
        ("vpc", "create_subnet", dict(VpcId=i["vpc"], CidrBlock="10.1.9.0/24")),
        ("vpc", "create_route_table", dict(VpcId=i["vpc"])),
        ("vpc", "create_security_group", dict(VpcId=i["vpc"], GroupName="x", Description="x")),
        ("subnet", "describe_subnets", dict(SubnetIds=[i["subnet"]])),
        ("subnet", "delete_subnet", dict(SubnetId=i["subnet"])),
        ("subnet", "modify_subnet_attribute", dict(SubnetId=i["subnet"], MapPublicIpOnLaunch={"Value": False})),
        ("subnet", "run_instances", dict(SubnetId=i["subnet"], ImageId=None, MinCount=1, MaxCount=1)),
        ("gateway", "describe_internet_gateways", dict(InternetGatewayIds=[i["gateway"]])),
        ("gateway", "delete_internet_gateway", dict(InternetGatewayId=i["gateway"])),
        ("table", "describe_route_tables", dict(RouteTableIds=[i["table"]])),
        ("table", "delete_route_table", dict(RouteTableId=i["table"])),
        ("table", "create_route", dict(RouteTableId=i["table"], DestinationCidrBlock="0.0.0.0/0", GatewayId="igw-12345678901234567")),
        ("table", "delete_route", dict(RouteTableId=i["table"], DestinationCidrBlock="0.0.0.0/0")),
        ("group", "describe_security_groups", dict(GroupIds=[i["group"]])),
        ("group", "delete_security_group", dict(GroupId=i["group"])),
        ("group", "authorize_security_group_ingress", dict(GroupId=i["group"], IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp="0.0.0.0/0")),
        ("group", "revoke_security_group_ingress", dict(GroupId=i["group"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")),
        ("rule", "describe_security_group_rules", dict(SecurityGroupRuleIds=[i["rule"]])),
        ("image", "describe_images", dict(ImageIds=[i["image"]])),
        ("image", "run_instances", dict(ImageId=i["image"], MinCount=1, MaxCount=1)),
        ("image", "register_image", dict(Name="stolen", ImageLocation=i["image"])),
        ("image", "deregister_image", dict(ImageId=i["image"])),
        ("image", "describe_image_attribute", dict(ImageId=i["image"], Attribute="launchPermission")),
        ("image", "modify_image_attribute", dict(ImageId=i["image"], Description={"Value": "x"})),
        ("image", "reset_image_attribute", dict(ImageId=i["image"], Attribute="launchPermission")),
        ("image", "enable_image_deprecation", dict(ImageId=i["image"], DeprecateAt="2030-01-01T00:00:00Z")),
        ("image", "disable_image_deprecation", dict(ImageId=i["image"])),
        ("instance", "create_image", dict(InstanceId=i["instance"], Name="stolen")),
        ("key", "describe_key_pairs", dict(KeyPairIds=[i["key"]])),
        ("address", "describe_addresses", dict(AllocationIds=[i["address"]])),
        ("address", "describe_addresses_attribute", dict(AllocationIds=[i["address"]], Attribute="domain-name")),
        ("address", "release_address", dict(AllocationId=i["address"])),
        ("address", "associate_address", dict(AllocationId=i["address"], NetworkInterfaceId="eni-12345678901234567")),
        ("association", "disassociate_address", dict(AssociationId=i["association"])),
        ("address", "create_tags", dict(Resources=[i["address"]], Tags=[{"Key": "a", "Value": "b"}])),
        ("vpc", "create_tags", dict(Resources=[i["vpc"]], Tags=[{"Key": "a", "Value": "b"}])),
        ("instance", "delete_tags", dict(Resources=[i["instance"]], Tags=[{"Key": "a"}])),
    ]


class ForeignIds(unittest.TestCase):
    def test_Threat_B01_foreign_ids_answer_like_ids_that_never_were(self):
        mine = stranger.client()
        own = {"AllocationId": mine.allocate_address()["AllocationId"]}
        own["VolumeId"] = mine.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        own["ImageId"] = [i["ImageId"] for i in mine.describe_images()["Images"]][0]
        never = {name: text[:-17] + "0" * 17 for name, text in theirs.items()}
        for (what, operation, foreign), (_, _, absent) in zip(calls(theirs), calls(never)):
            with self.subTest(operation=operation, id=what):
                answers = []
                for arguments, text in ((foreign, theirs[what]), (absent, never[what])):
                    arguments = {k: own[k] if v is None else v for k, v in arguments.items()}
                    with self.assertRaises(harness.botocore.exceptions.ClientError) as refused:
                        getattr(mine, operation)(**arguments)
                    error = refused.exception.response
                    answers.append((error["Error"]["Code"], error["Error"]["Message"].replace(text, "ID"),
                                    error["ResponseMetadata"]["HTTPStatusCode"]))
                self.assertEqual(answers[0], answers[1])
                self.assertNotIn("Internal", answers[0][0])

    def test_Threat_B05_lists_and_filters_show_nothing_foreign(self):
        mine = stranger.client()
        for operation in ("describe_instances", "describe_volumes", "describe_snapshots", "describe_vpcs", "describe_subnets",
                          "describe_key_pairs",
                          "describe_internet_gateways", "describe_route_tables", "describe_security_groups",
                          "describe_security_group_rules", "describe_images", "describe_addresses", "describe_tags",
                          "describe_volume_status", "describe_volumes_modifications", "describe_network_interfaces",
                          "describe_network_acls", "describe_dhcp_options", "describe_instance_status"):
            text = str(getattr(mine, operation)())
            for name, resource in theirs.items():
                self.assertNotIn(resource, text, "%s shows the %s" % (operation, name))
            self.assertNotIn(owner.id + ":", text, operation)

    def test_Threat_B05_a_page_token_of_another_account_is_refused(self):
        for _ in range(6):
            owner.client().create_security_group(GroupName="t%d" % _, Description="d")
        page = owner.client().describe_security_groups(MaxResults=5)
        self.assertEqual(harness.error_code(stranger.client().describe_security_groups, MaxResults=5, NextToken=page["NextToken"]),
                         "InvalidNextToken")


if __name__ == "__main__":
    harness.main()
