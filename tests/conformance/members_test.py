#!/usr/bin/env python3
"""Members of requests that Virga does not honour: each of them, given beside a request that would succeed, is refused by name.
What is neither refused nor restricted is honoured, and tested where it is honoured."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import raw_query
import samples
from raw_query import MODEL, Refused

# What boto3 needs for a read; writes take their requests from the samples.
READS = {
    "DescribeImageAttribute": lambda w: dict(ImageId=w.own_image, Attribute="description"),
    "DescribeInstanceAttribute": lambda w: dict(InstanceId=w.running, Attribute="instanceType"),
    "DescribeVpcAttribute": lambda w: dict(VpcId=w.vpc, Attribute="enableDnsSupport"),
    "DescribeVolumeAttribute": lambda w: dict(VolumeId=w.volume, Attribute="autoEnableIO"),
    "DescribeNetworkInterfaceAttribute": lambda w: dict(NetworkInterfaceId=w.ec2.describe_network_interfaces()[
        "NetworkInterfaces"][0]["NetworkInterfaceId"]),
    "GetConsoleOutput": lambda w: dict(InstanceId=w.running),
}


def setUpModule():
    harness.require_boto3()
    global virga, world, table, query, rows
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    world = samples.World(virga, virga.account(), virga.import_image())
    table = samples.actions(virga)
    query = raw_query.RawQuery(virga, world.account)
    unittest.addModuleCleanup(query.connection.close)
    rows = refusals(virga.run("api-coverage").stdout)


def refusals(page):
    """Action -> (paths it refuses, path -> the values it takes), from the coverage page."""
    found = {}
    for section in page.split("\n## ")[1:]:
        line = re.search(r"^\* Refused \(UnsupportedOperation\): (.*)$", section, re.M)
        only = {path: re.findall("`([^`]+)`", values) for path, values in re.findall(r"^\* `([^`]+)`: only (.*)$", section, re.M)}
        found[section.split("\n")[0]] = (re.findall("`([^`]+)`", line.group(1)) if line else [], only)
    return found


def shape(name):
    return MODEL["shapes"][name]


def step(structure, name):
    """The member of that name and how Query spells it."""
    for member, facts in structure["members"].items():
        query_name = facts.get("query", member)
        if name in (member, query_name):
            return query_name, facts["shape"]
    raise KeyError(name)


def places(action, path):
    """(parameter name, kind of value) for every scalar at a path: of a list its first element, of a structure its members."""
    kind = shape(MODEL["operations"][action]["input"])
    spelled = []
    for name in path.split("."):
        word, shape_name = step(kind, name)
        spelled.append(word)
        kind = shape(shape_name)
        while kind["type"] == "list":
            spelled.append("1")
            kind = shape(kind["member"] if isinstance(kind["member"], str) else kind["member"]["shape"])
    return list(scalars(".".join(spelled), kind, 0))


def scalars(prefix, kind, depth):
    if kind["type"] == "list":
        yield from scalars(prefix + ".1", shape(kind["member"] if isinstance(kind["member"], str) else kind["member"]["shape"]), depth)
    elif kind["type"] == "structure":
        if depth < 3:
            for member in kind["members"]:
                word, name = step(kind, member)
                yield from scalars(prefix + "." + word, shape(name), depth + 1)
    else:
        yield prefix, kind


def value_for(kind, unlike=()):
    """A value of the kind that is none of those."""
    candidates = {"boolean": ["true", "false"], "integer": ["1", "2"], "long": ["1", "2"], "float": ["1.5"], "double": ["1.5"],
                  "timestamp": ["2030-01-01T00:00:00Z"], "blob": ["eHg="]}.get(kind["type"], kind.get("enum") or ["x-1", "x-2"])
    return next((c for c in candidates if c not in unlike), None)


class Members(unittest.TestCase):
    def base(self, action):
        arguments = world.samples().get(action) or READS.get(action, lambda w: {})(world)
        return raw_query.wire(world.ec2, action, arguments)

    def refused(self, action, extra):
        request = self.base(action)
        if table[action][1]:
            request["DryRun"] = "true"
        request.update(extra)
        with self.assertRaises(Refused) as answer:
            query(action, request)
        return answer.exception

    def test_each_member_that_is_not_honoured_is_refused_by_name(self):
        tried = 0
        for action, (paths, _) in sorted(rows.items()):
            for path in paths:
                for name, kind in places(action, path)[:1]:
                    with self.subTest(action=action, member=path):
                        error = self.refused(action, {name: value_for(kind)})
                        self.assertEqual((error.code, error.status), ("UnsupportedOperation", 400), error.message)
                        self.assertIn(path, error.message)
                        tried += 1
        self.assertGreater(tried, 50)

    def test_each_member_with_one_value_only_refuses_another(self):
        for action, (_, only) in sorted(rows.items()):
            for path, values in only.items():
                for name, kind in places(action, path)[:1]:
                    other = value_for(kind, values)
                    if other is None:
                        continue  # the model knows no other value
                    with self.subTest(action=action, member=path, value=other):
                        error = self.refused(action, {name: other})
                        self.assertEqual(error.code, "UnsupportedOperation", error.message)
                        self.assertIn(path, error.message)

    def test_a_member_that_the_model_does_not_know_is_refused(self):
        for action in sorted(table):
            with self.subTest(action=action):
                self.assertEqual(self.refused(action, {"NoSuchMember": "x"}).code, "UnknownParameter")


if __name__ == "__main__":
    harness.main()
