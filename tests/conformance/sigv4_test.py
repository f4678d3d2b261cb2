#!/usr/bin/env python3
"""Signature Version 4 over the wire: every form that clients use opens, and nothing that only looks like one does."""
import concurrent.futures
import email.utils
import os
import random
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import sigv4
import strict_xml
from sigv4 import FORM, Line, Signer, now

VERSION = {"ec2": "2016-11-15", "sts": "2011-06-15"}
BODY = b"Action=DescribeRegions&Version=2016-11-15"
ASK = {"Action": "DescribeRegions", "Version": "2016-11-15"}
TYPE = [("Content-Type", FORM)]
AUTHENTICATION = {"AuthFailure", "SignatureDoesNotMatch", "InvalidClientTokenId", "IncompleteSignature", "RequestExpired",
                  "MissingAuthenticationToken"}


def setUpModule():
    harness.require_boto3()
    global virga, account, line
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    line = Line(virga)
    unittest.addModuleCleanup(line.connection.close)


class SigV4(unittest.TestCase):
    def expect(self, request, status, code, what=None):
        got = line(request)
        with self.subTest(what or (request.method, request.query[:200])):
            self.assertEqual(got[:2], (status, code), got[2])
            self.expect_of_the_model(got[0], got[2])
        return got[2]

    def expect_of_the_model(self, status, body):
        """Refusals have one form for each service, and so has the one answer of STS."""
        if strict_xml.STS_NAMESPACE[1:-1] in body:
            strict_xml.check_identity(status, body)
        elif body.startswith("<") and status >= 300 and "<ErrorResponse" not in body:
            strict_xml.check("an answer", status, body)

    def expect_served(self, request, what=None):
        self.assertIn("us-east-1", self.expect(request, 200, None, what))

    def expect_closed(self, request, what):
        """Some refusal of authentication: which one is another test's."""
        status, code, body = line(request)
        with self.subTest(what):
            self.assertIn(code, AUTHENTICATION, body)
            self.assertIn(status, (400, 401, 403))


