#!/usr/bin/env python3
"""Threats that concern every action alike: who may call it, what an error tells, where a secret shows."""
import http.client
import json
import os
import socket
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import samples
from harness import error_code, wait_for


def setUpModule():
    harness.require_boto3()
    global virga, world, table, reader, stranger
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    world = samples.World(virga, virga.account(), virga.import_image())
    table = samples.actions(virga)
    reader, stranger = virga.reader(world.account), virga.account("stranger")


def ask(action, parameters, account=None, dialect="query", headers=()):
    """One request in either dialect, signed by the account or not at all: (status, body)."""
    if dialect == "json":
        path, body, kind = "/api/v1/" + action, json.dumps(parameters), "application/json"
    else:
        path, kind = "/", "application/x-www-form-urlencoded; charset=utf-8"
        body = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **parameters})
    sent = {"Content-Type": kind, **dict(headers)}
    if account:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        request = AWSRequest("POST", virga.endpoint + path, data=body, headers=sent)
        SigV4Auth(Credentials(account.access, account.secret), "ec2", "us-east-1").add_auth(request)
        sent = dict(request.headers)
    connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=30)
    try:
        connection.request("POST", path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def code_of(text):
    if text.startswith("{"):
        return json.loads(text).get("code")
    return text.split("<Code>")[1].split("</Code>")[0] if "<Code>" in text else None


DIALECTS = ("query", "json")


# Actions that answer for each item by itself, and where an answer tells what it could not do.
ITEM_BY_ITEM = {"ModifyInstanceCreditSpecification": "UnsuccessfulInstanceCreditSpecifications"}


class Threat_B03_EveryActionAsksWhoCalls(unittest.TestCase):
    def test_without_credentials_there_is_no_action(self):
        for action in table:
            for dialect in DIALECTS:
                with self.subTest(action=action, dialect=dialect):
                    self.assertEqual(ask(action, {}, dialect=dialect)[0], 403)
                    self.assertEqual(code_of(ask(action, {}, dialect=dialect)[1]), "MissingAuthenticationToken")

    def test_who_may_read_changes_nothing_by_any_action(self):
        for action, (access, _) in table.items():
            for dialect in DIALECTS:
                with self.subTest(action=action, dialect=dialect):
                    status, text = ask(action, {}, reader, dialect)
                    if access == "write":
                        self.assertEqual((status, code_of(text)), (403, "UnauthorizedOperation"))
                    else:
                        self.assertNotEqual(code_of(text), "UnauthorizedOperation")
                        self.assertLess(status, 500, text)

    def test_only_reading_is_called_reading(self):
        for action, (access, _) in table.items():
            self.assertEqual(access == "read", action.startswith(("Describe", "Get")), action)

    def test_another_account_reaches_nothing_by_any_action(self):
        values = [v for value in vars(world).values() for v in (value if isinstance(value, tuple) else (value,))]
        ids = {v for v in values if isinstance(v, str) and "-" in v} - {world.image, world.zone}  # those are public
        client = stranger.client()
        for action, arguments in sorted(world.samples().items()):
            access, dry_run = table.get(action, ("", False))
            if access != "write" or not any(repr(one) in repr(arguments) for one in ids):
                continue
            with self.subTest(action=action):
                call = getattr(client, harness.method_of(action))
                if action in ITEM_BY_ITEM:
                    answer = call(**arguments)
                    refused = answer.pop(ITEM_BY_ITEM[action])
                    self.assertRegex(refused[0]["Error"]["Code"], r"NotFound$")
                    self.assertFalse([items for items in answer.values() if isinstance(items, list) and items], answer)
                    continue
                code = error_code(call, **arguments, **({"DryRun": True} if dry_run else {}))
                self.assertRegex(str(code), r"NotFound$|^InvalidID$|^InvalidGatewayID")


class Threat_B07_ErrorsTellNothingOfTheMachine(unittest.TestCase):
    WORDS = ("/tmp/", "/var/", "/run/", "SELECT ", "INSERT ", "sqlite", "libvirt", "qemu", "errno", "std::",
             "exception", "virga.db", "host.sock")

    def expect_nothing_inside(self, text):
        for word in self.WORDS:
            self.assertNotIn(word.lower(), text.lower())

    def fault(self, **fault):
        with socket.socket(socket.AF_UNIX) as host:
            host.connect(os.path.join(virga.home, "run", "host", "host.sock"))
            body = json.dumps(fault)
            host.sendall(("POST /v1/simulate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nConnection: close\r\n"
                          "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
            self.assertIn(b" 204 ", host.recv(65536).split(b"\r\n")[0])

    def test_faults_of_every_adapter_show_as_ec2s_words_only(self):
        account = virga.account("unlucky")
        unlucky = account.client()
        for adapter in ("@hypervisor", "@network", "@storage", "*"):
            self.fault(fault="fail", object=adapter, count=20)
        instance = unlucky.run_instances(ImageId=world.image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]
        volume = unlucky.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        console = lambda: ask("GetConsoleOutput", {"InstanceId": instance["InstanceId"]}, account)

        def everything():
            shown = [ask(action, {}, account)[1] for action, (access, _) in table.items()
                     if access == "read" and action.startswith("Describe") and not action.endswith("Attribute")]
            return shown + [console()[1]]
        for text in everything():
            self.expect_nothing_inside(text)
        wait_for("the volume, in spite of all", lambda: unlucky.describe_volumes(
            VolumeIds=[volume])["Volumes"][0]["State"] == "available", 120)
        for text in everything():
            self.expect_nothing_inside(text)

    def test_a_host_that_is_gone_shows_as_unavailable(self):
        virga.kill("host")
        try:
            status, text = ask("GetConsoleOutput", {"InstanceId": world.running}, world.account)
            self.assertEqual((status, code_of(text)), (503, "Unavailable"))
            self.expect_nothing_inside(text)
        finally:
            virga.start_role("host")
            virga.wait_ready()


class Threat_H03_SecretsShowNowhere(unittest.TestCase):
    def test_secrets_put_through_every_door_do_not_show(self):
        ec2 = world.ec2
        canary = virga.plant("user data", "canary-user-data-5f1c9a")
        ec2.run_instances(ImageId=world.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=world.subnet,
                          UserData=canary)
        for kind in ("rsa", "ed25519"):
            material = ec2.create_key_pair(KeyName="canary-" + kind, KeyType=kind)["KeyMaterial"].splitlines()
            virga.plant("a private key (%s)" % kind, material[len(material) // 2])
        virga.plant("the reader's secret key", reader.secret)
        secret = virga.plant("a secret in the wrong place", "canary-password-77b0d1e2")
        # Errors and refusals are where values reach a log.
        for parameters in ({"Password": secret}, {"VpcId.1": secret}, {"Filter.1.Name": secret, "Filter.1.Value.1": secret},
                           {"NextToken": secret}, {"MaxResults": secret}):
            self.assertEqual(ask("DescribeVpcs", parameters, world.account)[0], 400)
        ask(secret, {}, world.account)
        for wrong in ("AWS4-HMAC-SHA256 Credential=%s/20261122/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00",
                      "Bearer %s", "Basic %s", "%s"):
            self.assertIn(ask("DescribeVpcs", {}, headers=[("Authorization", wrong % secret)])[0], (400, 401, 403))
        ask("DescribeVpcs", {}, headers=[("X-Amz-Security-Token", secret), ("Cookie", "session=" + secret)])
        virga.kill("host")
        try:
            ask("GetConsoleOutput", {"InstanceId": world.running}, world.account)
        finally:
            virga.start_role("host")
            virga.wait_ready()
        virga.assert_no_secret_shows()

    def test_the_search_finds_what_it_looks_for(self):
        virga.plant("a planted leak", "canary-leak-0c4e")
        try:
            with open(os.path.join(virga.home, "leak.log"), "w") as log:
                log.write("a line with canary-leak-0c4e in it\n")
            with self.assertRaisesRegex(AssertionError, "a planted leak shows in leak.log"):
                virga.assert_no_secret_shows()
        finally:
            del virga.secrets["a planted leak"]
            os.remove(os.path.join(virga.home, "leak.log"))


if __name__ == "__main__":
    harness.main()
