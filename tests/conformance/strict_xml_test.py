#!/usr/bin/env python3
"""Every answer of a run against the model, by a decoder that forgives nothing; and that decoder itself."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import samples
import strict_xml

ID = "01234567-89ab-cdef-0123-456789abcdef"


def describe_vpcs(vpc, request_id=ID, root="DescribeVpcsResponse"):
    return '<%s xmlns="%s"><requestId>%s</requestId><vpcSet>%s</vpcSet></%s>' % (
        root, strict_xml.NAMESPACE[1:-1], request_id, vpc, root)


class Decoder(unittest.TestCase):
    def test_what_is_right_is_read(self):
        read = strict_xml.check("DescribeVpcs", 200, describe_vpcs(
            "<item><vpcId>vpc-1</vpcId><isDefault>true</isDefault><state>available</state><tagSet/></item>"))
        self.assertEqual(read["vpcSet"], [{"vpcId": "vpc-1", "isDefault": "true", "state": "available", "tagSet": []}])

    def test_what_is_wrong_is_not(self):
        wrong = {"a member nobody knows": describe_vpcs("<item><vpcid>vpc-1</vpcid></item>"),
                 "a member twice": describe_vpcs("<item><vpcId>a</vpcId><vpcId>a</vpcId></item>"),
                 "another name for items": describe_vpcs("<member><vpcId>a</vpcId></member>"),
                 "items without a list": describe_vpcs("<vpcId>a</vpcId>"),
                 "a boolean in capitals": describe_vpcs("<item><isDefault>True</isDefault></item>"),
                 "an empty boolean": describe_vpcs("<item><isDefault/></item>"),
                 "a value nobody knows": describe_vpcs("<item><state>ready</state></item>"),
                 "text in a structure": describe_vpcs("<item>a</item>"),
                 "a structure in a scalar": describe_vpcs("<item><vpcId><a/></vpcId></item>"),
                 "an attribute": describe_vpcs('<item a="b"/>'),
                 "no request id": describe_vpcs("", request_id=""),
                 "another root": describe_vpcs("", root="DescribeSubnetsResponse"),
                 "no namespace": "<DescribeVpcsResponse><requestId>%s</requestId></DescribeVpcsResponse>" % ID,
                 "no XML": "{}"}
        for what, body in wrong.items():
            with self.subTest(what):
                self.assertRaises(strict_xml.Wrong, strict_xml.check, "DescribeVpcs", 200, body)

    def test_numbers_times_and_bytes_have_one_form(self):
        for kind, right, wrong in (("integer", ("0", "-1", "2147483647"), ("", "01", "+1", "1.0", "2147483648", " 1")),
                                   ("long", ("2147483648",), ("9223372036854775808",)),
                                   ("double", ("2.5", "0"), ("", "two")),
                                   ("timestamp", ("2030-01-02T03:04:05.000Z", "2030-01-02T03:04:05Z"),
                                    ("", "2030-01-02", "2030-13-02T03:04:05.000Z", "2030-01-02T03:04:05+00:00", "1900000000")),
                                   ("blob", ("AP8=",), ("AP8", "*"))):
            for text in right:
                strict_xml.scalar("here", kind, text)
            for text in wrong:
                with self.subTest(kind=kind, text=text):
                    self.assertRaises(strict_xml.Wrong, strict_xml.scalar, "here", kind, text)

    def test_errors_have_one_form(self):
        right = "<Response><Errors><Error><Code>A</Code><Message>b</Message></Error></Errors><RequestID>%s</RequestID></Response>"
        self.assertEqual(strict_xml.check("DescribeVpcs", 400, right % ID)["Code"], "A")
        for wrong in (right % "", (right % ID).replace("b</M", "</M"), (right % ID).replace("RequestID", "RequestId")):
            self.assertRaises(strict_xml.Wrong, strict_xml.check, "DescribeVpcs", 400, wrong)


# Arguments of the reading actions that need some.
def reads(world):
    return {"DescribeAddressesAttribute": dict(Attribute="domain-name"),
            "DescribeInstanceAttribute": dict(InstanceId=world.running, Attribute="instanceType"),
            "DescribeImageAttribute": dict(ImageId=world.image, Attribute="description"),
            "DescribeNetworkInterfaceAttribute": dict(
                NetworkInterfaceId=world.ec2.describe_network_interfaces()["NetworkInterfaces"][0]["NetworkInterfaceId"],
                Attribute="description"),
            "DescribeVolumeAttribute": dict(VolumeId=world.volume, Attribute="autoEnableIO"),
            "DescribeVpcAttribute": dict(VpcId=world.vpc, Attribute="enableDnsSupport"),
            "GetConsoleOutput": dict(InstanceId=world.running),
            "GetInstanceUefiData": dict(InstanceId=world.running),
            "GetPasswordData": dict(InstanceId=world.running)}


# What would find another's sample done before, and what ends the objects of others, has a world of its own.
APART = ("ImportKeyPair", "Delete", "Detach", "Deregister", "Disassociate", "Release", "Reset", "Revoke", "Terminate")


class Answers(unittest.TestCase):
    """The harness checks every answer that boto3 gets; here every action is sure to have given a good one."""

    def test_every_answer_of_every_action_is_of_the_model(self):
        harness.require_boto3()
        with harness.Installation(simulate=True) as virga:
            image, table = virga.import_image(), samples.actions(virga)
            for name, apart in (("default", False), ("other", True)):
                world = samples.World(virga, virga.account(name), image)
                arguments = {**reads(world), **world.samples()}
                # What is reset must still be there.
                order = lambda a: (table[a][0], not a.startswith("Reset"), a)
                for action in sorted((a for a in table if a.startswith(APART) == apart), key=order):
                    with self.subTest(action=action):
                        before = harness.checked_answers[action, True]
                        getattr(world.ec2, harness.method_of(action))(**arguments.get(action, {}))
                        self.assertGreater(harness.checked_answers[action, True], before)


if __name__ == "__main__":
    harness.main()