class WhatClientsSend(SigV4):
    def test_header_form_as_every_family_of_sdk_signs_it(self):
        length = ("Content-Length", str(len(BODY)))
        retry = [("amz-sdk-invocation-id", "5e1f-%d" % random.getrandbits(30)), ("amz-sdk-request", "attempt=1; max=3")]
        digest = ("X-Amz-Content-Sha256", sigv4.hashlib.sha256(BODY).hexdigest())
        for what, headers, unsigned in (
                ("botocore", TYPE + [("User-Agent", "Boto3/1.43")], ("user-agent",)),
                ("Go", TYPE + [length] + retry, ()),
                ("JavaScript", TYPE + [length, digest, ("x-amz-user-agent", "aws-sdk-js/3")] + retry, ()),
                ("Java", TYPE + [digest] + retry, ("content-type",)),
                ("no more than must be", TYPE, ("content-type",)),
                ("blanks in a value", TYPE + [("x-amz-meta", "  a   b \t c ")], ())):
            self.expect_served(Signer(account).by_header("POST", headers, BODY, unsigned=unsigned), what)

    def test_get_and_post_carry_parameters_where_they_like(self):
        query = urllib.parse.urlencode(ASK)
        self.expect_served(Signer(account).by_header("GET", query=query))
        self.expect_served(Signer(account).by_header("POST", query=query))
        self.expect_served(Signer(account).by_header("POST", TYPE, b"Version=2016-11-15", query="Action=DescribeRegions"))
        self.expect_served(Signer(account).presigned("GET", ASK))
        self.expect_served(Signer(account).presigned("POST", ASK))
        hash_of_body = sigv4.hashlib.sha256(BODY).hexdigest()
        self.expect_served(Signer(account).presigned("POST", {}, headers=TYPE, payload_hash=hash_of_body).but(body=BODY))
        self.expect_served(Signer(account).presigned("GET", ASK, headers=[("x-amz-user-agent", "a")], signed=("host", "x-amz-user-agent")))

    def test_a_date_header_serves_alone(self):
        signer = Signer(account)
        for form in (email.utils.format_datetime(signer.when, usegmt=True), signer.date):
            self.expect_served(signer.by_header("POST", TYPE, BODY, date_header=form), form)
            self.expect(signer.by_header("POST", TYPE, BODY, date_header=form).with_header("Date", None), 400, "IncompleteSignature")
        old = Signer(account, when=now(-600))
        self.expect(old.by_header("POST", TYPE, BODY, date_header=email.utils.format_datetime(old.when, usegmt=True)),
                    400, "RequestExpired")
        # The date is of the signature though its header may not be.
        late = email.utils.format_datetime(now(120), usegmt=True)
        made = signer.by_header("POST", TYPE, BODY, date_header=email.utils.format_datetime(signer.when, usegmt=True), unsigned=("date",))
        self.expect_served(made)
        self.expect(made.with_header("Date", late), 401, "AuthFailure")

    def test_urls_that_boto3_presigns(self):
        for service, method, arguments in (("ec2", "describe_regions", {}), ("sts", "get_caller_identity", {}),
                                           ("ec2", "describe_tags", {"Filters": [{"Name": "value", "Values": ["a b", "\u00fc&=+%"]}]})):
            for verb in ("GET", "POST"):
                url = account.client(service).generate_presigned_url(method, Params=arguments, ExpiresIn=60, HttpMethod=verb)
                parts = urllib.parse.urlsplit(url)
                request = sigv4.Request(verb, parts.query, [("Host", parts.netloc)])
                self.expect(request, 200, None, (service, method, verb))

    def test_Threat_A05_random_requests_of_botocore_verify(self):
        """Whatever text stands in path, query and body, both sides make one canonical form of it."""
        from botocore.auth import SigV4Auth, SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        chance = random.Random(5)
        text = lambda: "".join(chance.choice("aZ09-_.~ +%&=/?:@#'\"\\<>*!()[]{}|^`$,;\u00fc\u4e2d\U0001f600")
                               for _ in range(chance.randrange(12)))
        key = Credentials(account.access, account.secret)
        for number in range(150):
            parameters = {"Action": "DescribeTags", **{"Filter.%d.Value.%d" % (chance.randrange(9), n): text() for n in range(3)},
                          "X" + text(): text()}
            signer = chance.choice((SigV4Auth(key, "ec2", "us-east-1"), SigV4QueryAuth(key, "ec2", "us-east-1", expires=60)))
            if chance.random() < 0.5:
                url = virga.endpoint + "/?" + urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
                made = AWSRequest("GET", url)
            else:
                form = parameters if isinstance(signer, SigV4QueryAuth) else urllib.parse.urlencode(parameters)
                made = AWSRequest("POST", virga.endpoint + "/", data=form, headers=dict(TYPE))
            signer.add_auth(made)
            prepared = made.prepare()
            parts = urllib.parse.urlsplit(prepared.url)
            headers = [(n, v.decode() if isinstance(v, bytes) else v) for n, v in prepared.headers.items()]
            body = prepared.body or b""
            request = sigv4.Request(prepared.method, parts.query, [("Host", parts.netloc)] + [h for h in headers if h[0] != "Host"],
                                    body.encode() if isinstance(body, str) else body)
            status, code, answer = line(request)
            self.assertIn(status, (200, 400), answer)
            self.assertNotIn(code, AUTHENTICATION, (number, parameters, answer))


