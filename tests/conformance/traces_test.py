#!/usr/bin/env python3
"""Members of requests that Virga honours: none of them is taken and forgotten. A member that can name something wrong is refused
by its own words when it does; one that cannot (a text, a switch, a choice) leaves a trace, which a test here or elsewhere looks at.
The last test holds what was tried against the whole action table."""
import functools
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import raw_query
import samples
from harness import wait_for
from members_test import refusals
from raw_query import MODEL, Refused

NONSENSE = {"integer": "-77", "long": "-77", "string": "no-such-7e1", "timestamp": "1999-01-01T00:00:00Z"}
ENVELOPE = ("DryRun", "ClientToken")

# Members that EC2 reads and does not use, as its documentation says.
AS_EC2_DOES = {
    # "You do not need to specify the security group rule description to revoke the rule."
    *("RevokeSecurityGroup%s IpPermissions.%s.Description" % (way, kind)
      for way in ("Ingress", "Egress") for kind in ("UserIdGroupPairs", "IpRanges", "Ipv6Ranges")),
    # Whatever is given, the attribute becomes true.
    "ResetNetworkInterfaceAttribute SourceDestCheck",
}

# Members whose trace only the host sees, and the unit test that looks at what it is told.
ELSEWHERE = {
    "StopInstances Force": "ForcedStopGivesTheGuestNoTime",
    "StopInstances SkipOsShutdown": "ForcedStopGivesTheGuestNoTime",
    "TerminateInstances Force": "AForcedTerminationIsOneWhoseGuestIsGivenTimeAndThenCutOff",
    "DetachVolume Force": "Force",
    "RunInstances UserData": "UserData",
}

shown = set()


def setUpModule():
    harness.require_boto3()
    global virga, world, table, query, rows, ec2
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    world = samples.World(virga, virga.account(), virga.import_image())
    ec2 = world.ec2
    table = samples.actions(virga)
    query = raw_query.RawQuery(virga, world.account)
    unittest.addModuleCleanup(query.connection.close)
    rows = refusals(virga.run("api-coverage").stdout)


def shows(action, *members):
    """Says that a test looks at the traces of these members of an action."""
    def decorated(test):
        test.shows = getattr(test, "shows", set()) | {"%s %s" % (action, member) for member in members}
        return test
    return decorated


def leaves(shape_name, words=(), names=()):
    """(name in Query, path of names, shape) of every scalar of a request; of a list its first element."""
    shape = MODEL["shapes"].get(shape_name, {"type": shape_name})
    if shape["type"] == "list":
        yield from leaves(shape["member"], words + ("1",), names)
    elif shape["type"] == "structure":
        for name, facts in shape["members"].items():
            yield from leaves(facts["shape"], words + (facts.get("query", name),), names + (name,))
    else:
        yield ".".join(words), ".".join(names), shape


def honoured(action):
    """The members that are neither refused nor allowed one value only. Tags have their own tests, as every action's are alike."""
    refused, only = rows[action]
    for word, name, shape in leaves(MODEL["operations"][action]["input"]):
        if not any(name == one or name.startswith(one + ".") for one in (*refused, *only, *ENVELOPE, "TagSpecifications")):
            yield word, name, shape


def bases():
    """Action -> requests that would succeed, other than its sample."""
    w = world
    public_ip = lambda allocation: ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]["PublicIp"]
    own = dict(GroupId=w.group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    rule = lambda **peer: dict(GroupId=w.group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **peer}])
    peers = [rule(UserIdGroupPairs=[{"GroupId": w.lonely_group, "UserId": w.account.id, "VpcId": w.vpc}]),
             rule(Ipv6Ranges=[{"CidrIpv6": "::/0"}]), rule(IpRanges=[{"CidrIp": "0.0.0.0/0"}])]
    run = dict(ImageId=w.image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
    descriptions = dict(GroupId=w.group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": w.rule, "Description": "new"}])
    return {
        "AssociateAddress": [dict(PublicIp=public_ip(w.lonely_address), InstanceId=w.stopped),
                             dict(AllocationId=w.lonely_address, NetworkInterfaceId=w.lonely_interface)],
        "AuthorizeSecurityGroupEgress": peers,
        "AuthorizeSecurityGroupIngress": peers + [own, dict(GroupId=w.group, SourceSecurityGroupName="lonely",
                                                            SourceSecurityGroupOwnerId=w.account.id)],
        "CreateImage": [dict(InstanceId=w.stopped, Name="made", BlockDeviceMappings=[
            {"DeviceName": "/dev/sdq", "Ebs": {"VolumeSize": 5}}])],
        "DisassociateAddress": [dict(PublicIp=public_ip(w.address))],
        "ModifyInstanceAttribute": [dict(InstanceId=w.stopped), dict(InstanceId=w.running, BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True, "VolumeId": w.attached}}])],
        "ModifyNetworkInterfaceAttribute": [dict(NetworkInterfaceId=w.interface[0]), dict(
            NetworkInterfaceId=w.interface[0], Attachment={"AttachmentId": w.interface[1], "DeleteOnTermination": True})],
        "RegisterImage": [dict(Name="new", RootDeviceName="/dev/sda1", BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 5}}])],
        "ReleaseAddress": [dict(PublicIp=public_ip(w.lonely_address))],
        "RevokeSecurityGroupEgress": peers,
        "RevokeSecurityGroupIngress": peers + [own, dict(GroupId=w.group, SourceSecurityGroupName="lonely",
                                                         SourceSecurityGroupOwnerId=w.account.id)],
        "RunInstances": [
            run, dict(run, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {
                "VolumeSize": 1, "VolumeType": "gp3", "Iops": 3000, "Throughput": 125}}]),
            dict(run, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": w.subnet, "Groups": [w.group]}]),
            dict(run, SubnetId=w.subnet)],
        "UpdateSecurityGroupRuleDescriptionsEgress": peers + [descriptions],
        "UpdateSecurityGroupRuleDescriptionsIngress": peers + [descriptions],
    }


