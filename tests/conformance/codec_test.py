"""The codecs against botocore's own and against the model, action by action: every request botocore can write is read back
equal, in Query and in JSON, however it numbers its lists; what is wrong in one is refused by name; and every answer is what
it was for botocore's parser, for a decoder that forgives nothing, and in JSON.

    python3 codec_test.py PATH_OF_CODEC_PROBE
"""
import datetime
import json
import os
import re
import subprocess
import sys
import unittest
import urllib.parse
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import strict_xml
from model_values import Draw, plain, pruned, without_empty_lists

import botocore.parsers
import botocore.serialize
import botocore.session

PROBE = sys.argv.pop() if len(sys.argv) > 1 else "codec_probe"
MODEL = botocore.session.get_session().get_service_model("ec2")
STS = botocore.session.get_session().get_service_model("sts")
SHAPES = strict_xml.model()["shapes"]
ACTIONS = sorted(strict_xml.model()["operations"])
SEEDS = range(6)
REQUEST_ID = "01234567-89ab-cdef-0123-456789abcdef"


def probe(mode, lines):
    """What the codecs make of each line "<Action> <text>"."""
    done = subprocess.run([PROBE, mode], input="".join(line + "\n" for line in lines).encode(), stdout=subprocess.PIPE,
                          check=True, timeout=300)
    answers = [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]
    assert len(answers) == len(lines)
    return answers


def pairs_of(action, value):
    """What botocore sends for these arguments, in its order."""
    body = botocore.serialize.create_serializer("ec2", include_validation=False).serialize_to_request(
        value, MODEL.operation_model(action))["body"]
    return [(name, text) for name, text in body.items()]


def line(action, pairs):
    return action + " " + urllib.parse.urlencode(pairs)


def renumbered(pairs, index):
    """The same form with other list indexes: index(1) for the first element and so on."""
    return [(re.sub(r"\.(\d+)(?=\.|$)", lambda n: ".%d" % index(int(n.group(1))), name), value) for name, value in pairs]


def spelled(facts, name):
    return facts.get("query", name)


def kind_of(action, name):
    """The model's shape of a parameter, by its name in Query."""
    shape = SHAPES[strict_xml.model()["operations"][action]["input"]]
    for word in name.split("."):
        if shape["type"] == "list":
            shape = SHAPES[shape["member"]]
        else:
            shape = next(SHAPES[m["shape"]] for n, m in shape["members"].items() if spelled(m, n) == word)
    return shape


BAD = {"integer": ("ten", "1.5", "1e3", "+1", " 1", "0x10", "01", "-", "2147483648", "-2147483649", "99999999999999999999"),
       "long": ("ten", "1.0", "9223372036854775808", "-9223372036854775809"),
       "boolean": ("yes", "1", "0", "tru", "true "),
       "float": ("two", "nan", "inf", "1,5", "1e999", "0x1p3"),
       "double": ("two", "nan", "inf", "1,5", "1e999", "0x1p3"),
       "timestamp": ("yesterday", "2030-13-01T00:00:00Z", "2030-02-30T00:00:00Z", "2030-01-02T25:00:00Z", "1900000000",
                     "2030-01-02T03:04:05", "2030-01-02T03:04:05ZZ"),
       "blob": ("***", "A", "AA=A", "===="),
       "string": ()}


def bad_values(shape):
    values = list(BAD[shape["type"]])
    if shape.get("enum", "open") != "open":
        values += ["no-such-value", shape["enum"][0] + " "]
    if "max" in shape:
        values.append("x" * (shape["max"] + 1) if shape["type"] == "string" else str(shape["max"] + 1))
    if "min" in shape and shape["type"] != "string":
        values.append(str(shape["min"] - 1))
    return values


class Requests(unittest.TestCase):
    maxDiff = 2000

    def drawn(self):
        """(action, arguments, what of them the wire can tell), for every action and seed."""
        for action in ACTIONS:
            shape = MODEL.operation_model(action).input_shape
            for seed in SEEDS:
                value = Draw(seed).request(shape)
                yield action, value, pruned(plain(shape, value)) or {}

    def expect(self, mode, lines, wanted):
        for text, got, right in zip(lines, probe(mode, lines), wanted):
            if (pruned(got) or {}) != right:
                with self.subTest(text[:3000]):
                    self.assertEqual(pruned(got) or {}, right)

    def test_every_request_of_botocore_is_read_back(self):
        lines, wanted = [], []
        for action, value, right in self.drawn():
            lines.append(line(action, pairs_of(action, value)))
            wanted.append(right)
        self.assertGreater(len(lines), 100 * len(SEEDS))
        self.expect("requests", lines, wanted)

    def test_lists_may_begin_at_zero_have_gaps_and_come_in_any_order(self):
        lines, wanted = [], []
        for action, value, right in self.drawn():
            pairs = pairs_of(action, value)
            if any(re.search(r"\.\d", name) for name, _ in pairs):
                for form in (renumbered(pairs, lambda n: n - 1), renumbered(pairs, lambda n: 300 * n + 7), pairs[::-1]):
                    lines.append(line(action, form))
                    wanted.append(right)
        self.assertGreater(len(lines), 500)
        self.expect("requests", lines, wanted)

    def test_every_request_is_read_from_json(self):
        lines, wanted = [], []
        for action, value, right in self.drawn():
            shape = MODEL.operation_model(action).input_shape
            lines.append("%s %s" % (action, json.dumps(plain(shape, value))))
            wanted.append(right)
        self.expect("json", lines, wanted)


