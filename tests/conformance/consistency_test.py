#!/usr/bin/env python3
"""What a caller may rely on: it reads what it wrote, a call sent again is done once, a delete names what depends, and pages
hold everything once whatever is written meanwhile."""
import concurrent.futures
import json
import os
import secrets
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import raw_query
import samples
from harness import error_code, wait_for
from raw_query import MODEL
from sigv4 import FORM, Line, Signer

THREADS = 50


def setUpModule():
    harness.require_boto3()
    global virga, image, world, table
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    image = virga.import_image()
    world = samples.World(virga, virga.account(), image)
    table = samples.actions(virga)


def message_of(call, **arguments):
    """(code, message) of a refusal."""
    try:
        call(**arguments)
    except harness.botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None, None


class ReadsItsWrites(unittest.TestCase):
    """Fifty callers at once, each of whom looks at once, over another connection, at what it changed."""

    def everywhere(self, calls):
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(calls, range(THREADS)))

    def test_groups_rules_and_tags(self):
        ec2, vpc = world.ec2, world.quiet_vpc

        def story(number):
            group = ec2.create_security_group(GroupName="c-%d" % number, Description="d", VpcId=vpc)["GroupId"]
            self.assertEqual(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["GroupId"], group)
            self.assertIn(group, [g["GroupId"] for g in ec2.describe_security_groups()["SecurityGroups"]])
            rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[world.permission(number + 1)])
            rule = rule["SecurityGroupRules"][0]["SecurityGroupRuleId"]
            seen = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
            self.assertIn(rule, [r["SecurityGroupRuleId"] for r in seen])
            ec2.create_tags(Resources=[group], Tags=[{"Key": "number", "Value": str(number)}])
            seen = ec2.describe_security_groups(Filters=[{"Name": "tag:number", "Values": [str(number)]}])["SecurityGroups"]
            self.assertEqual([g["GroupId"] for g in seen], [group])
            ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
            self.assertEqual(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"], [])
            ec2.delete_security_group(GroupId=group)
            self.assertEqual(error_code(ec2.describe_security_groups, GroupIds=[group]), "InvalidGroup.NotFound")
            self.assertEqual(ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [group]}])["Tags"], [])
            return group
        self.assertEqual(len(set(self.everywhere(story))), THREADS)

    def test_instances_volumes_and_key_pairs(self):
        ec2 = world.ec2

        def story(number):
            instance = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1,
                                         SubnetId=world.subnet)["Instances"][0]
            look = lambda: ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
            self.assertIn(look()["State"]["Name"], ("pending", "running"))
            ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], DisableApiStop={"Value": True})
            self.assertTrue(ec2.describe_instance_attribute(
                InstanceId=instance["InstanceId"], Attribute="disableApiStop")["DisableApiStop"]["Value"])
            ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
            self.assertIn(look()["State"]["Name"], ("shutting-down", "terminated"))
            volume = ec2.create_volume(AvailabilityZone=world.zone, Size=1)["VolumeId"]
            self.assertIn(ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"], ("creating", "available"))
            ec2.delete_volume(VolumeId=volume)
            state = lambda: [v["State"] for v in ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [volume]}])["Volumes"]]
            self.assertIn(state(), ([], ["deleting"]))
            name = "key-%d" % number
            ec2.import_key_pair(KeyName=name, PublicKeyMaterial=samples.PUBLIC_KEY)
            self.assertEqual(ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"][0]["KeyName"], name)
            ec2.delete_key_pair(KeyName=name)
            self.assertEqual(error_code(ec2.describe_key_pairs, KeyNames=[name]), "InvalidKeyPair.NotFound")
            return instance["InstanceId"]
        self.assertEqual(len(set(self.everywhere(story))), THREADS)

    def test_who_is_refused_for_a_dependent_may_go_as_soon_as_it_went(self):
        ec2 = world.ec2
        vpc = world.make_vpc("10.77.0.0/16")

        def story(number):
            subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.%d.0/24" % number)["Subnet"]["SubnetId"]
            table_id = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
            association = ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet)["AssociationId"]
            self.assertEqual(error_code(ec2.delete_route_table, RouteTableId=table_id), "DependencyViolation")
            ec2.disassociate_route_table(AssociationId=association)
            ec2.delete_route_table(RouteTableId=table_id)
            ec2.delete_subnet(SubnetId=subnet)
            self.assertEqual(error_code(ec2.describe_subnets, SubnetIds=[subnet]), "InvalidSubnetID.NotFound")
        self.everywhere(story)
        ec2.delete_vpc(VpcId=vpc)
        self.assertEqual(error_code(ec2.describe_vpcs, VpcIds=[vpc]), "InvalidVpcID.NotFound")


