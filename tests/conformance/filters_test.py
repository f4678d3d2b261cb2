#!/usr/bin/env python3
"""Every documented filter of every Describe: some value of the answer matches, another does not, wildcards work. A filter that
matches nothing whatever there is must stand in the coverage page's list of those, which may only shrink."""
import os
import re
import sys
import unittest
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import raw_query
import samples
from harness import wait_for
from raw_query import MODEL, items, texts

MOST_VALUES = 200  # of one filter
MOST_OF_NOTHING = 107  # filters that match nothing: only ever lower this

# Filters that match only what this world has none of; unit tests have it.
NOT_HERE = {"DescribeImages": {"state-reason-code", "state-reason-message"}}  # images that failed

# Filters by what other answers show: (action, filter) -> the action whose answer has the values.
SHOWN_ELSEWHERE = {
    "DescribeInstances": ("DescribeNetworkInterfaces", "DescribeAddresses"),
    "DescribeSecurityGroups": ("DescribeSecurityGroups",),
}
UNDOCUMENTED = {
    "DescribeAddresses": ("domain",),
    "DescribeSubnets": ("availabilityZone", "availabilityZoneId", "cidr", "cidrBlock", "defaultForAz"),
    "DescribeVpcs": ("cidr-block", "cidrBlock", "dhcpOptionsId", "isDefault"),
}


def setUpModule():
    harness.require_boto3()
    global virga, world, table, query, of_nothing
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    world = samples.World(virga, virga.account(), virga.import_image())
    table = samples.actions(virga)
    query = raw_query.RawQuery(virga, world.account)
    unittest.addModuleCleanup(query.connection.close)
    of_nothing = listed_as_nothing(virga.run("api-coverage").stdout)
    enrich(world)


def listed_as_nothing(page):
    """Action -> the filters that the coverage page says match nothing."""
    found = {}
    for section in page.split("\n## ")[1:]:
        line = re.search(r"^\* Filters that match nothing[^:]*: (.*)$", section, re.M)
        found[section.split("\n")[0]] = set(re.findall("`([^`]+)`", line.group(1))) if line else set()
    return found


