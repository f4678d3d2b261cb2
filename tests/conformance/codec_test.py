"""The codecs against botocore's own: every request botocore can write is read back equal, and every answer Virga writes
is read by botocore with all its members.

    python3 codec_test.py PATH_OF_CODEC_PROBE
"""
import base64
import datetime
import json
import subprocess
import sys
import unittest

import botocore.awsrequest
import botocore.parsers
import botocore.serialize
import botocore.session

PROBE = sys.argv.pop() if len(sys.argv) > 1 else "codec_probe"
MODEL = botocore.session.get_session().get_service_model("ec2")
TIME = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def sample(shape):
    """A value of the shape with every member, and what Virga's JSON says of it."""
    kind = shape.type_name
    if kind == "structure":
        pairs = {name: sample(member) for name, member in shape.members.items()}
        return {k: v[0] for k, v in pairs.items()}, {k: v[1] for k, v in pairs.items()}
    if kind == "list":
        value, wire = sample(shape.member)
        return [value, value], [wire, wire]
    if kind == "timestamp":
        return TIME, "2030-01-02T03:04:05.000Z"
    if kind == "blob":
        return b"\x00\xff", base64.b64encode(b"\x00\xff").decode()
    if kind == "boolean":
        return True, True
    if kind in ("integer", "long"):
        value = max(7, shape.metadata.get("min", 7))
        return value, value
    if kind in ("float", "double"):
        return 2.5, 2.5
    if "enum" in shape.metadata:
        return shape.enum[0], shape.enum[0]
    text = "a+b %&=\u00fc\U0001f600".ljust(shape.metadata.get("min", 0), "x")
    return text, text


def same(case, parsed, wire, path):
    """A parsed answer has every member of the JSON, and no other."""
    if isinstance(wire, dict):
        case.assertEqual(sorted(parsed), sorted(wire), path)
        for name in wire:
            same(case, parsed[name], wire[name], path + "." + name)
    elif isinstance(wire, list):
        case.assertEqual(len(parsed), len(wire), path)
        for index, element in enumerate(wire):
            same(case, parsed[index], element, "%s[%d]" % (path, index))
    elif isinstance(parsed, datetime.datetime):
        case.assertEqual(parsed.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (parsed.microsecond // 1000), wire, path)
    elif isinstance(parsed, bytes):
        case.assertEqual(parsed, base64.b64decode(wire), path)
    else:
        case.assertEqual(parsed, wire, path)


def probe(mode, text=""):
    done = subprocess.run([PROBE, mode], input=text.encode(), stdout=subprocess.PIPE, check=True, timeout=300)
    return done.stdout.decode().splitlines()


class Codec(unittest.TestCase):
    maxDiff = 2000

    def test_requests_of_every_action_are_read_back(self):
        serializer = botocore.serialize.create_serializer("ec2", include_validation=False)
        operations = [line.split("\t")[0] for line in probe("answers")]
        lines, wanted = [], []
        for name in operations:
            operation = MODEL.operation_model(name)
            value, wire = sample(operation.input_shape)
            request = serializer.serialize_to_request(value, operation)
            body = botocore.awsrequest.AWSRequest(method="POST", url="http://h/", data=request["body"]).prepare().body
            lines.append("%s %s" % (name, body.decode() if isinstance(body, bytes) else body))
            wanted.append(wire)
        self.assertGreater(len(operations), 100)
        for name, got, wire in zip(operations, probe("requests", "\n".join(lines) + "\n"), wanted):
            with self.subTest(action=name):
                self.assertFalse(got.startswith("error "), got)
                same(self, json.loads(got), wire, name)

    def test_answers_of_every_action_are_understood(self):
        parser = botocore.parsers.create_parser("ec2")
        for line in probe("answers"):
            name, text, xml = line.split("\t")
            with self.subTest(action=name):
                shape = MODEL.operation_model(name).output_shape
                parsed = parser.parse({"status_code": 200, "headers": {}, "body": xml.encode()}, shape)
                self.assertEqual(parsed.pop("ResponseMetadata")["RequestId"], "r-1")
                same(self, parsed, json.loads(text), name)


if __name__ == "__main__":
    unittest.main()