class Resends(unittest.TestCase):
    """SDKs send a call again when the connection broke under it, with the invocation id that it had."""

    def request(self, account, action, pairs, invocation):
        body = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **pairs}).encode()
        return Signer(account).by_header("POST", [("Content-Type", FORM), ("amz-sdk-invocation-id", invocation)], body)

    def send(self, *of, line=None):
        mine = line or Line(virga)
        try:
            return mine(self.request(*of))
        finally:
            if line is None:
                mine.connection.close()

    def test_every_change_sent_again_is_answered_as_before(self):
        """All changes of a world, each twice: in one those that make or alter, in another those that end something."""
        apart = ("Delete", "Detach", "Deregister", "Disassociate", "Release", "Reset", "Revoke", "Terminate", "Stop")
        line, resent = Line(virga), set()
        self.addCleanup(line.connection.close)
        for name, ends in (("makes", False), ("ends", True)):
            mine = samples.World(virga, virga.account(name), image)
            arguments = mine.samples()
            for action in sorted(a for a in table if table[a][0] == "write" and a.startswith(apart) == ends):
                pairs, invocation = raw_query.wire(mine.ec2, action, arguments[action]), secrets.token_hex(16)
                first = self.send(mine.account, action, pairs, invocation, line=line)
                if first[0] != 200:
                    continue  # another sample was in its way
                with self.subTest(action=action):
                    self.assertEqual(self.send(mine.account, action, pairs, invocation, line=line), first)
                    resent.add(action)
        writes = {a for a in table if table[a][0] == "write"}
        self.assertLessEqual(len(writes - resent), 6, writes - resent)

    def test_copies_that_arrive_together_are_one_call(self):
        invocation = secrets.token_hex(16)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = set(pool.map(lambda _: self.send(world.account, "AllocateAddress", {"Domain": "vpc"}, invocation), range(20)))
        self.assertEqual(len(answers), 1)
        self.assertEqual(answers.pop()[0], 200)

    def test_a_call_whose_answer_nobody_read_is_not_done_again(self):
        before = {a["AllocationId"] for a in world.ec2.describe_addresses()["Addresses"]}
        lost = Line(virga)
        request = self.request(world.account, "AllocateAddress", {}, "lost-" + secrets.token_hex(8))
        lost.connection.connect()
        sock = lost.connection.sock
        lost.connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers + [("Content-Length", str(len(request.body)))]:
            lost.connection.putheader(name, value)
        lost.connection.endheaders(request.body)
        sock.close()
        lost.connection.close()
        wait_for("the lost call to be done", lambda: len(world.ec2.describe_addresses()["Addresses"]) > len(before))
        status, _, body = self.send(world.account, "AllocateAddress", {}, request.header("amz-sdk-invocation-id"))
        made = {a["AllocationId"] for a in world.ec2.describe_addresses()["Addresses"]} - before
        self.assertEqual((status, len(made)), (200, 1))
        self.assertIn(made.pop(), body)

    def test_another_call_with_the_same_id_is_another_call(self):
        invocation = secrets.token_hex(16)
        stranger = virga.account("other")
        ask = lambda account, name: self.send(account, "CreateSecurityGroup", {
            "GroupName": name, "GroupDescription": "d", "VpcId": account.vpc}, invocation)
        for account in (world.account, stranger):
            account.vpc = account.client().describe_vpcs()["Vpcs"][0]["VpcId"]
        bodies = {ask(account, name)[2] for account in (world.account, stranger) for name in ("one", "two")}
        self.assertEqual(len(bodies), 4)
        for account in (world.account, stranger):
            self.assertEqual(len(account.client().describe_security_groups(
                Filters=[{"Name": "group-name", "Values": ["one", "two"]}])["SecurityGroups"]), 2)

    def test_a_refusal_is_not_kept(self):
        invocation = secrets.token_hex(16)
        wanted = {"VpcId": world.vpc, "CidrBlock": "10.1.200.0/24"}
        taken = world.make_subnet("10.1.200.0/24")
        self.assertEqual(self.send(world.account, "CreateSubnet", wanted, invocation)[:2], (400, "InvalidSubnet.Conflict"))
        world.ec2.delete_subnet(SubnetId=taken)
        status, _, body = self.send(world.account, "CreateSubnet", wanted, invocation)
        self.assertEqual(status, 200)
        world.ec2.delete_subnet(SubnetId=body.split("<subnetId>")[1].split("<")[0])


