"""Stands between an installation and clients other than boto3, and holds every answer they get against the model.

    with StrictProxy(virga) as proxy:
        ...                             # clients made here are sent through it, by virga.endpoint
    proxy.refused                       # (action, error code) -> how often

Leaving it fails when an answer was not of the model.
"""
import collections
import contextlib
import http.client
import http.server
import threading
import urllib.parse

import strict_xml

HOP_BY_HOP = ("connection", "keep-alive", "content-length", "transfer-encoding", "date", "server")


class StrictProxy:
    def __init__(self, virga):
        self.virga = virga
        self.behind = urllib.parse.urlsplit(virga.endpoint)
        self.checked, self.refused, self.wrong = collections.Counter(), collections.Counter(), []

    def __enter__(self):
        class Handler(Passing):
            proxy = self
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.before = self.virga.endpoint
        self.virga.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]
        return self

    def __exit__(self, kind, *_):
        self.virga.endpoint = self.before
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        if kind is None and self.wrong:
            raise AssertionError("answers that are not of the model: %s" % self.wrong[:10])

    def look_at(self, request, status, answer):
        fields = dict(urllib.parse.parse_qsl(request.decode()))
        action = fields.get("Action", "")
        if not fields.get("Version", "").startswith("2016"):
            return  # STS has forms of its own
        try:
            said = strict_xml.check(action, status, answer)
        except strict_xml.Wrong as why:
            self.wrong.append(str(why))
            return
        self.checked[action] += 1
        if status >= 300:
            self.refused[action, said["Code"]] += 1


class Passing(http.server.BaseHTTPRequestHandler):
    """One client's connection. Each request goes on by a connection of its own; the host header stays, for it is signed."""

    protocol_version = "HTTP/1.1"
    proxy = None

    def do_GET(self):
        self.pass_on(urllib.parse.urlsplit(self.path).query.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.pass_on(body, body)

    def pass_on(self, request, body=None):
        """Sends it on, its parameters being `request`, and answers what is answered."""
        behind = self.proxy.behind
        with contextlib.closing(http.client.HTTPConnection(behind.hostname, behind.port, timeout=120)) as onward:
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP or name.lower() == "content-length":
                    onward.putheader(name, value)
            onward.endheaders(body)
            response = onward.getresponse()
            answer = response.read()
        self.proxy.look_at(request, response.status, answer)
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        with contextlib.suppress(ConnectionError):  # a client that has gone
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_):
        pass