class Refusals(unittest.TestCase):
    """Each is made of a good request with every member of which one is wrong."""

    def expect(self, cases):
        """(what, request, codes, the parameter that the message must name)"""
        self.assertTrue(cases)
        for (what, _, code, name), got in zip(cases, probe("requests", [text for _, text, _, _ in cases])):
            if got.get("error") != code or name not in got.get("message", ""):
                with self.subTest(what):
                    self.assertEqual((got.get("error"), name), (code, name), str(got)[:300])
                    self.assertIn(name, got["message"])

    def whole(self):
        for action in ACTIONS:
            yield action, pairs_of(action, Draw(0).request(MODEL.operation_model(action).input_shape))[2:]

    def test_values_that_are_not_of_their_type(self):
        cases = []
        for action, pairs in self.whole():
            for at, (name, _) in enumerate(pairs):
                if re.search(r"\.(?!1\b)\d", name):
                    continue
                for bad in bad_values(kind_of(action, name)):
                    form = pairs[:at] + [(name, bad)] + pairs[at + 1:]
                    cases.append(("%s %s=%s" % (action, name, bad), line(action, form), "InvalidParameterValue", name))
        self.assertGreater(len(cases), 2000)
        self.expect(cases)

    def test_members_nobody_knows(self):
        cases = []
        for action, pairs in self.whole():
            for prefix in {""} | {name[:dot + 1] for name, _ in pairs for dot in range(len(name)) if name[dot] == "."}:
                if re.search(r"\.(?!1\b)\d", prefix):
                    continue
                name = prefix + "noSuchMember"
                cases.append(("%s %s" % (action, name), line(action, pairs + [(name, "x")]), "UnknownParameter", name))
        self.expect(cases)

    def test_a_value_in_place_of_a_structure_or_a_list_and_the_other_way_round(self):
        cases = []
        for action, pairs in self.whole():
            for name, _ in pairs:
                if not re.search(r"\.(?!1\b)\d", name):
                    cases.append(("%s %s.x" % (action, name), line(action, pairs + [(name + ".x", "y")]), "UnknownParameter", name))
            for prefix in {name[:dot] for name, _ in pairs for dot in range(len(name)) if name[dot] == "."}:
                if not re.search(r"\.(?!1\b)\d", prefix):
                    a_list = kind_of(action, prefix)["type"] == "list"
                    cases.append(("%s %s=x" % (action, prefix), line(action, pairs + [(prefix, "x")]),
                                  "InvalidParameterValue" if a_list else "UnknownParameter", prefix))
        self.expect(cases)

    def test_indexes_that_are_none(self):
        cases = []
        for action, pairs in self.whole():
            for prefix in {name[:m.start()] for name, _ in pairs for m in re.finditer(r"\.1(?=\.|$)", name)}:
                if re.search(r"\.(?!1\b)\d", prefix):
                    continue
                for index, code in (("x", "UnknownParameter"), ("01", "UnknownParameter"), ("-0", "UnknownParameter"),
                                    ("+1", "UnknownParameter"), ("-1", "InvalidParameterValue"),
                                    ("1001", "InvalidParameterValue"), ("99999999999999999999", "UnknownParameter")):
                    cases.append(("%s %s.%s" % (action, prefix, index), line(action, pairs + [("%s.%s" % (prefix, index), "x")]),
                                  code, prefix))
        self.expect(cases)

    def test_what_is_required_is_missed(self):
        cases = []
        for action, pairs in self.whole():
            shape = SHAPES[strict_xml.model()["operations"][action]["input"]]
            for member in shape.get("required", ()):
                name = spelled(shape["members"][member], member)
                kept = [(n, v) for n, v in pairs if n.split(".")[0] != name]
                cases.append(("%s without %s" % (action, name), line(action, kept), "MissingParameter", name))
                if (name, dict(pairs).get(name)) in pairs:
                    cases.append(("%s %s=" % (action, name), line(action, kept + [(name, "")]), "MissingParameter", name))
        self.assertGreater(len(cases), 100)
        self.expect(cases)

    def test_a_parameter_given_twice(self):
        cases = []
        for action, pairs in self.whole():
            for name, value in pairs[:5]:
                cases.append(("%s %s twice" % (action, name), line(action, pairs + [(name, value)]), "InvalidParameter", name))
        self.expect(cases)