class Traces(unittest.TestCase):
    def setUp(self):
        shown.update(getattr(getattr(self, self._testMethodName), "shows", ()))

    def group(self):
        return ec2.create_security_group(GroupName="t-%s" % os.urandom(4).hex(), Description="d", VpcId=world.vpc)["GroupId"]

    def rules(self, group):
        return ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]

    def instance(self, instance):
        return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def attribute(self, instance, name):
        answer = ec2.describe_instance_attribute(InstanceId=instance, Attribute=name)
        return next(v for k, v in answer.items() if k.lower() == name.lower())

    @shows("CreateKeyPair", "KeyName", "KeyType", "KeyFormat")
    @shows("ImportKeyPair", "KeyName", "PublicKeyMaterial")
    @shows("DeleteKeyPair", "KeyName")
    def test_key_pairs(self):
        look = lambda name: ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
        for kind, start in (("ed25519", "PuTTY-User-Key-File"), ("rsa", "PuTTY-User-Key-File")):
            made = ec2.create_key_pair(KeyName="t-" + kind, KeyType=kind, KeyFormat="ppk")
            self.assertTrue(made["KeyMaterial"].startswith(start))
            self.assertEqual(look("t-" + kind)[0]["KeyType"], kind)
        ec2.import_key_pair(KeyName="t-own", PublicKeyMaterial=samples.PUBLIC_KEY)
        self.assertIn(look("t-own")[0]["PublicKey"].split()[1].encode(), samples.PUBLIC_KEY)
        ec2.delete_key_pair(KeyName="t-own")
        names = [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]]
        self.assertNotIn("t-own", names)
        self.assertIn("t-rsa", names)
        self.assertTrue(ec2.delete_key_pair(KeyPairId=look("t-rsa")[0]["KeyPairId"])["Return"])
        self.assertEqual([k["KeyName"] for k in ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": ["t-*"]}])["KeyPairs"]],
                         ["t-ed25519"])

    @shows("CreateSecurityGroup", "Description", "GroupName", "VpcId")
    def test_groups(self):
        made = ec2.create_security_group(GroupName="t-name", Description="t-text", VpcId=world.lonely_vpc)["GroupId"]
        seen = ec2.describe_security_groups(GroupIds=[made])["SecurityGroups"][0]
        self.assertEqual((seen["GroupName"], seen["Description"], seen["VpcId"]), ("t-name", "t-text", world.lonely_vpc))
        ec2.delete_security_group(GroupId=made)

    PEERS = ("IpPermissions.IpProtocol", "IpPermissions.IpRanges.Description", "IpPermissions.Ipv6Ranges.Description",
             "IpPermissions.UserIdGroupPairs.Description", "IpPermissions.FromPort", "IpPermissions.ToPort")

    def peers(self, text, peer):
        return [{"IpProtocol": "udp", "FromPort": 5, "ToPort": 6,
                 "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": text + "4"}],
                 "Ipv6Ranges": [{"CidrIpv6": "fd00::/8", "Description": text + "6"}],
                 "UserIdGroupPairs": [{"GroupId": peer, "Description": text + "g"}]}]

    @shows("AuthorizeSecurityGroupIngress", *PEERS)
    @shows("AuthorizeSecurityGroupEgress", *PEERS)
    @shows("UpdateSecurityGroupRuleDescriptionsIngress", *PEERS, "SecurityGroupRuleDescriptions.Description")
    @shows("UpdateSecurityGroupRuleDescriptionsEgress", *PEERS, "SecurityGroupRuleDescriptions.Description")
    def test_rules_have_their_descriptions(self):
        for way, egress in (("ingress", False), ("egress", True)):
            group, peer = self.group(), self.group()
            getattr(ec2, "authorize_security_group_" + way)(GroupId=group, IpPermissions=self.peers("a", peer))
            texts = lambda: sorted(r["Description"] for r in self.rules(group) if r["IsEgress"] == egress and "Description" in r)
            self.assertEqual(texts(), ["a4", "a6", "ag"])
            for rule in self.rules(group):
                if rule["IpProtocol"] != "-1":
                    self.assertEqual((rule["IpProtocol"], rule["FromPort"], rule["ToPort"]), ("udp", 5, 6))
            update = getattr(ec2, "update_security_group_rule_descriptions_" + way)
            update(GroupId=group, IpPermissions=self.peers("b", peer))
            self.assertEqual(texts(), ["b4", "b6", "bg"])
            rule = [r for r in self.rules(group) if r.get("Description") == "b6"][0]["SecurityGroupRuleId"]
            update(GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule, "Description": "c"}])
            self.assertEqual(texts(), ["b4", "bg", "c"])

    @shows("AuthorizeSecurityGroupIngress", "CidrIp", "FromPort", "ToPort", "IpProtocol", "SourceSecurityGroupName",
           "SourceSecurityGroupOwnerId")
    @shows("RevokeSecurityGroupIngress", "CidrIp", "FromPort", "ToPort", "IpProtocol", "SourceSecurityGroupName",
           "SourceSecurityGroupOwnerId", "SecurityGroupRuleIds")
    def test_a_rules_own_members(self):
        group = self.group()
        own = [dict(IpProtocol="udp", FromPort=7, ToPort=8, CidrIp="10.9.0.0/16"),
               dict(SourceSecurityGroupName="lonely", SourceSecurityGroupOwnerId=world.account.id)]
        for arguments in own:
            ec2.authorize_security_group_ingress(GroupId=group, **arguments)
        rules = [r for r in self.rules(group) if not r["IsEgress"]]
        self.assertIn(("udp", 7, 8, "10.9.0.0/16"), [(r["IpProtocol"], r["FromPort"], r["ToPort"], r.get("CidrIpv4")) for r in rules])
        self.assertEqual(sorted((r["IpProtocol"], r["ReferencedGroupInfo"]["GroupId"], r["ReferencedGroupInfo"]["UserId"])
                                for r in rules if "ReferencedGroupInfo" in r),
                         [(protocol, world.lonely_group, world.account.id) for protocol in ("icmp", "tcp", "udp")])
        self.assertEqual(harness.error_code(ec2.authorize_security_group_ingress, GroupId=group, **own[0],
                                            SourceSecurityGroupOwnerId=world.account.id), "MissingParameter")
        for arguments in own:
            for member in arguments:  # with another value it is another rule
                other = {"IpProtocol": "tcp", "FromPort": 6, "ToPort": 9, "CidrIp": "10.8.0.0/16",
                         "SourceSecurityGroupName": "used", "SourceSecurityGroupOwnerId": "000000000001"}[member]
                code = harness.error_code(ec2.revoke_security_group_ingress, GroupId=group, **{**arguments, member: other})
                self.assertIn(code, ("InvalidPermission.NotFound", "InvalidGroup.NotFound"), member)
            ec2.revoke_security_group_ingress(GroupId=group, **arguments)
        self.assertEqual([r for r in self.rules(group) if not r["IsEgress"]], [])

    PEER = ("IpPermissions.UserIdGroupPairs.UserId", "IpPermissions.UserIdGroupPairs.VpcId")

    @shows("AuthorizeSecurityGroupIngress", *PEER)
    @shows("AuthorizeSecurityGroupEgress", *PEER)
    @shows("RevokeSecurityGroupIngress", *PEER)
    @shows("RevokeSecurityGroupEgress", *PEER)
    @shows("UpdateSecurityGroupRuleDescriptionsIngress", *PEER)
    @shows("UpdateSecurityGroupRuleDescriptionsEgress", *PEER)
    def test_a_peer_is_of_the_account_and_the_vpc_that_are_said(self):
        group = self.group()
        right = {"GroupId": group, "UserId": world.account.id, "VpcId": world.vpc}
        for way in ("ingress", "egress"):
            for verb in ("authorize_security_group_", "update_security_group_rule_descriptions_", "revoke_security_group_"):
                call = getattr(ec2, verb + way)
                peer = lambda pair: dict(GroupId=group, IpPermissions=[
                    {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [pair]}])
                for wrong in ({"UserId": "000000000001"}, {"VpcId": world.lonely_vpc}):
                    self.assertEqual(harness.error_code(call, **peer({**right, **wrong})), "InvalidGroup.NotFound", (verb, wrong))
                call(**peer(right))

    @shows("ModifySecurityGroupRules", *("SecurityGroupRules.SecurityGroupRule." + m for m in (
        "IpProtocol", "FromPort", "ToPort", "CidrIpv4", "Description")))
    def test_rules_are_modified(self):
        group = self.group()
        rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[world.permission(1)])["SecurityGroupRules"][0]
        wanted = {"IpProtocol": "udp", "FromPort": 3, "ToPort": 4, "CidrIpv4": "10.5.0.0/16", "Description": "new"}
        ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[
            {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wanted}])
        seen = [r for r in self.rules(group) if r["SecurityGroupRuleId"] == rule["SecurityGroupRuleId"]][0]
        self.assertEqual({name: seen[name] for name in wanted}, wanted)

    @shows("CreateTags", "Tags.Key", "Tags.Value")
    @shows("DeleteTags", "Tags.Key", "Tags.Value")
    def test_tags(self):
        group = self.group()
        tags = lambda: {t["Key"]: t["Value"] for t in ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [group]}])["Tags"]}
        ec2.create_tags(Resources=[group], Tags=[{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "v"}])
        self.assertEqual(tags(), {"k": "v", "l": "v"})
        ec2.delete_tags(Resources=[group], Tags=[{"Key": "k", "Value": "other"}, {"Key": "l", "Value": "v"}])
        self.assertEqual(tags(), {"k": "v"})

    @shows("AssociateAddress", "AllowReassociation")
    def test_an_address_moves_only_when_it_may(self):
        made = ec2.allocate_address()["AllocationId"]
        ec2.associate_address(AllocationId=made, InstanceId=world.stopped)
        at = lambda: ec2.describe_addresses(AllocationIds=[made])["Addresses"][0]["NetworkInterfaceId"]
        before = at()
        self.assertEqual(harness.error_code(ec2.associate_address, AllocationId=made, NetworkInterfaceId=world.lonely_interface,
                                            AllowReassociation=False), "Resource.AlreadyAssociated")
        self.assertEqual(at(), before)
        ec2.associate_address(AllocationId=made, NetworkInterfaceId=world.lonely_interface, AllowReassociation=True)
        self.assertEqual(at(), world.lonely_interface)
        ec2.disassociate_address(PublicIp=ec2.describe_addresses(AllocationIds=[made])["Addresses"][0]["PublicIp"])
        ec2.release_address(AllocationId=made)

    @shows("RunInstances", "BlockDeviceMappings.Ebs.DeleteOnTermination", "BlockDeviceMappings.Ebs.VolumeType",
           "BlockDeviceMappings.NoDevice", "Monitoring.Enabled", "CreditSpecification.CpuCredits", "MetadataOptions.HttpTokens",
           "MetadataOptions.HttpPutResponseHopLimit", "MetadataOptions.HttpEndpoint", "MetadataOptions.InstanceMetadataTags",
           "MaintenanceOptions.AutoRecovery", "DisableApiStop", "DisableApiTermination", "InstanceInitiatedShutdownBehavior",
           "NetworkInterfaces.DeleteOnTermination", "NetworkInterfaces.Description", "NetworkInterfaces.AssociatePublicIpAddress",
           "NetworkInterfaces.DeviceIndex", "EbsOptimized", "InstanceType", "UserData")
    def test_launches(self):
        metadata = {"HttpTokens": "required", "HttpPutResponseHopLimit": 7, "HttpEndpoint": "disabled", "InstanceMetadataTags": "enabled"}
        mappings = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "gp3", "DeleteOnTermination": False}},
                    {"DeviceName": "/dev/sdg", "NoDevice": ""}]
        made = ec2.run_instances(
            ImageId=world.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData="#!/bin/trace", EbsOptimized=True,
            Monitoring={"Enabled": True}, CreditSpecification={"CpuCredits": "standard"}, MetadataOptions=metadata,
            MaintenanceOptions={"AutoRecovery": "disabled"}, DisableApiStop=True, DisableApiTermination=True,
            InstanceInitiatedShutdownBehavior="terminate", BlockDeviceMappings=mappings, NetworkInterfaces=[
                {"DeviceIndex": 0, "SubnetId": world.subnet, "Description": "t-interface", "DeleteOnTermination": False,
                 "AssociatePublicIpAddress": True}])["Instances"][0]["InstanceId"]
        world.wait_state(made, "running")
        seen = self.instance(made)
        self.assertEqual((seen["InstanceType"], seen["EbsOptimized"], seen["MaintenanceOptions"]["AutoRecovery"]),
                         ("t3.micro", True, "disabled"))
        self.assertIn(seen["Monitoring"]["State"], ("enabled", "pending"))
        self.assertEqual({name: seen["MetadataOptions"][name] for name in metadata}, metadata)
        self.assertTrue(seen["PublicIpAddress"])
        interface = seen["NetworkInterfaces"][0]
        self.assertEqual((interface["Description"], interface["Attachment"]["DeleteOnTermination"], interface["Attachment"]["DeviceIndex"]),
                         ("t-interface", False, 0))
        devices = {m["DeviceName"]: m["Ebs"] for m in seen["BlockDeviceMappings"]}
        self.assertFalse(devices["/dev/sdf"]["DeleteOnTermination"])
        self.assertNotIn("/dev/sdg", devices)
        self.assertEqual(world.volume_of(devices["/dev/sdf"]["VolumeId"])["VolumeType"], "gp3")
        self.assertEqual(self.attribute(made, "disableApiStop"), {"Value": True})
        self.assertEqual(self.attribute(made, "disableApiTermination"), {"Value": True})
        self.assertEqual(self.attribute(made, "instanceInitiatedShutdownBehavior"), {"Value": "terminate"})
        self.assertEqual(self.attribute(made, "userData"), {"Value": "IyEvYmluL3RyYWNl"})
        credit = ec2.describe_instance_credit_specifications(InstanceIds=[made])["InstanceCreditSpecifications"][0]
        self.assertEqual(credit["CpuCredits"], "standard")

    @shows("ModifyInstanceAttribute", "SourceDestCheck.Value", "DisableApiStop.Value", "DisableApiTermination.Value",
           "EbsOptimized.Value", "UserData.Value", "InstanceInitiatedShutdownBehavior.Value",
           "BlockDeviceMappings.Ebs.DeleteOnTermination", "Attribute", "Value", "EnaSupport.Value")
    def test_attributes_of_instances(self):
        instance = world.stopped
        for member, name, other, seen in (
                ("SourceDestCheck", "sourceDestCheck", {"Value": False}, {"Value": False}),
                ("DisableApiStop", "disableApiStop", {"Value": True}, {"Value": True}),
                ("DisableApiTermination", "disableApiTermination", {"Value": True}, {"Value": True}),
                ("EbsOptimized", "ebsOptimized", {"Value": True}, {"Value": True}),
                ("UserData", "userData", {"Value": b"#!/bin/other"}, {"Value": "IyEvYmluL290aGVy"}),
                ("InstanceInitiatedShutdownBehavior", "instanceInitiatedShutdownBehavior", {"Value": "terminate"}, {"Value": "terminate"})):
            with self.subTest(member):
                self.assertNotEqual(self.attribute(instance, name), seen)
                ec2.modify_instance_attribute(InstanceId=instance, **{member: other})
                self.assertEqual(self.attribute(instance, name), seen)
        ec2.modify_instance_attribute(InstanceId=instance, Attribute="disableApiTermination", Value="false")
        self.assertEqual(self.attribute(instance, "disableApiTermination"), {"Value": False})
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiStop={"Value": False})
        ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": True})
        root = self.instance(instance)["BlockDeviceMappings"][0]
        ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[
            {"DeviceName": root["DeviceName"], "Ebs": {"DeleteOnTermination": not root["Ebs"]["DeleteOnTermination"]}}])
        self.assertNotEqual(self.instance(instance)["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"],
                            root["Ebs"]["DeleteOnTermination"])
        ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[{"DeviceName": root["DeviceName"], "Ebs": {
            "DeleteOnTermination": root["Ebs"]["DeleteOnTermination"]}}])
        self.assertTrue(harness.error_code(ec2.modify_instance_attribute, InstanceId=instance, EnaSupport={"Value": False}))

    @shows("ModifyInstanceCreditSpecification", "InstanceCreditSpecifications.InstanceId", "InstanceCreditSpecifications.CpuCredits")
    @shows("ModifyInstanceMaintenanceOptions", "AutoRecovery")
    @shows("ModifyInstanceMetadataOptions", "HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")
    def test_options_of_instances(self):
        instance = world.launch()
        self.addCleanup(ec2.terminate_instances, InstanceIds=[instance])
        credit = lambda: ec2.describe_instance_credit_specifications(InstanceIds=[instance])["InstanceCreditSpecifications"][0]["CpuCredits"]
        for kind in ("standard", "unlimited"):
            done = ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[{"InstanceId": instance, "CpuCredits": kind}])
            self.assertEqual(done["SuccessfulInstanceCreditSpecifications"], [{"InstanceId": instance}])
            self.assertEqual(credit(), kind)
        for kind in ("disabled", "default"):
            ec2.modify_instance_maintenance_options(InstanceId=instance, AutoRecovery=kind)
            self.assertEqual(self.instance(instance)["MaintenanceOptions"]["AutoRecovery"], kind)
        for member, values in (("HttpTokens", ("required", "optional")), ("HttpPutResponseHopLimit", (9, 3)),
                               ("HttpEndpoint", ("disabled", "enabled")), ("InstanceMetadataTags", ("enabled", "disabled"))):
            for value in values:
                ec2.modify_instance_metadata_options(InstanceId=instance, HttpEndpoint="enabled") if member != "HttpEndpoint" else None
                ec2.modify_instance_metadata_options(InstanceId=instance, **{member: value})
                self.assertEqual(self.instance(instance)["MetadataOptions"][member], value)

    @shows("ModifyNetworkInterfaceAttribute", "Description.Value", "SourceDestCheck.Value", "Attachment.DeleteOnTermination",
           "AssociatePublicIpAddress")
    def test_interfaces(self):
        interface, attachment = world.interface
        look = lambda: ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
        change = lambda **arguments: ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, **arguments)
        change(Description={"Value": "t-new"})
        self.assertEqual(look()["Description"], "t-new")
        for value in (False, True):
            change(SourceDestCheck={"Value": value})
            self.assertEqual(look()["SourceDestCheck"], value)
            change(Attachment={"AttachmentId": attachment, "DeleteOnTermination": value})
            self.assertEqual(look()["Attachment"]["DeleteOnTermination"], value)
        instance = world.launch()
        self.addCleanup(ec2.terminate_instances, InstanceIds=[instance])
        world.wait_state(instance, "running")
        other = world.interface_of(instance)[0]
        for value in (True, False):
            ec2.modify_network_interface_attribute(NetworkInterfaceId=other, AssociatePublicIpAddress=value)
            self.assertEqual("PublicIpAddress" in self.instance(instance), value)

    @shows("ModifySubnetAttribute", "MapPublicIpOnLaunch.Value")
    @shows("ModifyVpcAttribute", "EnableDnsHostnames.Value", "EnableDnsSupport.Value", "EnableNetworkAddressUsageMetrics.Value")
    def test_networks(self):
        for value in (True, False):
            ec2.modify_subnet_attribute(SubnetId=world.lonely_subnet, MapPublicIpOnLaunch={"Value": value})
            self.assertEqual(ec2.describe_subnets(SubnetIds=[world.lonely_subnet])["Subnets"][0]["MapPublicIpOnLaunch"], value)
        for member in ("EnableDnsHostnames", "EnableDnsSupport", "EnableNetworkAddressUsageMetrics"):
            name = member[0].lower() + member[1:]
            look = lambda: ec2.describe_vpc_attribute(VpcId=world.lonely_vpc, Attribute=name)[member]["Value"]
            before = look()
            for value in (not before, before):
                ec2.modify_vpc_attribute(VpcId=world.lonely_vpc, **{member: {"Value": value}})
                self.assertEqual(look(), value)

    @shows("CreateVolume", "VolumeType", "Iops", "Throughput", "Size")
    @shows("ModifyVolume", "VolumeType", "Iops", "Throughput", "Size")
    def test_volumes(self):
        volume = ec2.create_volume(AvailabilityZone=world.zone, Size=7, VolumeType="gp3", Iops=3100, Throughput=130)["VolumeId"]
        facts = lambda: tuple(world.volume_of(volume).get(m) for m in ("Size", "VolumeType", "Iops", "Throughput", "State"))
        wait_for("the volume", lambda: facts() == (7, "gp3", 3100, 130, "available"))
        ec2.modify_volume(VolumeId=volume, Size=8, Iops=3200, Throughput=140)
        wait_for("the change", lambda: facts() == (8, "gp3", 3200, 140, "available"))
        wait_for("the end of it", lambda: ec2.describe_volumes_modifications(
            VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "completed")
        other = ec2.create_volume(AvailabilityZone=world.zone, Size=1)["VolumeId"]
        wait_for("the volume", lambda: world.volume_of(other)["State"] == "available")
        ec2.modify_volume(VolumeId=other, VolumeType="gp3")
        wait_for("the other type", lambda: world.volume_of(other)["VolumeType"] == "gp3")

    @shows("RegisterImage", "Name", "Description", "BlockDeviceMappings.Ebs.DeleteOnTermination", "BlockDeviceMappings.Ebs.VolumeType",
           "BlockDeviceMappings.Ebs.VolumeSize", "RootDeviceName", "BlockDeviceMappings.DeviceName")
    def test_images(self):
        made = ec2.register_image(Name="t-image", Description="t-text", ImageLocation=world.own_image, RootDeviceName="/dev/xvda",
                                  BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {
                                      "DeleteOnTermination": False, "VolumeType": "gp3", "VolumeSize": 9}}])["ImageId"]
        seen = ec2.describe_images(ImageIds=[made])["Images"][0]
        self.assertEqual((seen["Name"], seen["Description"], seen["RootDeviceName"]), ("t-image", "t-text", "/dev/xvda"))
        root = seen["BlockDeviceMappings"][0]
        self.assertEqual((root["DeviceName"], root["Ebs"]["DeleteOnTermination"], root["Ebs"]["VolumeType"], root["Ebs"]["VolumeSize"]),
                         ("/dev/xvda", False, "gp3", 9))
        ec2.deregister_image(ImageId=made)

    MAPPINGS = ("BlockDeviceMappings.DeviceName", "BlockDeviceMappings.NoDevice", "BlockDeviceMappings.Ebs.DeleteOnTermination",
                "BlockDeviceMappings.Ebs.VolumeType", "BlockDeviceMappings.Ebs.VolumeSize", "BlockDeviceMappings.Ebs.Iops",
                "BlockDeviceMappings.Ebs.Throughput")
    DATA = {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 3100, "Throughput": 130, "DeleteOnTermination": False}

    def image(self, image):
        """Its facts once it is made, and its mappings by device."""
        look = lambda: ec2.describe_images(ImageIds=[image])["Images"][0]
        wait_for("the image", lambda: look()["State"] == "available")
        return look(), {m["DeviceName"]: m["Ebs"] for m in look()["BlockDeviceMappings"]}

    def drop_image(self, image, mappings):
        answer = ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
        gone = {m["SnapshotId"] for m in mappings.values() if "SnapshotId" in m}
        self.assertEqual({r["SnapshotId"] for r in answer.get("DeleteSnapshotResults", [])}, gone)
        return {s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]} & gone

    @shows("CreateSnapshot", "Description")
    def test_snapshots(self):
        if "CreateSnapshot" not in table:
            self.skipTest("no snapshots are made")
        made = ec2.create_snapshot(VolumeId=world.attached, Description="t-text")["SnapshotId"]
        self.assertEqual(ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]["Description"], "t-text")

    @shows("CreateImage", "Name", "Description", "NoReboot", *MAPPINGS)
    @shows("DeregisterImage", "DeleteAssociatedSnapshots")
    def test_images_of_instances(self):
        if "CreateImage" not in table:
            self.skipTest("no images are made")
        made = ec2.create_image(InstanceId=world.running, Name="t-made", Description="t-text", NoReboot=True, BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "NoDevice": ""}, {"DeviceName": "/dev/sdq", "Ebs": self.DATA}])["ImageId"]
        seen, mappings = self.image(made)
        self.assertEqual((seen["Name"], seen["Description"]), ("t-made", "t-text"))
        self.assertNotIn("/dev/sdf", mappings)
        self.assertEqual({name: mappings["/dev/sdq"][name] for name in self.DATA}, self.DATA)
        self.assertEqual(self.drop_image(made, mappings), set())

    @shows("RegisterImage", "ImdsSupport", "EnaSupport", *MAPPINGS)
    def test_images_of_snapshots(self):
        if "CreateSnapshot" not in table:
            self.skipTest("no snapshots are made")
        made = ec2.register_image(Name="t-registered", RootDeviceName="/dev/xvda", ImdsSupport="v2.0", EnaSupport=True, BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": world.snapshot, "VolumeSize": 3}},
            {"DeviceName": "/dev/sdp", "NoDevice": ""}, {"DeviceName": "/dev/sdq", "Ebs": self.DATA}])["ImageId"]
        seen, mappings = self.image(made)
        self.assertEqual((seen["ImdsSupport"], seen["EnaSupport"]), ("v2.0", True))
        self.assertEqual((mappings["/dev/xvda"]["SnapshotId"], mappings["/dev/xvda"]["VolumeSize"]), (world.snapshot, 3))
        self.assertEqual(sorted(mappings), ["/dev/sdq", "/dev/xvda"])
        self.assertEqual({name: mappings["/dev/sdq"][name] for name in self.DATA}, self.DATA)
        ec2.deregister_image(ImageId=made)

    @shows("ModifyImageAttribute", "Attribute", "Value", "Description.Value", "LaunchPermission.Add.UserId", "LaunchPermission.Add.Group",
           "LaunchPermission.Remove.UserId", "LaunchPermission.Remove.Group", "OperationType", "UserGroups", "UserIds", "ImdsSupport.Value")
    @shows("ResetImageAttribute", "Attribute")
    @shows("EnableImageDeprecation", "DeprecateAt")
    def test_attributes_of_images(self):
        if "ModifyImageAttribute" not in table:
            self.skipTest("attributes of images are not modified")
        image, friend = world.own_image, virga.account("friend").id
        change = lambda **arguments: ec2.modify_image_attribute(ImageId=image, **arguments)
        look = lambda name, member: ec2.describe_image_attribute(ImageId=image, Attribute=name)[member]
        for arguments in (dict(Description={"Value": "t-one"}), dict(Attribute="description", Value="t-two")):
            change(**arguments)
            self.assertEqual(look("description", "Description")["Value"], str(arguments).split("'")[-2])
        may = lambda: look("launchPermission", "LaunchPermissions")
        for arguments, seen in (
                (dict(LaunchPermission={"Add": [{"UserId": friend}]}), [{"UserId": friend}]),
                (dict(LaunchPermission={"Remove": [{"UserId": friend}]}), []),
                (dict(LaunchPermission={"Add": [{"Group": "all"}]}), [{"Group": "all"}]),
                (dict(LaunchPermission={"Remove": [{"Group": "all"}]}), []),
                (dict(Attribute="launchPermission", OperationType="add", UserIds=[friend]), [{"UserId": friend}]),
                (dict(Attribute="launchPermission", OperationType="remove", UserIds=[friend]), []),
                (dict(Attribute="launchPermission", OperationType="add", UserGroups=["all"]), [{"Group": "all"}])):
            change(**arguments)
            self.assertEqual(may(), seen, arguments)
        ec2.reset_image_attribute(ImageId=image, Attribute="launchPermission")
        self.assertEqual(may(), [])
        change(ImdsSupport={"Value": "v2.0"})
        self.assertEqual(look("imdsSupport", "ImdsSupport")["Value"], "v2.0")
        ec2.enable_image_deprecation(ImageId=image, DeprecateAt="2031-02-03T04:05:00Z")
        self.assertEqual(ec2.describe_images(ImageIds=[image])["Images"][0]["DeprecationTime"], "2031-02-03T04:05:00.000Z")
        ec2.disable_image_deprecation(ImageId=image)
        self.assertNotIn("DeprecationTime", ec2.describe_images(ImageIds=[image])["Images"][0])

    @shows("ResetInstanceAttribute", "Attribute")
    def test_resets(self):
        ec2.modify_instance_attribute(InstanceId=world.running, SourceDestCheck={"Value": False})
        ec2.reset_instance_attribute(InstanceId=world.running, Attribute="sourceDestCheck")
        self.assertEqual(self.attribute(world.running, "sourceDestCheck"), {"Value": True})


