"""Signature Version 4, written apart from botocore so that every part of it can be left out or spelled differently.

    signer = Signer(account, when=..., region=..., service=...)
    request = signer.by_header("POST", headers, body=b"Action=...")     # as clients sign
    request = signer.presigned("GET", {"Action": "DescribeRegions"})    # as they presign
    status, code, body, headers = send(virga, request)
"""
import dataclasses
import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse

FORM = "application/x-www-form-urlencoded; charset=utf-8"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


@dataclasses.dataclass
class Request:
    method: str
    query: str
    headers: list  # of (name, value)
    body: bytes = b""
    path: str = "/"

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def header(self, name):
        return next(value for field, value in self.headers if field.lower() == name.lower())

    def with_header(self, name, value):
        """Another value of a header; None: without it."""
        kept = [(f, v) for f, v in self.headers if f.lower() != name.lower()]
        return self.but(headers=kept if value is None else kept + [(name, value)])


def now(seconds=0):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def encoded(pairs):
    return "&".join("%s=%s" % (n, v) for n, v in sorted(
        (urllib.parse.quote(n, safe="-_.~"), urllib.parse.quote(v, safe="-_.~")) for n, v in pairs))


class Signer:
    def __init__(self, account, when=None, region="us-east-1", service="ec2", secret=None, access=None, scope_date=None):
        self.when = when or now()
        self.date = self.when.strftime("%Y%m%dT%H%M%SZ")
        self.scope = "/".join((scope_date or self.date[:8], region, service, "aws4_request"))
        self.secret, self.access = secret or account.secret, access or account.access
        self.host = "127.0.0.1:%d" % account.virga.port

    def signature(self, method, path, query, headers, signed, payload_hash, date):
        values = {name.lower(): " ".join(value.split()) for name, value in headers}
        text = "\n".join([method, path, encoded(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                          *("%s:%s" % (name, values[name]) for name in signed), "", ";".join(signed), payload_hash])
        key = ("AWS4" + self.secret).encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", date, self.scope, hashlib.sha256(text.encode()).hexdigest()])
        return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()

    def by_header(self, method, headers=(), body=b"", query="", unsigned=(), payload_hash=None, path="/", date_header=None):
        """`date_header`: a value of Date that stands in for X-Amz-Date."""
        headers = [("Host", self.host), *headers]
        headers.append(("Date", date_header) if date_header else ("X-Amz-Date", self.date))
        signed = sorted(name.lower() for name, _ in headers if name.lower() not in unsigned)
        made = self.signature(method, path, query, headers, signed, payload_hash or hashlib.sha256(body).hexdigest(), self.date)
        headers.append(("Authorization", "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
            self.access, self.scope, ";".join(signed), made)))
        return Request(method, query, headers, body, path)

    def presigned(self, method, parameters, expires="60", signed=("host",), headers=(), payload_hash=EMPTY_HASH, extra=()):
        headers = [("Host", self.host), *headers]
        pairs = [*parameters.items(), ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                 ("X-Amz-Credential", "%s/%s" % (self.access, self.scope)), ("X-Amz-Date", self.date),
                 ("X-Amz-Expires", expires), ("X-Amz-SignedHeaders", ";".join(signed)), *extra]
        query = urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)
        made = self.signature(method, "/", query, headers, signed, payload_hash, self.date)
        return Request(method, query + "&X-Amz-Signature=" + made, headers)


class Line:
    """A connection to an installation that requests go over as they are."""

    def __init__(self, virga):
        self.connection = http.client.HTTPConnection("127.0.0.1", virga.port, timeout=30)

    def __call__(self, request):
        """(status, error code or None, body)"""
        url = request.path + ("?" + request.query if request.query else "")
        self.connection.putrequest(request.method, url, skip_host=True, skip_accept_encoding=True)
        given = [name.lower() for name, _ in request.headers]
        for name, value in request.headers:
            self.connection.putheader(name, value)
        if "content-length" not in given and (request.body or request.method == "POST"):
            self.connection.putheader("Content-Length", str(len(request.body)))
        self.connection.endheaders(request.body or None)
        answer = self.connection.getresponse()
        body = answer.read().decode()
        self.date = answer.headers["Date"]
        code = body.split("<Code>")[1].split("</Code>")[0] if "<Code>" in body else None
        if body.startswith("{"):
            code = json.loads(body).get("code")
        return answer.status, code, body
