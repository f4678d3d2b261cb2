#!/usr/bin/env python3
"""The catalogue of errors (core/error_codes.def): the errors that clients match on are provoked, each has the status that the
catalogue says, and no code is in the list that nothing answers with."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import raw_query
import samples
from raw_query import Refused, wire

NEVER = "0" * 17


def setUpModule():
    harness.require_boto3()
    global virga, world, table, query, catalogue
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    world = samples.World(virga, virga.account(), virga.import_image())
    table = samples.actions(virga)
    query = raw_query.RawQuery(virga, world.account)
    unittest.addModuleCleanup(query.connection.close)
    catalogue = {wire_name: int(status) for _, wire_name, status in codes()}


def codes():
    """(enumerator, code, status) of the list."""
    with open(os.path.join(harness.ROOT, "core", "error_codes.def")) as file:
        return re.findall(r'^X\((\w+), "([^"]+)", (\d+), "[^"]+"\)$', file.read(), re.M)


def by_id(w):
    """(code, action, arguments as boto3 takes them): an id of the right form that names nothing, and one of a wrong form."""
    for noun, prefix, action, argument, missing, malformed in (
            ("instance", "i-", "StartInstances", "InstanceIds", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"),
            ("image", "ami-", "DescribeImages", "ImageIds", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
            ("volume", "vol-", "DeleteVolume", "VolumeId", "InvalidVolume.NotFound", "InvalidVolumeID.Malformed"),
            ("snapshot", "snap-", "DeleteSnapshot", "SnapshotId", "InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"),
            ("vpc", "vpc-", "DeleteVpc", "VpcId", "InvalidVpcID.NotFound", "InvalidVpcID.Malformed"),
            ("subnet", "subnet-", "DeleteSubnet", "SubnetId", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"),
            ("gateway", "igw-", "DeleteInternetGateway", "InternetGatewayId", "InvalidInternetGatewayID.NotFound",
             "InvalidInternetGatewayId.Malformed"),
            ("table", "rtb-", "DeleteRouteTable", "RouteTableId", "InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed"),
            ("association", "rtbassoc-", "DisassociateRouteTable", "AssociationId", "InvalidAssociationID.NotFound",
             "InvalidAssociationID.Malformed"),
            ("group", "sg-", "DeleteSecurityGroup", "GroupId", "InvalidGroup.NotFound", "InvalidGroupId.Malformed"),
            ("rule", "sgr-", "DescribeSecurityGroupRules", "SecurityGroupRuleIds", "InvalidSecurityGroupRuleId.NotFound",
             "InvalidSecurityGroupRuleId.Malformed"),
            ("interface", "eni-", "DescribeNetworkInterfaces", "NetworkInterfaceIds", "InvalidNetworkInterfaceID.NotFound",
             "InvalidNetworkInterfaceId.Malformed"),
            ("acl", "acl-", "DescribeNetworkAcls", "NetworkAclIds", "InvalidNetworkAclID.NotFound", "InvalidNetworkAclID.Malformed"),
            ("dhcp", "dopt-", "DescribeDhcpOptions", "DhcpOptionsIds", "InvalidDhcpOptionID.NotFound",
             "InvalidDhcpOptionsId.Malformed"),
            ("key", "key-", "DescribeKeyPairs", "KeyPairIds", "InvalidKeyPair.NotFound", "InvalidKeyPairId.Malformed"),
            ("address", "eipalloc-", "ReleaseAddress", "AllocationId", "InvalidAllocationID.NotFound",
             "InvalidAllocationID.Malformed")):
        many = argument.endswith("Ids")
        for text, code in ((prefix + NEVER, missing), (prefix + "x", malformed), ("nonsense", malformed)):
            yield code, action, {argument: [text] if many else text}


def provocations(w):
    """(code, action, arguments) beyond ids."""
    run = dict(ImageId=w.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=w.subnet)
    rule = w.permission(22)
    tag = [{"Key": "k%d" % i, "Value": "v"} for i in range(60)]
    filters = [{"Name": "vpc-id", "Values": ["x"]}]
    return [
        # Instances
        ("IncorrectInstanceState", "RebootInstances", dict(InstanceIds=[w.stopped])),
        ("InvalidInstanceType", "DescribeInstanceTypes", dict(InstanceTypes=["x9.huge"])),
        ("InvalidParameterCombination", "RunInstances", {**run, "MinCount": 2}),
        ("InvalidParameterCombination", "RunInstances", {**run, "NetworkInterfaces": [
            {"DeviceIndex": 0, "SubnetId": w.subnet}]}),
        ("InvalidParameterValue", "RunInstances", {**{k: v for k, v in run.items() if k != "SubnetId"}, "NetworkInterfaces": [
            {"DeviceIndex": 0, "SubnetId": w.subnet, "Description": "x" * 256}]}),
        ("InvalidKeyPair.NotFound", "RunInstances", {**run, "KeyName": "nobody's"}),
        ("InvalidBlockDeviceMapping", "RunInstances", {**run, "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}, {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]}),
        ("InvalidSnapshot.NotFound", "CreateVolume", dict(AvailabilityZone=w.zone, SnapshotId="snap-" + NEVER)),
        ("InvalidIPAddress.InUse", "RunInstances", {**run, "PrivateIpAddress": w.ec2.describe_instances(
            InstanceIds=[w.running])["Reservations"][0]["Instances"][0]["PrivateIpAddress"]}),
        ("UnsupportedOperation", "RunInstances", {**run, "LicenseSpecifications": [{"LicenseConfigurationArn": "x"}]}),
        ("InvalidGroup.NotFound", "RunInstances", {**run, "SecurityGroupIds": ["sg-" + NEVER]}),
        ("InsufficientFreeAddressesInSubnet", "RunInstances", {**run, "MinCount": 300, "MaxCount": 300}),
        # Images
        ("InvalidAMIName.Malformed", "RegisterImage", dict(Name="a<b", ImageLocation=w.own_image)),
        ("InvalidAMIName.Duplicate", "RegisterImage", dict(Name="own", ImageLocation=w.own_image)),
        ("InvalidAMIAttributeItemValue", "ModifyImageAttribute", dict(ImageId=w.own_image, LaunchPermission={
            "Add": [{"UserId": "999999999999"}]})),
        ("InvalidBlockDeviceMapping", "RegisterImage", dict(Name="rootless", RootDeviceName="/dev/sda1", BlockDeviceMappings=[
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1}}])),
        ("InvalidParameterCombination", "ModifyImageAttribute", dict(ImageId=w.own_image)),
        # Volumes
        ("InvalidParameterValue", "CreateVolume", dict(AvailabilityZone=w.zone, Size=0)),
        ("InvalidZone.NotFound", "CreateVolume", dict(AvailabilityZone="us-east-9z", Size=1)),
        ("VolumeInUse", "AttachVolume", dict(VolumeId=w.attached, InstanceId=w.stopped, Device="/dev/sdg")),
        ("VolumeInUse", "DeleteVolume", dict(VolumeId=w.attached)),
        ("InvalidParameterValue", "AttachVolume", dict(VolumeId=w.volume, InstanceId=w.running, Device="/dev/sdf")),
        ("IncorrectState", "DetachVolume", dict(VolumeId=w.volume)),
        ("InvalidAttachment.NotFound", "DetachVolume", dict(VolumeId=w.attached, InstanceId=w.stopped)),
        ("OperationNotPermitted", "DetachVolume", dict(VolumeId=w.ec2.describe_volumes(Filters=[
            {"Name": "attachment.instance-id", "Values": [w.running]},
            {"Name": "attachment.delete-on-termination", "Values": ["true"]}])["Volumes"][0]["VolumeId"])),
        # Snapshots
        ("InvalidVolume.NotFound", "CreateSnapshot", dict(VolumeId="vol-" + NEVER)),
        ("InvalidUserID.Malformed", "DescribeSnapshots", dict(OwnerIds=["12"])),
        ("InvalidParameterCombination", "DescribeSnapshots", dict(SnapshotIds=[w.snapshot], MaxResults=5)),
        ("InvalidParameterValue", "CreateSnapshot", dict(VolumeId=w.volume, Description="d" * 256)),
        # VPCs, gateways, routes
        ("InvalidVpc.Range", "CreateVpc", dict(CidrBlock="10.0.0.0/8")),
        ("InvalidSubnet.Range", "CreateSubnet", dict(VpcId=w.vpc, CidrBlock="10.9.0.0/24")),
        ("InvalidSubnet.Conflict", "CreateSubnet", dict(VpcId=w.vpc, CidrBlock="10.1.1.0/25")),
        ("DependencyViolation", "DeleteVpc", dict(VpcId=w.vpc)),
        ("DependencyViolation", "DeleteSubnet", dict(SubnetId=w.subnet)),
        ("Resource.AlreadyAssociated", "AttachInternetGateway", dict(InternetGatewayId=w.gateway, VpcId=w.lonely_vpc)),
        ("DependencyViolation", "DetachInternetGateway", dict(InternetGatewayId=w.gateway, VpcId=w.vpc)),
        ("Gateway.NotAttached", "DetachInternetGateway", dict(InternetGatewayId=w.lonely_gateway, VpcId=w.vpc)),
        ("RouteAlreadyExists", "CreateRoute", dict(RouteTableId=w.table, DestinationCidrBlock="20.0.0.0/8", GatewayId=w.gateway)),
        ("InvalidRoute.NotFound", "DeleteRoute", dict(RouteTableId=w.table, DestinationCidrBlock="40.0.0.0/8")),
        ("InvalidGatewayID.NotFound", "CreateRoute", dict(RouteTableId=w.table, DestinationCidrBlock="40.0.0.0/8",
                                                          GatewayId="igw-" + NEVER)),
        ("Resource.AlreadyAssociated", "AssociateRouteTable", dict(RouteTableId=w.table, SubnetId=w.subnet)),
        # Interfaces
        ("InvalidNetworkInterface.InUse", "DeleteNetworkInterface", dict(NetworkInterfaceId=w.ec2.describe_network_interfaces(
            Filters=[{"Name": "attachment.instance-id", "Values": [w.running]}])["NetworkInterfaces"][0]["NetworkInterfaceId"])),
        # Groups
        ("InvalidGroup.Duplicate", "CreateSecurityGroup", dict(GroupName="used", Description="d", VpcId=w.vpc)),
        ("VPCIdNotSpecified", "CreateSecurityGroup", dict(GroupName="g", Description="d")),
        ("CannotDelete", "DeleteSecurityGroup", dict(GroupId=w.ec2.describe_security_groups(Filters=[
            {"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": [w.vpc]}])["SecurityGroups"][0]["GroupId"])),
        ("InvalidPermission.Duplicate", "AuthorizeSecurityGroupIngress", dict(GroupId=w.group, IpPermissions=[rule])),
        ("InvalidPermission.NotFound", "RevokeSecurityGroupIngress", dict(GroupId=w.group, IpPermissions=[w.permission(1)])),
        ("RulesPerSecurityGroupLimitExceeded", "AuthorizeSecurityGroupIngress", dict(
            GroupId=w.group, IpPermissions=[w.permission(port) for port in range(100, 200)])),
        # Keys, tags
        ("InvalidKeyPair.Duplicate", "CreateKeyPair", dict(KeyName=w.key)),
        ("InvalidKey.Format", "ImportKeyPair", dict(KeyName="bad", PublicKeyMaterial=b"nonsense")),
        ("TagLimitExceeded", "CreateTags", dict(Resources=[w.vpc], Tags=tag)),
        ("InvalidID", "CreateTags", dict(Resources=["xyz-" + NEVER], Tags=tag[:1])),
        # Anything
        ("InvalidNextToken", "DescribeVpcs", dict(NextToken="nonsense")),
        ("FilterLimitExceeded", "DescribeVpcs", dict(Filters=filters * 51)),
        ("InvalidUserID.Malformed", "DescribeImages", dict(Owners=["12"])),
        ("DryRunOperation", "DescribeVpcs", dict(DryRun=True)),
        ("MissingInput", "RunInstances", {k: v for k, v in run.items() if k != "SubnetId"}),
        # Addresses and modifications
        ("InvalidAddress.NotFound", "DescribeAddresses", dict(PublicIps=["192.0.2.77"])),
        ("InvalidInstanceAttributeValue", "ModifyInstanceAttribute", dict(InstanceId=w.stopped, InstanceType={"Value": "x9.huge"})),
        ("InvalidVolumeModification.NotFound", "DescribeVolumesModifications", dict(VolumeIds=[w.volume])),
    ]


class Errors(unittest.TestCase):
    def expect(self, code, action, arguments):
        with self.subTest(code=code, action=action, arguments=str(arguments)[:100]):
            with self.assertRaises(Refused) as answer:
                query(action, wire(world.ec2, action, arguments))
            error = answer.exception
            self.assertEqual(error.code, code, error.message)
            self.assertEqual(error.status, catalogue[code])
            self.assertTrue(error.message)

    def test_ids_that_name_nothing_and_ids_of_a_wrong_form(self):
        for code, action, arguments in by_id(world):
            if action in table:
                self.expect(code, action, arguments)

    def test_the_errors_that_clients_match_on(self):
        for code, action, arguments in provocations(world):
            if action in table:
                self.expect(code, action, arguments)

    def test_a_token_for_another_request_is_refused(self):
        made = wire(world.ec2, "CreateVolume", dict(AvailabilityZone=world.zone, Size=1, ClientToken="once"))
        query("CreateVolume", made)
        with self.assertRaises(Refused) as answer:
            query("CreateVolume", {**made, "Size": "2"})
        self.assertEqual(answer.exception.code, "IdempotentParameterMismatch")

    def test_protected_instances_stay(self):
        if "ModifyInstanceAttribute" not in table:
            self.skipTest("no protection can be set")
        world.ec2.modify_instance_attribute(InstanceId=world.running, DisableApiTermination={"Value": True})
        try:
            self.expect("OperationNotPermitted", "TerminateInstances", dict(InstanceIds=[world.running]))
        finally:
            world.ec2.modify_instance_attribute(InstanceId=world.running, DisableApiTermination={"Value": False})

    def test_forms_that_are_no_request(self):
        for code, action, parameters in (
                ("InvalidAction", "NoSuchAction", {}), ("UnknownParameter", "DescribeVpcs", {"X": "y"}),
                ("MissingParameter", "DeleteVpc", {}), ("InvalidParameterValue", "DescribeVpcs", {"MaxResults": "many"}),
                ("InvalidParameterValue", "DescribeVpcs", {"Filter.1.Name": "no-such", "Filter.1.Value.1": "x"})):
            with self.subTest(code=code):
                with self.assertRaises(Refused) as answer:
                    query(action, parameters)
                self.assertEqual(answer.exception.code, code, answer.exception.message)
                self.assertEqual(answer.exception.status, catalogue[code])

    def test_readers_may_not_write(self):
        reader = raw_query.RawQuery(virga, virga.reader(world.account))
        self.assertEqual(reader.code("CreateVpc", {"CidrBlock": "10.8.0.0/16"}), "UnauthorizedOperation")

    def test_every_code_of_the_list_is_one_that_something_answers_with(self):
        text = ""
        for part in ("api", "compute", "control", "core", "hostapi", "network", "storage"):
            for folder, _, names in os.walk(os.path.join(harness.ROOT, part)):
                for name in names:
                    # dry_run.cpp lists codes of others; what it answers with is one of its own.
                    if name.endswith((".cpp", ".h")) and name != "dry_run.cpp":
                        with open(os.path.join(folder, name)) as file:
                            text += file.read()
        words = set(re.findall(r"\w+", text))
        unused = {name for name, _, _ in codes() if name not in words} - {"dry_run_operation"}
        self.assertEqual(unused, set(), "use these codes or take them out of the list")


if __name__ == "__main__":
    harness.main()
