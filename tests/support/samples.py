"""One request for each action that changes something, good enough to succeed, in a little world made for them. Tests that
walk the action table take them from here; an action without one fails those tests until it has one."""
import re

from harness import wait_for

PUBLIC_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"


class World:
    """An account with one of everything, idle: nothing is pending and no host has anything to do."""

    def __init__(self, virga, account, image):
        self.virga, self.account, self.image = virga, account, image
        self.ec2 = ec2 = account.client()
        self.drop_default_vpc()
        self.vpc = self.make_vpc("10.1.0.0/16")
        self.lonely_vpc = self.make_vpc("10.2.0.0/16")
        self.quiet_vpc = self.make_vpc("10.4.0.0/16")
        self.subnet = self.make_subnet("10.1.1.0/24")
        self.lonely_subnet = self.make_subnet("10.1.2.0/24")
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.lonely_gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.quiet_gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.quiet_gateway, VpcId=self.quiet_vpc)
        self.table, self.lonely_table = (
            ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
        ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="20.0.0.0/8", GatewayId=self.gateway)
        self.association = ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)["AssociationId"]
        self.group, self.lonely_group = (
            ec2.create_security_group(GroupName=n, Description="d", VpcId=self.vpc)["GroupId"] for n in ("used", "lonely"))
        rule = ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[self.permission(22)])
        self.rule = rule["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        ec2.authorize_security_group_egress(GroupId=self.group, IpPermissions=[self.permission(22)])
        self.key = ec2.import_key_pair(KeyName="key", PublicKeyMaterial=PUBLIC_KEY)["KeyName"]
        self.own_image = virga.run("image", "import", virga.home + "/image.raw", "--name", "own", "--private", "--account",
                                   account.name).stdout.strip()
        self.running, self.stopped = (self.launch() for _ in range(2))
        self.wait_state(self.running, "running")
        self.wait_state(self.stopped, "running")
        ec2.stop_instances(InstanceIds=[self.stopped])
        self.wait_state(self.stopped, "stopped")
        zone = ec2.describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["AvailabilityZone"]
        self.zone = zone
        self.volume, self.attached = (
            ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"] for _ in range(2))
        for volume in (self.volume, self.attached):
            wait_for("the volume", lambda: self.volume_of(volume)["State"] == "available")
        self.snapshot = self.take_snapshot(self.attached)
        ec2.attach_volume(VolumeId=self.attached, InstanceId=self.running, Device="/dev/sdf")
        wait_for("the attachment", lambda: self.volume_of(self.attached)["Attachments"][0]["State"] == "attached")
        self.address, self.lonely_address = (ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(2))
        self.address_association = ec2.associate_address(AllocationId=self.address, InstanceId=self.running)["AssociationId"]
        ec2.create_tags(Resources=[self.vpc], Tags=[{"Key": "a", "Value": "b"}])
        self.interface = self.interface_of(self.running)
        self.lonely_interface = self.leave_interface()

    @staticmethod
    def permission(port):
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}

    def drop_default_vpc(self):
        ec2 = self.ec2
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
            ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
            ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
        ec2.delete_vpc(VpcId=vpc)

    def make_vpc(self, cidr):
        return self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]

    def make_subnet(self, cidr):
        return self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]

    def launch(self):
        return self.ec2.run_instances(ImageId=self.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=self.subnet,
                                      SecurityGroupIds=[self.group])["Instances"][0]["InstanceId"]

    def wait_state(self, instance, state):
        wait_for("%s %s" % (instance, state), lambda: self.ec2.describe_instances(
            InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"] == state, 120)

    def interface_of(self, instance):
        """Id and attachment id of its only network interface."""
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
        return found["NetworkInterfaceId"], found["Attachment"]["AttachmentId"]

    def leave_interface(self):
        """A network interface whose instance is gone."""
        ec2 = self.ec2
        instance = self.launch()
        interface, attachment = self.interface_of(instance)
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Attachment={
            "AttachmentId": attachment, "DeleteOnTermination": False})
        ec2.terminate_instances(InstanceIds=[instance])
        self.wait_state(instance, "terminated")
        return interface

    def volume_of(self, volume):
        return self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]

    def take_snapshot(self, volume):
        snapshot = self.ec2.create_snapshot(VolumeId=volume, Description="d")["SnapshotId"]
        wait_for("the snapshot", lambda: self.ec2.describe_snapshots(
            SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed")
        return snapshot

    def samples(self):
        """Action -> arguments as boto3 takes them."""
        w = self
        ingress, new = [self.permission(22)], [self.permission(80)]
        return {
            "AllocateAddress": dict(Domain="vpc"),
            "AssociateAddress": dict(AllocationId=w.lonely_address, InstanceId=w.stopped),
            "AssociateRouteTable": dict(RouteTableId=w.table, SubnetId=w.lonely_subnet),
            "AttachInternetGateway": dict(InternetGatewayId=w.lonely_gateway, VpcId=w.lonely_vpc),
            "AttachVolume": dict(VolumeId=w.volume, InstanceId=w.running, Device="/dev/sdg"),
            "AuthorizeSecurityGroupEgress": dict(GroupId=w.group, IpPermissions=new),
            "AuthorizeSecurityGroupIngress": dict(GroupId=w.group, IpPermissions=new),
            "CreateDefaultVpc": dict(),
            "CreateImage": dict(InstanceId=w.stopped, Name="made", TagSpecifications=[
                {"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]} for kind in ("image", "snapshot")]),
            "CreateInternetGateway": dict(),
            "CreateKeyPair": dict(KeyName="new", KeyType="rsa"),
            "CreateRoute": dict(RouteTableId=w.table, DestinationCidrBlock="30.0.0.0/8", GatewayId=w.gateway),
            "CreateRouteTable": dict(VpcId=w.vpc, ClientToken="token"),
            "CreateSecurityGroup": dict(GroupName="new", Description="d", VpcId=w.vpc),
            "CreateSnapshot": dict(VolumeId=w.volume, Description="new", TagSpecifications=[
                {"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]),
            "CreateSubnet": dict(VpcId=w.vpc, CidrBlock="10.1.9.0/24"),
            "CreateTags": dict(Resources=[w.vpc, w.running], Tags=[{"Key": "new", "Value": "tag"}]),
            "CreateVolume": dict(AvailabilityZone=w.zone, Size=1, ClientToken="token"),
            "CreateVpc": dict(CidrBlock="10.3.0.0/16", TagSpecifications=[
                {"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]),
            "DeleteInternetGateway": dict(InternetGatewayId=w.lonely_gateway),
            "DeleteKeyPair": dict(KeyName=w.key),
            "DeleteNetworkInterface": dict(NetworkInterfaceId=w.lonely_interface),
            "DeleteRoute": dict(RouteTableId=w.table, DestinationCidrBlock="20.0.0.0/8"),
            "DeleteRouteTable": dict(RouteTableId=w.lonely_table),
            "DeleteSecurityGroup": dict(GroupId=w.lonely_group),
            "DeleteSnapshot": dict(SnapshotId=w.snapshot),
            "DeleteSubnet": dict(SubnetId=w.lonely_subnet),
            "DeleteTags": dict(Resources=[w.vpc], Tags=[{"Key": "a"}]),
            "DeleteVolume": dict(VolumeId=w.volume),
            "DeleteVpc": dict(VpcId=w.lonely_vpc),
            "DeregisterImage": dict(ImageId=w.own_image),
            "DetachInternetGateway": dict(InternetGatewayId=w.quiet_gateway, VpcId=w.quiet_vpc),
            "DetachVolume": dict(VolumeId=w.attached),
            "DisableImageDeprecation": dict(ImageId=w.own_image),
            "DisassociateAddress": dict(AssociationId=w.address_association),
            "DisassociateRouteTable": dict(AssociationId=w.association),
            "EnableImageDeprecation": dict(ImageId=w.own_image, DeprecateAt="2030-01-01T00:00:00Z"),
            "ImportKeyPair": dict(KeyName="new", PublicKeyMaterial=PUBLIC_KEY),
            "ModifyImageAttribute": dict(ImageId=w.own_image, LaunchPermission={"Add": [{"Group": "all"}]}),
            "ModifyInstanceAttribute": dict(InstanceId=w.running, DisableApiTermination={"Value": True}),
            "ModifySecurityGroupRules": dict(GroupId=w.group, SecurityGroupRules=[{
                "SecurityGroupRuleId": w.rule, "SecurityGroupRule": {
                    "IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "CidrIpv4": "0.0.0.0/0"}}]),
            "ModifyInstanceCreditSpecification": dict(ClientToken="token", InstanceCreditSpecifications=[
                {"InstanceId": w.running, "CpuCredits": "standard"}]),
            "ModifyInstanceMaintenanceOptions": dict(InstanceId=w.running, AutoRecovery="disabled"),
            "ModifyInstanceMetadataOptions": dict(InstanceId=w.running, HttpTokens="required"),
            "ModifyNetworkInterfaceAttribute": dict(NetworkInterfaceId=w.interface[0], Groups=[w.lonely_group]),
            "MonitorInstances": dict(InstanceIds=[w.running]),
            "ModifySubnetAttribute": dict(SubnetId=w.subnet, MapPublicIpOnLaunch={"Value": False}),
            "ModifyVolume": dict(VolumeId=w.volume, Size=2),
            "ModifyVpcAttribute": dict(VpcId=w.vpc, EnableDnsHostnames={"Value": True}),
            "RebootInstances": dict(InstanceIds=[w.running]),
            "RegisterImage": dict(Name="new", ImageLocation=w.own_image),
            "ReleaseAddress": dict(AllocationId=w.lonely_address),
            "ResetImageAttribute": dict(ImageId=w.own_image, Attribute="launchPermission"),
            "ResetInstanceAttribute": dict(InstanceId=w.running, Attribute="sourceDestCheck"),
            "ResetNetworkInterfaceAttribute": dict(NetworkInterfaceId=w.interface[0], SourceDestCheck="true"),
            "ReplaceRoute": dict(RouteTableId=w.table, DestinationCidrBlock="20.0.0.0/8", GatewayId=w.gateway),
            "ReplaceRouteTableAssociation": dict(AssociationId=w.association, RouteTableId=w.lonely_table),
            "RevokeSecurityGroupEgress": dict(GroupId=w.group, IpPermissions=ingress),
            "RevokeSecurityGroupIngress": dict(GroupId=w.group, IpPermissions=ingress),
            "RunInstances": dict(ImageId=w.image, InstanceType="t3.nano", MinCount=1, MaxCount=2, SubnetId=w.subnet,
                                 ClientToken="token", UserData="#!/bin/true"),
            "StartInstances": dict(InstanceIds=[w.stopped]),
            "StopInstances": dict(InstanceIds=[w.running]),
            "UpdateSecurityGroupRuleDescriptionsEgress": dict(GroupId=w.group, IpPermissions=ingress),
            "UpdateSecurityGroupRuleDescriptionsIngress": dict(GroupId=w.group, SecurityGroupRuleDescriptions=[
                {"SecurityGroupRuleId": w.rule, "Description": "new"}]),
            "TerminateInstances": dict(InstanceIds=[w.running, w.stopped]),
            "UnmonitorInstances": dict(InstanceIds=[w.running]),
        }


def actions(virga):
    """The action table: name -> (access, whether it takes DryRun), from the program's own coverage page."""
    page = virga.run("api-coverage").stdout
    found = {}
    for section in page.split("\n## ")[1:]:
        access = re.search(r"^\* Access: (\w+)", section, re.M).group(1)
        found[section.split("\n")[0]] = (access, "\n* DryRun\n" in section + "\n")
    assert found
    return found
