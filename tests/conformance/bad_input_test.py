#!/usr/bin/env python3
"""Bad input: EC2's error or a closed connection; the daemon keeps serving and its memory stays bounded."""
import datetime
import http.client
import os
import resource
import socket
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness


def setUpModule():
    harness.require_boto3()
    global virga, account
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()


def signed(parameters, secret=None, access=None, region="us-east-1", service="ec2", when=None, body=None):
    """A signed POST as botocore makes it: (headers, body)."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    body = body if body is not None else urllib.parse.urlencode({"Version": "2016-11-15", **parameters})
    request = AWSRequest("POST", virga.endpoint + "/", data=body,
                         headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    signer = SigV4Auth(Credentials(access or account.access, secret or account.secret), service, region)
    if when is None:
        signer.add_auth(request)
    else:
        import botocore.auth

        class Fixed(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return when
        module, botocore.auth.datetime = botocore.auth.datetime, type("d", (), {"datetime": Fixed})
        current = getattr(botocore.auth, "get_current_datetime", None)
        if current:
            botocore.auth.get_current_datetime = lambda *a, **k: when
        try:
            signer.add_auth(request)
        finally:
            botocore.auth.datetime = module
            if current:
                botocore.auth.get_current_datetime = current
    return dict(request.headers), body


def post(headers, body, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=30)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def code_of(text):
    return text.split("<Code>")[1].split("</Code>")[0] if "<Code>" in text else None


def control_memory_mib():
    with open("/proc/%d/status" % virga.processes["control"].pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


class BadInput(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(post(*signed({"Action": "DescribeRegions"}))[0], 200, "the daemon serves on")

    def test_a_good_request_is_served(self):
        status, text = post(*signed({"Action": "DescribeRegions"}))
        self.assertEqual(status, 200, text)
        self.assertIn("<regionName>us-east-1</regionName>", text)

    def test_wrong_secret_unknown_key_and_no_signature(self):
        status, wrong = post(*signed({"Action": "DescribeRegions"}, secret="x" * 40))
        self.assertEqual((status, code_of(wrong)), (401, "AuthFailure"))
        status, unknown = post(*signed({"Action": "DescribeRegions"}, access="AKIAAAAAAAAAAAAAAAAA"))
        self.assertEqual((status, code_of(unknown)), (401, "AuthFailure"))
        strip = lambda text: text.split("<RequestID>")[0]
        self.assertEqual(strip(wrong), strip(unknown))
        self.assertEqual(code_of(post({"Content-Type": "application/x-www-form-urlencoded"}, "Action=DescribeRegions")[1]),
                         "MissingAuthenticationToken")

    def test_Threat_A01_old_and_future_dates_are_refused(self):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        for seconds, accepted in ((-600, False), (-200, True), (200, True), (600, False)):
            status, text = post(*signed({"Action": "DescribeRegions"}, when=now + datetime.timedelta(seconds=seconds)))
            self.assertEqual(status == 200, accepted, (seconds, text))

    def test_Threat_A03_a_changed_body_is_refused(self):
        headers, body = signed({"Action": "DescribeRegions"})
        self.assertEqual(post(headers, body.replace("DescribeRegions", "DescribeVpcs   "[:15]))[0], 401)

    def test_Threat_A04_a_signature_for_another_service_or_region_is_refused(self):
        for scope in ({"service": "s3"}, {"region": "eu-west-1"}):
            self.assertIn(post(*signed({"Action": "DescribeRegions"}, **scope))[0], (401, 403))

    def test_Threat_A08_a_disabled_key_stops_working_at_once(self):
        other = virga.account("disabled")
        ask = lambda: post(*signed({"Action": "DescribeRegions"}, access=other.access, secret=other.secret))[0]
        self.assertEqual(ask(), 200)
        virga.run("key", "disable", other.access, "--account", "disabled")
        self.assertEqual(ask(), 401)
        virga.run("key", "enable", other.access, "--account", "disabled")
        self.assertEqual(ask(), 200)
        virga.run("key", "delete", other.access, "--account", "disabled")
        self.assertEqual(ask(), 401)

    def test_unknown_and_unimplemented_actions(self):
        for action in ("NoSuchAction", "CreateTransitGateway", "CreateFleet"):
            self.assertEqual(post(*signed({"Action": action}))[0], 400)
            self.assertEqual(code_of(post(*signed({"Action": action}))[1]), "InvalidAction")
        self.assertEqual(code_of(post(*signed({}))[1]), "MissingAction")

    def test_parameters_that_are_wrong(self):
        for parameters, code in (
                ({"Action": "DescribeInstances", "InstanceId.1": "i-xyz"}, "InvalidInstanceID.Malformed"),
                ({"Action": "DescribeInstances", "InstanceIds.1": "i-12345678"}, "UnknownParameter"),
                ({"Action": "DescribeInstances", "Colour": "red"}, "UnknownParameter"),
                ({"Action": "DescribeInstances", "MaxResults": "ten"}, "InvalidParameterValue"),
                ({"Action": "DescribeInstances", "MaxResults": "4"}, "InvalidParameterValue"),
                ({"Action": "DescribeInstances", "MaxResults": "1e3"}, "InvalidParameterValue"),
                ({"Action": "DescribeInstances", "Filter.1.Name": "colour", "Filter.1.Value.1": "red"}, "InvalidParameterValue"),
                ({"Action": "DescribeInstances", "InstanceId.999999999": "i-12345678"}, "InvalidParameterValue"),
                ({"Action": "RunInstances", "MinCount": "1"}, "MissingParameter"),
                ({"Action": "CreateVpc", "CidrBlock": "10.0.0.0/33"}, "InvalidParameterValue"),
                ({"Action": "CreateVpc", "CidrBlock": "10.0.0.0/16", "InstanceTenancy": "moon"}, "InvalidParameterValue"),
                ({"Action": "CreateTags", "ResourceId.1": "vpc-1", "Tag.1.Key": "a\u0001b"}, "InvalidParameterValue")):
            with self.subTest(parameters=parameters):
                status, text = post(*signed(parameters))
                self.assertEqual((status, code_of(text)), (400, code))

    def test_the_length_of_an_image_s_name_has_a_code_of_its_own(self):
        image = virga.import_image()
        for name in ("ab", "a" * 129):  # boto3 would refuse them by itself, others do not
            text = post(*signed({"Action": "RegisterImage", "Name": name, "ImageLocation": image}))[1]
            self.assertEqual(code_of(text), "InvalidAMIName.Malformed", name)

    def test_Threat_A06_a_parameter_given_twice_is_refused(self):
        status, text = post(*signed({}, body="Action=DescribeRegions&Action=DescribeVpcs&Version=2016-11-15"))
        self.assertEqual(status, 400, text)

    def test_oversized_bodies_are_refused(self):
        try:
            status, _ = post(*signed({}, body="Action=DescribeRegions&Version=2016-11-15&x=" + "a" * (2 << 20)))
            self.assertEqual(status, 413)
        except (ConnectionError, http.client.HTTPException):
            pass  # closed while we were still sending

    def test_half_a_request_then_silence_or_the_end(self):
        for piece in (b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf"):
            with socket.create_connection(("127.0.0.1", virga.port)) as half:
                half.sendall(piece)

    def test_Threat_C05_framing_that_is_wrong(self):
        for request in (b"GET / HTTP/1.1\nHost: x\n\n",
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10,
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"):
            with self.subTest(request=request[:40]), socket.create_connection(("127.0.0.1", virga.port), timeout=20) as bad:
                bad.sendall(request)
                answer = b""
                try:
                    answer = bad.recv(4096)
                except ConnectionResetError:
                    pass
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:80])

    def test_ten_thousand_idle_connections(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 11000:
            self.skipTest("skipped: only %d open files are allowed" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (11000, hard))
        idle = []
        try:
            for _ in range(10000):
                idle.append(socket.create_connection(("127.0.0.1", virga.port), timeout=30))
            self.assertEqual(post(*signed({"Action": "DescribeRegions"}))[0], 200)
            self.assertLess(control_memory_mib(), 400)
        finally:
            for connection in idle:
                connection.close()

    def test_Threat_C04_many_large_bodies_at_once_hold_a_bounded_memory(self):
        start = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (1 << 20)
        before = control_memory_mib()
        holders = []
        try:
            for _ in range(300):  # 300 MiB in all, each a byte short of its end
                holder = socket.create_connection(("127.0.0.1", virga.port), timeout=30)
                holders.append(holder)
                try:
                    holder.sendall(start + b"x" * ((1 << 20) - 1))
                except ConnectionError:
                    pass  # refused while we were still sending
            self.assertLess(control_memory_mib() - before, 64 + 32)
            self.assertEqual(post(*signed({"Action": "DescribeRegions"}))[0], 200, "small calls are served meanwhile")
        finally:
            for holder in holders:
                holder.close()
        description = "Action=DescribeRegions&Version=2016-11-15&x=" + "a" * 900_000
        harness.wait_for("what was held is given back",
                         lambda: post(*signed({}, body=description))[0] == 400, seconds=10)

    def test_Threat_C07_random_paths_leave_nothing(self):
        for number in range(300):
            status, text = post({}, "", "/no/such/<b>path%d" % number)
            self.assertEqual(status, 404)
            self.assertNotIn("path%d" % number, text)


if __name__ == "__main__":
    harness.main()