class Codes(SigV4):
    """Surface 1.4: which refusal is told with which code and status."""

    def by_header(self, service="ec2", **how):
        body = BODY if service == "ec2" else b"Action=GetCallerIdentity&Version=2011-06-15"
        return Signer(account, service=service, **how).by_header("POST", TYPE, body)

    def presigned(self, service="ec2", **how):
        ask = ASK if service == "ec2" else {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
        return Signer(account, service=service, **how).presigned("GET", ask)

    def forms(self, **how):
        return (self.by_header(**how), self.presigned(**how))

    def test_who_calls(self):
        for request in (sigv4.Request("POST", "", TYPE + [("Host", "h")], BODY), sigv4.Request("GET", "Action=DescribeRegions", [("Host", "h")])):
            self.expect(request, 403, "MissingAuthenticationToken")
        for service, status, unknown, wrong in (("ec2", 401, "AuthFailure", "AuthFailure"),
                                                ("sts", 403, "InvalidClientTokenId", "SignatureDoesNotMatch")):
            for request in self.forms(service=service, access="AKIA" + "A" * 16):
                self.expect(request, status, unknown)
            for request in self.forms(service=service, secret="x" * 40):
                self.expect(request, status, wrong)
            for request in self.forms(service=service):
                self.expect(request, 200, None)

    def test_Threat_A04_scopes(self):
        for how in ({"service": "s3"}, {"service": "EC2"}, {"service": "execute-api"}, {"region": "eu-west-1"}, {"region": "us-east-2"}):
            for request in self.forms(**{"service": "ec2", **how}):
                self.expect(request, 403, "SignatureDoesNotMatch", how)
        for day in (-1, 1):
            for service, status, code in (("ec2", 401, "AuthFailure"), ("sts", 403, "SignatureDoesNotMatch")):
                for request in self.forms(service=service, scope_date=now(86400 * day).strftime("%Y%m%d")):
                    self.expect(request, status, code, (service, day))

    def test_a_signature_for_one_service_does_not_serve_another(self):
        for service in ("sts", "iam"):
            for request in (Signer(account, service=service).by_header("POST", TYPE, BODY),
                            Signer(account, service=service).presigned("GET", ASK)):
                self.expect(request, 400, "InvalidAction", service)
        self.expect(Signer(account).by_header("POST", TYPE, b"Action=GetCallerIdentity&Version=2011-06-15"), 400, "InvalidAction")

    def test_Threat_A01_clocks(self):
        for seconds, served in ((-900, False), (-310, False), (-290, True), (290, True), (310, False), (900, False), (86400 * 400, False)):
            for service in ("ec2", "sts"):
                made = self.by_header(service=service, when=now(seconds))
                body = self.expect(made, *((200, None) if served else (400, "RequestExpired")), (service, seconds))
                if not served:
                    self.assertIn("Request has expired", body)
        # SDKs learn how far their clock is off from the answer's Date.
        self.assertLess(abs((email.utils.parsedate_to_datetime(line.date) - now()).total_seconds()), 5)

    def test_presigned_urls_end(self):
        for age, expires, served in ((-50, 60, True), (-70, 60, False), (-86000, 86400, True), (-86500, 86400, False),
                                     (-604000, 604800, True), (-604900, 604800, False), (290, 60, True), (310, 604800, False)):
            made = Signer(account, when=now(age)).presigned("GET", ASK, expires=str(expires))
            self.expect(made, *((200, None) if served else (400, "RequestExpired")), (age, expires))
        for expires in ("0", "-1", "604801", "", "x", "60.0", "6e1", "99999999999999999999", "+60", " 60"):
            self.expect(Signer(account).presigned("GET", ASK, expires=expires), 400, "IncompleteSignature", expires)

    def test_what_cannot_be_understood(self):
        made = self.by_header()
        authorization = made.header("Authorization")
        for wrong in ("", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "Bearer abc", "Basic YTpi", "AWS " + account.access + ":x",
                      authorization.replace("SHA256", "SHA1"), authorization.replace("aws4_request", "aws3_request"),
                      authorization.replace("Signature=", "signature="), authorization + ", Signature=" + "0" * 64,
                      authorization[:-1], authorization + "0", authorization[:-64] + authorization[-64:].upper().replace("0", "G"),
                      authorization.replace("SignedHeaders=content-type;host;x-amz-date", "SignedHeaders=host;content-type;x-amz-date"),
                      authorization.replace("SignedHeaders=content-type", "SignedHeaders=Content-Type"),
                      authorization.replace("SignedHeaders=content-type", "SignedHeaders=content-type;content-type"),
                      authorization.replace("/ec2/", "//"), authorization.replace(account.access, "")):
            self.expect(made.with_header("Authorization", wrong), 400, "IncompleteSignature", wrong)
        self.expect(made.with_header("Authorization", None).but(headers=made.headers + [("Authorization", authorization)]),
                    400, "IncompleteSignature", "two of them")
        self.expect(made.but(query="X-Amz-Expires=60"), 400, "IncompleteSignature", "in the header and in the query")
        presigned = self.presigned()
        for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"):
            pairs = urllib.parse.parse_qsl(presigned.query)
            kept = [(n, v) for n, v in pairs if n != "X-Amz-" + name]
            self.expect(presigned.but(query=urllib.parse.urlencode(kept)), 400, "IncompleteSignature", name)
            again = pairs + [(n, v) for n, v in pairs if n == "X-Amz-" + name]
            self.expect(presigned.but(query=urllib.parse.urlencode(again)), 400, "IncompleteSignature", name + " twice")

    def test_temporary_credentials_are_unknown(self):
        self.expect(Signer(account).by_header("POST", TYPE + [("X-Amz-Security-Token", "t")], BODY), 403, "InvalidClientTokenId")
        self.expect(Signer(account).presigned("GET", ASK, extra=[("X-Amz-Security-Token", "t")]), 403, "InvalidClientTokenId")


class Attacks(SigV4):
    def test_Threat_A01_dates_that_are_none_open_nothing(self):
        made = Signer(account).by_header("POST", TYPE, BODY)
        for bad in ("", "0", "now", "20261122", "20261122T", "20261122T100000", "20261122T100000z", "2026-11-22T10:00:00Z",
                    "20261122T250000Z", "20261131T100000Z", "20260229T100000Z", "00000000T000000Z", "99991231T235959Z",
                    "20261122T100000+0000", "20261122 100000Z", "1795334535", "-0261122T100000Z", "2026112\u0662T100000Z".encode(),
                    "Sun, 22 Nov 2026 10:00:00 GMT", "20261122T1000000Z"):
            self.expect_closed(made.with_header("X-Amz-Date", bad), ("X-Amz-Date", bad))
            self.expect_closed(made.with_header("X-Amz-Date", None).with_header("Date", bad), ("Date", bad))

    def test_Threat_A02_headers_that_steer_are_signed(self):
        signer = Signer(account)
        made = signer.by_header("POST", TYPE, BODY)
        for name in ("X-Amz-Security-Token", "X-Amz-Content-Sha256", "x-amz-target", "X-AMZ-Anything", "X-Amz-Date"):
            self.expect_closed(made.but(headers=made.headers + [(name, "x")]), name + " after signing")
        for method in ("by_header", "presigned"):
            for host in ("127.0.0.1", "127.0.0.1:1", "ec2.us-east-1.amazonaws.com"):
                request = signer.by_header("POST", TYPE, BODY) if method == "by_header" else signer.presigned("GET", ASK)
                self.expect_closed(request.with_header("Host", host), (method, host))
        self.expect_closed(signer.by_header("POST", TYPE, BODY, unsigned=("host",)), "host not signed")
        self.expect_closed(signer.presigned("GET", ASK, headers=[("x-amz-a", "b")]), "x-amz-a not signed")
        self.expect_closed(signer.presigned("GET", ASK, headers=[("a", "b")], signed=("a",)), "host not signed, presigned")

    def test_Threat_A03_the_body_is_the_one_that_was_signed(self):
        made = Signer(account).by_header("POST", TYPE, BODY)
        for at in range(len(BODY)):
            self.expect_closed(made.but(body=BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1:]), at)
        for body in (b"", BODY[:-1], BODY + b"&", BODY + b"&DryRun=true"):
            self.expect_closed(made.but(body=body), body)
        for claimed in ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", sigv4.EMPTY_HASH, "", "0" * 64):
            header = [("X-Amz-Content-Sha256", claimed)]
            for payload_hash in (claimed, None):
                self.expect(Signer(account).by_header("POST", TYPE + header, BODY, payload_hash=payload_hash), 401, "AuthFailure", claimed)
        for claimed in ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"):
            for verb in ("GET", "POST"):
                self.expect(Signer(account).presigned(verb, ASK, payload_hash=claimed), 401, "AuthFailure", claimed)

    def test_Threat_A04_a_presigned_url_opens_what_it_was_made_for(self):
        made = Signer(account).presigned("GET", ASK)
        self.expect_served(made)
        self.expect_served(made)  # within its time it may be sent again
        pairs = urllib.parse.parse_qsl(made.query)
        self.expect_closed(made.but(method="POST"), "moved to POST")
        self.expect_closed(made.but(method="POST", headers=made.headers + TYPE, body=b"DryRun=true"), "moved to POST with a body")
        self.expect_closed(made.but(body=b"DryRun=true", headers=made.headers + TYPE), "a body beside it")
        for at, (name, value) in enumerate(pairs):
            for changed in (pairs[:at] + pairs[at + 1:], pairs[:at] + [(name, value[:-1] + chr(ord(value[-1]) ^ 1))] + pairs[at + 1:]):
                self.expect_closed(made.but(query=urllib.parse.urlencode(changed)), ("changed", name))
        for more in ("DryRun=true", "Filter.1.Name=x", "x=", "X-Amz-Anything=x", "Action=DescribeVpcs"):
            self.expect_closed(made.but(query=made.query + "&" + more), more)
            self.expect_closed(made.but(query=more + "&" + made.query), more)
        self.expect_closed(made.but(method="POST", path="/api/v1/DescribeRegions", body=b"{}",
                                    headers=made.headers + [("Content-Type", "application/json")]), "moved to JSON")
        write = Signer(account).presigned("POST", {"Action": "CreateVpc", "CidrBlock": "10.9.0.0/16"})
        for changed in ("10.8.0.0%2F16", "10.9.0.0/17"):
            self.expect_closed(write.but(query=write.query.replace("10.9.0.0%2F16", changed)), changed)
        self.expect_closed(write.but(method="GET"), "a write moved to GET")
        self.assertEqual(len(account.client().describe_vpcs()["Vpcs"]), 1)

    def test_Threat_A06_a_parameter_comes_once(self):
        vpcs = len(account.client().describe_vpcs()["Vpcs"])
        create = "Action=CreateVpc&CidrBlock=10.9.0.0%2F16&Version=2016-11-15&DryRun=false"
        pairs = create.split("&")
        for pair in pairs:
            name = pair.split("=")[0]
            for body, query in ((create + "&" + pair, ""), (create, pair), (pair + "&" + create, ""), (create + "&" + name + "=", "")):
                self.expect(Signer(account).by_header("POST", TYPE, body.encode(), query=query), 400, "InvalidParameter", (body, query))
        for query in (create + "&" + pairs[0], create + "&Action=DescribeVpcs"):
            self.expect(Signer(account).by_header("GET", query=query), 400, "InvalidParameter", query)
        self.assertEqual(len(account.client().describe_vpcs()["Vpcs"]), vpcs)

    def test_Threat_A07_who_is_known_does_not_show(self):
        strip = lambda body: body.split("<RequestID>")[0]
        for form in ("by_header", "presigned"):
            texts = set()
            for how in ({"access": "AKIA" + "A" * 16}, {"access": "x"}, {"secret": "x" * 40}, {"secret": account.secret[:-1] + "!"}):
                signer = Signer(account, **how)
                request = signer.by_header("POST", TYPE, BODY) if form == "by_header" else signer.presigned("GET", ASK)
                texts.add(strip(self.expect(request, 401, "AuthFailure", (form, how))))
            self.assertEqual(len(texts), 1, texts)

    def test_Threat_A08_after_a_key_is_disabled_no_call_begins(self):
        other = virga.account("rotated")
        presigned = Signer(other).presigned("GET", ASK, expires="600")
        self.expect_served(presigned)
        ended = []

        def ask(_):
            mine, seen = Line(virga), []
            try:
                while len(seen) < 400:
                    begun_after = bool(ended)
                    seen.append((begun_after, mine(Signer(other).by_header("POST", TYPE, BODY))[0]))
                    if begun_after and len([s for s in seen if s[0]]) > 5:
                        break
            finally:
                mine.connection.close()
            return seen
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(ask, n) for n in range(4)]
            virga.run("key", "disable", other.access, "--account", "rotated")
            ended.append(True)
            for one in asked:
                seen = one.result()
                self.assertEqual([status for late, status in seen if late and status != 401], [])
        self.expect(presigned, 401, "AuthFailure", "a URL of a disabled key")
        virga.run("key", "enable", other.access, "--account", "rotated")
        self.expect_served(presigned)
        virga.run("key", "delete", other.access, "--account", "rotated")
        self.expect(presigned, 401, "AuthFailure", "a URL of a deleted key")


if __name__ == "__main__":
    harness.main()