def enrich(w):
    """What the world of samples has no use for, and filters do: tags on everything, rules of every kind."""
    ec2 = w.ec2
    w.keyed = ec2.run_instances(
        ImageId=w.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=w.subnet, KeyName=w.key, ClientToken="keyed",
        TagSpecifications=[{"ResourceType": kind, "Tags": [{"Key": "stack", "Value": "one"}]}
                           for kind in ("instance", "volume", "network-interface")])["Instances"][0]["InstanceId"]
    w.wait_state(w.keyed, "running")
    ec2.authorize_security_group_ingress(GroupId=w.lonely_group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "UserIdGroupPairs": [{"GroupId": w.group}],
         "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}])
    ec2.authorize_security_group_egress(GroupId=w.lonely_group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "UserIdGroupPairs": [{"GroupId": w.group}],
         "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}])
    ec2.register_image(Name="copy", ImageLocation=w.own_image, Description="a copy", SriovNetSupport="simple")
    made = ec2.create_image(InstanceId=w.stopped, Name="made")["ImageId"]
    wait_for("the image", lambda: ec2.describe_images(ImageIds=[made])["Images"][0]["State"] == "available", 120)
    ec2.create_volume(AvailabilityZone=w.zone, SnapshotId=w.snapshot)
    ec2.modify_vpc_attribute(VpcId=w.vpc, EnableDnsHostnames={"Value": True})  # public addresses have names then
    if "ModifyVolume" in table:
        ec2.modify_volume(VolumeId=w.attached, Size=2)
        wait_for("the volume to be as wanted", lambda: ec2.describe_volumes_modifications(
            VolumeIds=[w.attached])["VolumesModifications"][0]["ModificationState"] == "completed", 150)
    ids = {text for action in describes() for item in items(query(action)) for text in texts(item)
           if re.fullmatch(r"[a-z]+(-[a-z]+)*-[0-9a-f]{17}", text)}
    for one in sorted(ids):
        if not harness.error_code(ec2.create_tags, Resources=[one], Tags=[{"Key": "every", "Value": one}]):
            continue


def describes():
    """The served actions with filters."""
    return sorted(a for a in table if MODEL["operations"].get(a, {}).get("filters"))


def select(action, name, values):
    parameters = {"Filter.1.Name": name}
    parameters.update({"Filter.1.Value.%d" % (i + 1): value for i, value in enumerate(values)})
    if action == "DescribeInstanceStatus":
        parameters["IncludeAllInstances"] = "true"
    return items(query(action, parameters))


def unfiltered(action):
    return query(action, {"IncludeAllInstances": "true"} if action == "DescribeInstanceStatus" else {})


def keys(found):
    return {ET.tostring(item) for item in found}


def literal(value):
    return re.sub(r"([*?\\])", r"\\\1", value)


def narrow(action, name, values):
    """One of the values that matches by itself; None when none does."""
    values = sorted(values)
    for start in range(0, len(values), MOST_VALUES):
        part = values[start:start + MOST_VALUES]
        if not select(action, name, map(literal, part)):
            continue
        while len(part) > 1:
            half = part[:len(part) // 2]
            part = half if select(action, name, map(literal, half)) else part[len(half):]
        return part[0]
    return None


class Filters(unittest.TestCase):
    def check(self, action, name):
        """Whether the filter matches anything. Fails when it matches wrongly."""
        everything = select(action, name, ["*"])
        if not everything:
            return False
        known = {text for text in texts(unfiltered(action)) if len(text) < 1000}
        for other in SHOWN_ELSEWHERE.get(action, ()):
            if other in table:
                known |= texts(unfiltered(other))
        value = narrow(action, name, known)
        self.assertIsNotNone(value, "no value of the answers matches")
        by_value = keys(select(action, name, [literal(value)]))
        self.assertLessEqual(by_value, keys(everything))
        self.assertEqual(select(action, name, ["no such value"]), [], "another value matches")
        self.assertEqual(keys(select(action, name, ["no such value", literal(value)])), by_value, "values are alternatives")
        if value:
            self.assertLessEqual(by_value, keys(select(action, name, ["?" + literal(value[1:])])), "?")
            self.assertLessEqual(by_value, keys(select(action, name, [literal(value[:1]) + "*"])), "*")
            self.assertEqual(select(action, name, ["\\*" + literal(value[1:])]), [], "an escaped * is itself")
        return True

    def test_every_documented_filter_matches_what_it_is_about(self):
        silent = {}
        for action in describes():
            for name in MODEL["operations"][action]["filters"]:
                if name.startswith("tag"):
                    continue
                with self.subTest(action=action, filter=name):
                    if not self.check(action, name):
                        silent.setdefault(action, set()).add(name)
        for action in describes():
            with self.subTest(action=action):
                self.assertEqual(silent.get(action, set()) - NOT_HERE.get(action, set()), of_nothing[action],
                                 "filters that match nothing")
        self.assertLessEqual(sum(map(len, of_nothing.values())), MOST_OF_NOTHING)

    def test_undocumented_names_that_clients_send_work_alike(self):
        for action, names in UNDOCUMENTED.items():
            for name in names if action in table else ():
                with self.subTest(action=action, filter=name):
                    self.assertTrue(self.check(action, name))

    def test_tags_are_found_by_key_by_value_and_by_both(self):
        for action in describes():
            if not {"tag", "tag-key"} & set(MODEL["operations"][action]["filters"]) or action == "DescribeTags":
                continue
            with self.subTest(action=action):
                tagged = select(action, "tag-key", ["every"])
                self.assertTrue(tagged, "nothing of the kind has a tag")
                self.assertEqual(keys(select(action, "tag-key", ["eve*"])), keys(tagged))
                self.assertEqual(select(action, "tag-key", ["other"]), [])
                values = {tag.findtext("value") for item in tagged for tag in item.iter("item")
                          if tag.findtext("key") == "every"}
                one = sorted(values)[0]
                self.assertEqual(len(select(action, "tag:every", [one])), 1)
                self.assertEqual(keys(select(action, "tag:every", ["*-" + one.rsplit("-", 1)[1]])),
                                 keys(select(action, "tag:every", [one])))
                self.assertEqual(select(action, "tag:other", [one]), [])
                self.assertEqual(keys(select(action, "tag:every", ["*"])), keys(tagged))

    def test_names_nobody_knows_and_filters_without_values_are_refused(self):
        for action in describes():
            with self.subTest(action=action):
                self.assertEqual(query.code(action, {"Filter.1.Name": "no-such-filter", "Filter.1.Value.1": "x"}),
                                 "InvalidParameterValue")
                known = [n for n in MODEL["operations"][action]["filters"] if n != "tag"][0]
                self.assertEqual(query.code(action, {"Filter.1.Name": known}), "InvalidParameterValue")
                self.assertEqual(query.code(action, {"Filter.1.Name": known.upper(), "Filter.1.Value.1": "x"}),
                                 "InvalidParameterValue")

    def test_filters_must_all_match(self):
        both = {"Filter.1.Name": "vpc-id", "Filter.1.Value.1": world.vpc, "Filter.2.Name": "cidr-block"}
        self.assertEqual(len(items(query("DescribeSubnets", {**both, "Filter.2.Value.1": "10.1.1.0/24"}))), 1)
        self.assertEqual(items(query("DescribeSubnets", {**both, "Filter.2.Value.1": "10.9.0.0/24"})), [])


if __name__ == "__main__":
    harness.main()