def same(case, parsed, right, path):
    """What botocore parsed is what was to be said, and nothing else."""
    if isinstance(right, dict):
        case.assertEqual(sorted(parsed), sorted(right), path)
        for name in right:
            same(case, parsed[name], right[name], path + "." + name)
    elif isinstance(right, list):
        case.assertEqual(len(parsed), len(right), path)
        for index, element in enumerate(right):
            same(case, parsed[index], element, "%s[%d]" % (path, index))
    else:
        case.assertEqual(parsed, right, path)


def by_wire_names(shape_name, value):
    """A value of the model under the names that it has in XML."""
    shape = SHAPES.get(shape_name, {"type": shape_name})
    if shape["type"] == "structure":
        return {shape["members"][name]["xml"]: by_wire_names(shape["members"][name]["shape"], member)
                for name, member in value.items()}
    if shape["type"] == "list":
        return [by_wire_names(shape["member"], element) for element in value]
    if shape["type"] == "boolean":
        return "true" if value else "false"
    return value.replace(microsecond=0, tzinfo=None) if isinstance(value, datetime.datetime) else value


class Answers(unittest.TestCase):
    maxDiff = 2000

    def drawn(self):
        for action in ACTIONS:
            shape = MODEL.operation_model(action).output_shape
            for seed in SEEDS:
                yield action, shape, Draw(seed).answer(shape) if shape else {}

    def test_every_answer_is_read_alike_by_botocore_by_the_model_and_from_json(self):
        parser = botocore.parsers.create_parser("ec2")
        drawn = list(self.drawn())
        lines = ["%s %s" % (action, json.dumps(plain(shape, value) if shape else {})) for action, shape, value in drawn]
        for (action, shape, value), got in zip(drawn, probe("answers", lines)):
            with self.subTest(action=action):
                self.assertIsInstance(got, list, got)
                text, xml = got
                value = without_empty_lists(value)
                if shape:
                    self.assertEqual(without_empty_lists(json.loads(text)), plain(shape, value))
                body = xml.replace("r-1", REQUEST_ID, 1).encode()
                parsed = parser.parse({"status_code": 200, "headers": {}, "body": body}, shape)
                self.assertEqual(parsed.pop("ResponseMetadata")["RequestId"], REQUEST_ID)
                same(self, without_empty_lists(parsed), value, action)
                strict = strict_xml.check(action, 200, body)
                self.assertEqual(strict.pop("requestId"), REQUEST_ID)
                if shape is None:
                    self.assertEqual(strict, {"return": "true"})
                    continue
                output = strict_xml.model()["operations"][action]["output"]
                self.assertEqual(without_empty_lists(strict), by_wire_names(output, value))

    def test_lists_are_written_also_when_empty_and_absent_scalars_are_not(self):
        got = probe("answers", ["DescribeVpcs {}", "DescribeVpcs " + json.dumps({"Vpcs": [{}]})])
        self.assertEqual(list(ElementTree.fromstring(got[0][1]).itertext()), ["r-1"])
        self.assertIn("<vpcSet/>", got[0][1])
        self.assertEqual(strict_xml.check("DescribeVpcs", 200, got[1][1].replace("r-1", REQUEST_ID))["vpcSet"],
                         [{"tagSet": [], "cidrBlockAssociationSet": [], "ipv6CidrBlockAssociationSet": []}])

    def test_identity_is_read_alike_by_botocore_and_by_the_model(self):
        shape = STS.operation_model("GetCallerIdentity").output_shape
        parser = botocore.parsers.create_parser("query")
        names = ("user/admin", "user/<b>&\"'", "user/\u00fc\U0001f600")
        wanted = [{"Arn": "arn:aws:iam::123456789012:" + name, "UserId": "AIDA" + name, "Account": "123456789012"} for name in names]
        for right, (answer, error) in zip(wanted, probe("sts", ["GetCallerIdentity " + json.dumps(w) for w in wanted])):
            parsed = parser.parse({"status_code": 200, "headers": {}, "body": answer.encode()}, shape)
            self.assertEqual(parsed.pop("ResponseMetadata")["RequestId"], "r-1")
            self.assertEqual(parsed, right)
            self.assertEqual(strict_xml.check_identity(200, answer.replace("r-1", REQUEST_ID)), right)
            parsed = parser.parse({"status_code": 403, "headers": {}, "body": error.encode()}, shape)
            self.assertEqual(parsed["Error"], {"Type": "Sender", "Code": "Code", "Message": right["Arn"]})
            self.assertEqual(strict_xml.check_identity(403, error.replace("r-1", REQUEST_ID))["Code"], "Code")


if __name__ == "__main__":
    unittest.main()