class Tags(unittest.TestCase):
    """TagSpecifications, which every action that makes something takes alike."""

    def makers(self):
        return sorted(a for a in table if table[a][0] == "write" and "TagSpecifications" in
                      MODEL["shapes"][MODEL["operations"][a]["input"]]["members"])

    @staticmethod
    def arguments(action, specifications):
        sample = {**world.samples()[action], "TagSpecifications": specifications}
        for name in ("ClientToken", "UserData"):
            sample.pop(name, None)
        if action == "ImportKeyPair":
            sample["KeyName"] = "imported"
        return sample

    @staticmethod
    def code(action, specifications):
        return query.code(action, {**raw_query.wire(ec2, action, Tags.arguments(action, specifications)), "DryRun": "true"})

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def types_of(action):
        kinds, tag = MODEL["shapes"]["ResourceType"]["enum"], {"Key": "t", "Value": "v"}
        return {kind for kind in kinds if Tags.code(action, [{"ResourceType": kind, "Tags": [tag]}]) == "DryRunOperation"}

    def test_every_type_that_is_taken_is_tagged_and_no_other_is_taken(self):
        self.assertGreater(len(self.makers()), 10)
        for action in self.makers():
            with self.subTest(action=action):
                tag = {"Key": "t-" + action, "Value": "<\u00fc>"}
                kinds = self.types_of(action)
                self.assertTrue(kinds)
                getattr(ec2, harness.method_of(action))(**self.arguments(
                    action, [{"ResourceType": kind, "Tags": [tag]} for kind in sorted(kinds)]))
                seen = ec2.describe_tags(Filters=[{"Name": "key", "Values": [tag["Key"]]}])["Tags"]
                self.assertEqual({t["ResourceType"] for t in seen}, kinds)
                self.assertEqual({t["Value"] for t in seen}, {tag["Value"]})

    def test_all_refuse_tags_that_are_none(self):
        tag = {"Key": "t", "Value": "v"}
        for action in self.makers():
            kind = sorted(self.types_of(action))[0]
            for why, code, specifications in (
                    ("reserved", "InvalidParameterValue", [{"ResourceType": kind, "Tags": [{"Key": "aws:x", "Value": "v"}]}]),
                    ("long key", "InvalidParameterValue", [{"ResourceType": kind, "Tags": [{"Key": "k" * 129, "Value": "v"}]}]),
                    ("long value", "InvalidParameterValue", [{"ResourceType": kind, "Tags": [{"Key": "k", "Value": "v" * 257}]}]),
                    ("twice", "InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag, tag]}]),
                    ("the type twice", "InvalidParameterValue", [{"ResourceType": kind, "Tags": [tag]}] * 2),
                    ("no type", "MissingParameter", [{"Tags": [tag]}]),
                    ("too many", "TagLimitExceeded", [{"ResourceType": kind, "Tags": [
                        {"Key": "k%d" % n, "Value": "v"} for n in range(51)]}])):
                with self.subTest(action=action, why=why):
                    self.assertEqual(self.code(action, specifications), code)


def plain(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


class Whole(unittest.TestCase):
    """Run last: unittest goes by name."""
    maxDiff = None

    def names_it(self, action, word, name, shape):
        """Whether a wrong value of the member is refused, in words that speak of it."""
        value = NONSENSE.get(shape["type"])
        if value is None or shape.get("enum", "open") != "open" or "min" in shape and shape["type"] != "string":
            return False  # refused by its type, which does not say that anybody reads it
        sample = raw_query.wire(ec2, action, self.samples[action])
        for base in [sample] + [raw_query.wire(ec2, action, other) for other in self.bases.get(action, ())]:
            request = {**base, word: value, **({"DryRun": "true"} if table[action][1] else {})}
            try:
                query(action, request)
            except Refused as error:
                words = [w for w in word.split(".") if not w.isdigit()]
                if error.code != "DryRunOperation" and (value in error.message or plain(words[-1]) in plain(error.message)
                                                        or plain(name.split(".")[-1]) in plain(error.message)):
                    return True
        return False

    def test_zz_every_member_is_refused_by_name_or_leaves_a_trace(self):
        self.samples, self.bases = world.samples(), bases()
        left, known = [], shown | AS_EC2_DOES | set(ELSEWHERE)
        for action in sorted(a for a in table if table[a][0] == "write"):
            for word, name, shape in honoured(action):
                if "%s %s" % (action, name) not in known and not self.names_it(action, word, name, shape):
                    left.append("%s %s" % (action, name))
        self.assertEqual(left, [], "say where these leave a trace")

    def test_zz_what_is_shown_elsewhere_is(self):
        text = ""
        for folder, _, names in os.walk(os.path.join(harness.ROOT, "tests", "unit")):
            for name in names:
                with open(os.path.join(folder, name), errors="replace") as file:
                    text += file.read()
        for member, test in ELSEWHERE.items():
            self.assertRegex(text, r"TEST\w*\(\w+, \w*%s" % test, member)


if __name__ == "__main__":
    harness.main()
