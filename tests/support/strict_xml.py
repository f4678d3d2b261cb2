"""Reads EC2's XML answers by the model and forgives nothing. Parsers of SDKs skip what they do not know and take what comes
twice or misspelt; what one of them overlooks another one dies of, so every answer must hold here.

    check("DescribeVpcs", 200, body)      # raises Wrong, which says where and why
"""
import base64
import binascii
import datetime
import functools
import json
import os
import re
import xml.etree.ElementTree as ElementTree

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "api", "model", "shapes.json")
NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
STS_NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"
# What STS answers: element -> the one it is in.
IDENTITY = {"GetCallerIdentityResponse": None, "GetCallerIdentityResult": "GetCallerIdentityResponse",
            "ResponseMetadata": "GetCallerIdentityResponse", "RequestId": "ResponseMetadata",
            "Arn": "GetCallerIdentityResult", "UserId": "GetCallerIdentityResult", "Account": "GetCallerIdentityResult"}
IDENTITY_ERROR = {"ErrorResponse": None, "Error": "ErrorResponse", "RequestId": "ErrorResponse",
                  "Type": "Error", "Code": "Error", "Message": "Error"}
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
BITS = {"integer": 32, "long": 64}

# What EC2 answers although the model does not say so.
BEYOND_THE_MODEL = {"InternetGatewayAttachment.state": "available"}


class Wrong(AssertionError):
    pass


@functools.lru_cache(maxsize=None)
def model():
    with open(MODEL) as file:
        return json.load(file)


def check(action, status, body):
    """Whole answer of an EC2 action, or of any refused request."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as why:
        raise Wrong("%s: not XML: %s" % (action, why))
    for element in root.iter():
        if element.attrib:
            raise Wrong("%s: <%s> has attributes" % (action, element.tag))
    if status >= 300:
        return error(action, root)
    return answer(action, root)


def answer(action, root):
    if root.tag != NAMESPACE + action + "Response":
        raise Wrong("%s: the root is <%s>" % (action, root.tag))
    members = {"requestId": "request id"}
    output = model()["operations"][action]["output"]
    if output is None:
        members["return"] = "success"
    else:
        members.update({m["xml"]: m["shape"] for m in model()["shapes"][output]["members"].values()})
    return structure(action, root, members, required=("requestId",) if output else ("requestId", "return"))


def error(action, root):
    """<Response><Errors><Error><Code/><Message/></Error></Errors><RequestID/></Response>, without a namespace."""
    shape = [e.tag for e in root.iter()]
    if shape != ["Response", "Errors", "Error", "Code", "Message", "RequestID"]:
        raise Wrong("%s: an error of the form %s" % (action, shape))
    for name in ("Errors/Error/Code", "Errors/Error/Message", "RequestID"):
        if not root.findtext(name).strip():
            raise Wrong("%s: an error without %s" % (action, name))
    scalar(action + ".RequestID", "request id", root.findtext("RequestID"))
    return {"Code": root.findtext("Errors/Error/Code")}


def check_identity(status, body):
    """Whole answer of STS, which is of the AWS query protocol: a GetCallerIdentity, or any refused request."""
    root = ElementTree.fromstring(body)
    names = [e.tag for e in root.iter()]
    known = IDENTITY if status < 300 else IDENTITY_ERROR
    if sorted(names) != sorted(STS_NAMESPACE + name for name in known) or any(e.attrib for e in root.iter()):
        raise Wrong("STS: an answer of the form %s" % names)
    facts = {e.tag[len(STS_NAMESPACE):]: e.text for e in root.iter() if not len(e)}
    if not all(facts.values()):
        raise Wrong("STS: something is empty: %s" % facts)
    parents = {child.tag: parent.tag for parent in root.iter() for child in parent}
    for name, parent in (IDENTITY if status < 300 else IDENTITY_ERROR).items():
        if parents.get(STS_NAMESPACE + name) != (parent and STS_NAMESPACE + parent):
            raise Wrong("STS: <%s> is not in <%s>" % (name, parent))
    scalar("STS.RequestId", "request id", facts.pop("RequestId"))
    return facts


def structure(path, element, members, required=(), name=""):
    """Member name on the wire -> value; members is name on the wire -> shape."""
    if (element.text or "").strip():
        raise Wrong("%s: text in a structure" % path)
    found = {}
    for child in element:
        member = child.tag[len(NAMESPACE):]
        if not child.tag.startswith(NAMESPACE) or member not in members:
            raise Wrong("%s: <%s> is not of the model" % (path, child.tag))
        if member in found:
            raise Wrong("%s: <%s> stands there twice" % (path, member))
        if (child.tail or "").strip():
            raise Wrong("%s: text after <%s>" % (path, member))
        if child.text and child.text == BEYOND_THE_MODEL.get("%s.%s" % (name, member)):
            found[member] = child.text
        else:
            found[member] = value("%s.%s" % (path, member), members[member], child)
    for member in required:
        if member not in found:
            raise Wrong("%s: no <%s>" % (path, member))
    return found


def value(path, shape_name, element):
    shape = model()["shapes"].get(shape_name, {"type": shape_name})
    if shape["type"] == "structure":
        return structure(path, element, {m["xml"]: m["shape"] for m in shape["members"].values()}, name=shape_name)
    if shape["type"] == "list":
        if (element.text or "").strip():
            raise Wrong("%s: text in a list" % path)
        for child in element:
            if child.tag != NAMESPACE + shape["item"] or (child.tail or "").strip():
                raise Wrong("%s: <%s> in a list of <%s>" % (path, child.tag, shape["item"]))
        return [value("%s[%d]" % (path, i), shape["member"], child) for i, child in enumerate(element)]
    if len(element):
        raise Wrong("%s: elements in a scalar" % path)
    text = element.text or ""
    if shape.get("enum", "open") != "open" and text not in shape["enum"]:
        raise Wrong("%s: '%s' is not of the enumeration" % (path, text))
    return scalar(path, shape["type"], text)


def scalar(path, kind, text):
    try:
        return SCALARS[kind](kind, text)
    except (ValueError, binascii.Error):
        raise Wrong("%s: '%s' is not of type %s" % (path, text, kind)) from None


def matching(pattern):
    def read(_, text):
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text
    return read


def integer(kind, text):
    if not re.fullmatch(r"0|-?[1-9]\d*", text) or not -(1 << BITS[kind] - 1) <= int(text) < 1 << BITS[kind] - 1:
        raise ValueError
    return int(text)


def time(_, text):
    if not TIME.fullmatch(text):
        raise ValueError
    return datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")


SCALARS = {
    "string": lambda _, text: text,
    "boolean": matching("true|false"),
    "success": matching("true"),
    "request id": matching(REQUEST_ID),
    "integer": integer,
    "long": integer,
    "float": lambda _, text: float(text),
    "double": lambda _, text: float(text),
    "timestamp": time,
    "blob": lambda _, text: base64.b64decode(text, validate=True),
}
