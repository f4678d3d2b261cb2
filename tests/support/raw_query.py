"""The Query API without boto3's help: parameters as they go over the wire, answers as they come."""
import http.client
import json
import os
import urllib.parse
import xml.etree.ElementTree as ET

import harness

with open(os.path.join(harness.ROOT, "api", "model", "shapes.json")) as _file:
    MODEL = json.load(_file)


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__("%d %s: %s" % (status, code, message))
        self.status, self.code, self.message = status, code, message


class RawQuery:
    """Signed Query requests of one account over one connection."""

    def __init__(self, virga, account):
        from botocore.auth import SigV4Auth
        from botocore.credentials import Credentials
        self.virga = virga
        self.signer = SigV4Auth(Credentials(account.access, account.secret), "ec2", "us-east-1")
        self.connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=60)
        self.seen = {}  # error code -> the actions that gave it

    def __call__(self, action, parameters=()):
        """The answer's root element, without namespaces. Raises Refused."""
        from botocore.awsrequest import AWSRequest
        pairs = [("Action", action), ("Version", "2016-11-15"), *(dict(parameters).items())]
        request = AWSRequest("POST", self.virga.endpoint + "/", data=urllib.parse.urlencode(pairs),
                             headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
        self.signer.add_auth(request)
        self.connection.request("POST", "/", request.data, dict(request.headers))
        answer = self.connection.getresponse()
        root = ET.fromstring(answer.read())
        for element in root.iter():
            element.tag = element.tag.rsplit("}", 1)[-1]
        if answer.status != 200:
            code = root.findtext(".//Code")
            self.seen.setdefault(code, set()).add(action)
            raise Refused(answer.status, code, root.findtext(".//Message"))
        return root

    def code(self, action, parameters=()):
        """The error code that a request is answered with; None when it succeeds."""
        try:
            self(action, parameters)
        except Refused as error:
            return error.code
        return None


def wire(client, action, arguments):
    """What boto3 would send for these arguments: name -> value."""
    import botocore.serialize
    operation = client.meta.service_model.operation_model(action)
    body = botocore.serialize.create_serializer("ec2").serialize_to_request(arguments, operation)["body"]
    return {name: value for name, value in body.items() if name not in ("Action", "Version")}


def items(root):
    """The elements of the list that an answer consists of; of DescribeInstances, its instances."""
    found = [item for child in root for item in child.findall("item")]
    if root.tag == "DescribeInstancesResponse":
        return [instance for reservation in found for instance in reservation.find("instancesSet").findall("item")]
    return found


def texts(element):
    """Every text that stands in an element, as filters compare it."""
    return {e.text or "" for e in element.iter() if len(e) == 0}