class Deletes(unittest.TestCase):
    """Whatever ends something: with a dependent it is refused, and the refusal names the dependent."""

    # They end an association or a rule, or themselves, and nothing depends on those.
    FREE = {"DeleteKeyPair", "DeleteRoute", "DeleteTags", "DisassociateAddress", "DisassociateRouteTable",
            "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress", "TerminateInstances", "DetachVolume",
            "DeregisterImage"}

    def refusals(self):
        w = world
        peer = w.ec2.create_security_group(GroupName="peer", Description="d", VpcId=w.vpc)["GroupId"]
        w.ec2.authorize_security_group_ingress(GroupId=peer, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": w.lonely_group}]}])
        main = w.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [w.vpc]}, {
            "Name": "association.main", "Values": ["true"]}])["RouteTables"][0]["RouteTableId"]
        only = lambda kind, vpc: [("DependencyViolation", dict(VpcId=vpc), [kind])]
        vpcs = {}
        for number, what in enumerate(("subnet", "gateway", "group", "table")):
            vpcs[what] = w.make_vpc("10.%d.0.0/16" % (100 + number))
        in_vpc = {
            "subnet": w.ec2.create_subnet(VpcId=vpcs["subnet"], CidrBlock="10.100.1.0/24")["Subnet"]["SubnetId"],
            "gateway": w.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"],
            "group": w.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpcs["group"])["GroupId"],
            "table": w.ec2.create_route_table(VpcId=vpcs["table"])["RouteTable"]["RouteTableId"]}
        w.ec2.attach_internet_gateway(InternetGatewayId=in_vpc["gateway"], VpcId=vpcs["gateway"])
        interface = w.interface[0]
        snapshots = []
        if "DeleteSnapshot" in table:
            of_snapshot = w.ec2.register_image(Name="of-snapshot", RootDeviceName="/dev/xvda", BlockDeviceMappings=[
                {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": w.snapshot}}])["ImageId"]
            snapshots = [("InvalidSnapshot.InUse", dict(SnapshotId=w.snapshot), [of_snapshot])]
        return {
            **({"DeleteSnapshot": snapshots} if snapshots else {}),
            "DeleteInternetGateway": [("DependencyViolation", dict(InternetGatewayId=w.gateway), [w.vpc])],
            "DeleteNetworkInterface": [("InvalidNetworkInterface.InUse", dict(NetworkInterfaceId=interface), [w.running, "is currently in use"])],
            "DeleteRouteTable": [("DependencyViolation", dict(RouteTableId=w.table), [w.subnet]),
                                 ("DependencyViolation", dict(RouteTableId=main), [w.vpc])],
            "DeleteSecurityGroup": [("DependencyViolation", dict(GroupId=w.group), ["eni-"]),
                                    ("DependencyViolation", dict(GroupId=w.lonely_group), [peer])],
            "DeleteSubnet": [("DependencyViolation", dict(SubnetId=w.subnet), ["eni-"])],
            "DeleteVolume": [("VolumeInUse", dict(VolumeId=w.attached), [w.running])],
            "DeleteVpc": [row for what in in_vpc for row in only(in_vpc[what], vpcs[what])],
            "DetachInternetGateway": [("DependencyViolation", dict(InternetGatewayId=w.gateway, VpcId=w.vpc), [
                w.ec2.describe_addresses(AllocationIds=[w.address])["Addresses"][0]["PublicIp"]])],
            "ReleaseAddress": [("InvalidIPAddress.InUse", dict(AllocationId=w.address), [interface])],
        }

    def test_a_delete_names_what_depends(self):
        refusals = self.refusals()
        ends = {a for a in table if table[a][0] == "write" and a.startswith((
            "Delete", "Detach", "Deregister", "Disassociate", "Release", "Revoke", "Terminate"))}
        self.assertEqual(ends - self.FREE, set(refusals), "say of each what depends on it")
        for action, rows in refusals.items():
            for code, arguments, names in rows:
                with self.subTest(action=action, arguments=arguments):
                    got, message = message_of(getattr(world.ec2, harness.method_of(action)), **arguments)
                    self.assertEqual(got, code, message)
                    for name in names:
                        self.assertIn(name, message)


class Pages(unittest.TestCase):
    """Each page is followed by changes: some of what was told goes, some of what was not, and more comes."""

    def setUp(self):
        self.account = virga.account("pages")
        self.query = raw_query.RawQuery(virga, self.account)
        self.addCleanup(self.query.connection.close)

    def makers(self, ec2):
        """Action -> (makes one and returns its id or name, ends it, where an item has that, arguments of the Describe)."""
        zone = "us-east-1a"
        vpc = [v for v in ec2.describe_vpcs()["Vpcs"] if v["IsDefault"]][0]["VpcId"]
        home = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
        numbers = iter(range(10000))
        number = lambda: next(numbers)

        def group():
            return ec2.create_security_group(GroupName="p%d" % number(), Description="d", VpcId=vpc)["GroupId"]

        def instance():
            return ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]

        def volume():
            made = ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
            wait_for("the volume", lambda: ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["State"] == "available")
            return made

        def modified():
            made = volume()
            ec2.modify_volume(VolumeId=made, Size=2)
            wait_for("the modification", lambda: ec2.describe_volumes_modifications(
                VolumeIds=[made])["VolumesModifications"][0]["ModificationState"] == "completed")
            return made

        def snapshot():
            made = ec2.create_snapshot(VolumeId=volumes[0])["SnapshotId"]
            wait_for("the snapshot", lambda: ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]["State"] == "completed")
            return made

        def rule():
            return ec2.authorize_security_group_ingress(GroupId=ruled, IpPermissions=[world.permission(1000 + number())])[
                "SecurityGroupRules"][0]["SecurityGroupRuleId"]

        def tag():
            key = "key-%03d" % (secrets.randbelow(900) * 10 + number() % 10)
            ec2.create_tags(Resources=[ruled], Tags=[{"Key": key, "Value": "v"}])
            return key

        ruled, volumes = group(), [volume()]
        end_volume = lambda one: ec2.delete_volume(VolumeId=one)
        end_instance = lambda one: ec2.terminate_instances(InstanceIds=[one])
        end_group = lambda one: ec2.delete_security_group(GroupId=one)
        return {
            "DescribeImages": (lambda: virga.import_image(name="page-%d" % number(), account="pages"),
                               lambda one: ec2.deregister_image(ImageId=one), "imageId", {}),
            "DescribeInstanceCreditSpecifications": (instance, end_instance, "instanceId", {}),
            "DescribeInstanceStatus": (instance, end_instance, "instanceId", {"IncludeAllInstances": "true"}),
            "DescribeInstances": (instance, end_instance, "instanceId", {}),
            "DescribeInternetGateways": (lambda: ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"],
                                         lambda one: ec2.delete_internet_gateway(InternetGatewayId=one), "internetGatewayId", {}),
            "DescribeNetworkAcls": (lambda: ec2.create_vpc(CidrBlock="10.%d.0.0/16" % (100 + number() % 100))["Vpc"]["VpcId"],
                                    lambda one: ec2.delete_vpc(VpcId=one), "vpcId", {}),
            "DescribeNetworkInterfaces": (instance, end_instance, "attachment/instanceId", {}),
            "DescribeRouteTables": (lambda: ec2.create_route_table(VpcId=home)["RouteTable"]["RouteTableId"],
                                    lambda one: ec2.delete_route_table(RouteTableId=one), "routeTableId", {}),
            "DescribeSecurityGroupRules": (rule, lambda one: ec2.revoke_security_group_ingress(
                GroupId=ruled, SecurityGroupRuleIds=[one]), "securityGroupRuleId", {}),
            "DescribeSecurityGroups": (group, end_group, "groupId", {}),
            "DescribeSnapshots": (snapshot, lambda one: ec2.delete_snapshot(SnapshotId=one), "snapshotId", {}),
            "DescribeSubnets": (lambda: ec2.create_subnet(VpcId=home, CidrBlock="10.50.%d.0/24" % (number() % 250))["Subnet"]["SubnetId"],
                                lambda one: ec2.delete_subnet(SubnetId=one), "subnetId", {}),
            "DescribeTags": (tag, lambda one: ec2.delete_tags(Resources=[ruled], Tags=[{"Key": one}]), "key", {}),
            "DescribeVolumeStatus": (volume, end_volume, "volumeId", {}),
            "DescribeVolumes": (volume, end_volume, "volumeId", {}),
            "DescribeVolumesModifications": (modified, end_volume, "volumeId", {}),
            "DescribeVpcs": (lambda: ec2.create_vpc(CidrBlock="10.%d.0.0/16" % (100 + number() % 100))["Vpc"]["VpcId"],
                             lambda one: ec2.delete_vpc(VpcId=one), "vpcId", {}),
        }

    # Nobody can write there.
    FIXED = {"DescribeAddressesAttribute": {"Attribute": "domain-name"}, "DescribeDhcpOptions": {},
             "DescribeInstanceTypeOfferings": {}, "DescribeInstanceTypes": {}}

    def page(self, action, arguments, token):
        root = self.query(action, {**arguments, "MaxResults": "5", **({"NextToken": token} if token else {})})
        return raw_query.items(root), root.findtext("nextToken")

    def test_every_list_holds_everything_once_while_it_changes(self):
        makers = self.makers(self.account.client())
        paged = {a for a in table if MODEL["operations"].get(a, {}).get("paged")}
        self.assertEqual(paged - set(self.FIXED), set(makers) & set(table), "say how one of these is made")
        for action in sorted(paged - set(self.FIXED)):
            make, end, name, arguments = makers[action]
            with self.subTest(action=action):
                self.walk(action, make, end, name, arguments)

    def walk(self, action, make, end, name, arguments):
        stay, go = {make() for _ in range(9)}, [make() for _ in range(4)]
        seen, pages, token, born = [], 0, None, []
        while True:
            found, token = self.page(action, arguments, token)
            self.assertLessEqual(len(found), 5)
            self.assertTrue(found or not token, "an empty page that is not the last")
            seen += [item.findtext(name) for item in found]
            pages += 1
            if not token:
                break
            if go:
                end(go.pop())
            if len(born) < 4:
                born.append(make())
        self.assertGreater(pages, 2)
        known = [one for one in seen if one in stay or one in born]
        self.assertEqual(len(known), len(set(known)), "something twice")
        self.assertEqual(stay - set(known), set(), "something was left out")
        for one in (*stay, *go, *born):
            end(one)

    def test_lists_that_nobody_writes_page_alike(self):
        for action, arguments in sorted(self.FIXED.items()):
            with self.subTest(action=action):
                text = lambda items: sorted(json.dumps([(e.tag, e.text) for e in item.iter()]) for item in items)
                whole, token = raw_query.items(self.query(action, arguments)), None
                listed = []
                while True:
                    found, token = self.page(action, arguments, token)
                    listed += found
                    if not token:
                        break
                self.assertEqual(text(listed), text(whole))


if __name__ == "__main__":
    harness.main()
