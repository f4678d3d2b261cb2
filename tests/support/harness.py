"""Runs installations of Virga for tests: each in a VIRGA_HOME of its own, with its own realm, ports and libvirtd, so that
tests run side by side and never touch the system's installation.

    with Installation(simulate=True) as virga:
        account = virga.account("one")
        ec2 = account.client("ec2")
"""
import base64
import collections
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("VIRGA_BINARY", os.path.join(ROOT, "build", "daemon", "virga"))
TINY_IMAGE = os.environ.get("VIRGA_TINY_IMAGE", "")

import strict_xml

# Answers looked at by the strict decoder, by action and whether it succeeded.
checked_answers = collections.Counter()

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    boto3 = None


def require_boto3():
    if boto3 is None:
        raise unittest.SkipTest("skipped: the Python package boto3 is not installed")


def require_real_host():
    """Real guests need root, QEMU, libvirtd and the tiny image."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("skipped: real guests need root")
    for tool in ("qemu-system-x86_64", "libvirtd", "dnsmasq"):
        if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            raise unittest.SkipTest("skipped: %s is not installed" % tool)
    if not os.path.exists(TINY_IMAGE):
        raise unittest.SkipTest("skipped: no tiny image (VIRGA_TINY_IMAGE)")


def wait_for(what, condition, seconds=60, pause=0.1):
    """Waits until condition() is true and returns its value; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s in vain: %s" % (seconds, what))
        time.sleep(pause)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Account:
    def __init__(self, virga, facts):
        self.virga = virga
        self.id = facts["account"]
        self.name = facts["name"]
        self.access = facts["access_key_id"]
        self.secret = facts["secret_access_key"]

    def client(self, service="ec2", **config):
        config.setdefault("retries", {"max_attempts": 1, "mode": "standard"})
        config.setdefault("max_pool_connections", 64)
        client = boto3.client(service, region_name="us-east-1", endpoint_url=self.virga.endpoint,
                              aws_access_key_id=self.access, aws_secret_access_key=self.secret,
                              config=botocore.config.Config(**config))
        if service == "ec2":
            check_answers(client)
        return client

    def environment(self):
        """What `virga env` would export, for aws-cli and others."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(AWS_ENDPOINT_URL=self.virga.endpoint, AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1",
                   AWS_ACCESS_KEY_ID=self.access, AWS_SECRET_ACCESS_KEY=self.secret,
                   AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")
        return env


class Installation:
    """One box: a host role (simulated or real) and a control role."""

    def __init__(self, simulate=True, settings=None):
        self.simulate = simulate
        self.settings = settings or {}
        self.home = tempfile.mkdtemp(prefix="vg-", dir="/tmp")
        os.chmod(self.home, 0o711)
        self.realm = secrets.token_hex(2)
        self.port = free_port()
        self.endpoint = "http://127.0.0.1:%d" % self.port
        self.processes = {}
        self.accounts = {}
        self.secrets = {}
        self.failed = False

    # -- life -------------------------------------------------------------------------------------------------------
    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.failed = True
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        failed = self.failed or kind is not None
        try:
            if not failed:
                # Until the checks below are passed the installation is kept for inspection.
                failed = True
                self.assert_no_secret_shows()
                failed = False
            self.stop(guests=True)
        finally:
            if self.processes:
                self.stop(guests=True)
            if failed:
                print("kept for inspection: %s" % self.home, file=sys.stderr)
                for name in ("control", "host"):
                    with contextlib.suppress(OSError):
                        with open(os.path.join(self.home, name + ".log"), errors="replace") as log:
                            print("--- last of %s.log\n%s" % (name, "".join(log.readlines()[-40:])), file=sys.stderr)
            else:
                shutil.rmtree(self.home, ignore_errors=True)

    def start(self):
        settings = {"api": {"listen_port": self.port}, "host": {"realm": self.realm}, "compute": {}}
        if not self.simulate:
            self.start_libvirtd()
            settings["compute"]["libvirt_uri"] = self.libvirt_uri
            settings["compute"]["accelerator"] = "tcg"
            settings["compute"]["disk_cache"] = "unsafe"
            settings["compute"]["pci_ports"] = 12
        for section, values in self.settings.items():
            settings.setdefault(section, {}).update(values)
        with open(os.path.join(self.home, "virga.toml"), "w") as config:
            for section, values in settings.items():
                config.write("[%s]\n" % section)
                for key, value in values.items():
                    config.write("%s = %s\n" % (key, json.dumps(value)))
        os.chmod(os.path.join(self.home, "virga.toml"), 0o644)
        self.start_role("host")
        self.start_role("control")
        self.wait_ready()

    @property
    def libvirt_uri(self):
        return "qemu+unix:///system?socket=%s/libvirt/run/libvirt-sock" % self.home

    def start_libvirtd(self):
        subprocess.run([os.path.join(ROOT, "scripts/private-libvirtd"), os.path.join(self.home, "libvirt"), "start"],
                       check=True, stdout=subprocess.DEVNULL)

    def libvirtd_pid(self):
        with open(os.path.join(self.home, "libvirt", "run", "libvirtd.pid")) as pid:
            return int(pid.read())

    def start_role(self, name):
        arguments = [BINARY, name] + (["--simulate"] if name == "host" and self.simulate else [])
        log = open(os.path.join(self.home, name + ".log"), "ab")
        self.processes[name] = subprocess.Popen(arguments, env=self.environment(), stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, start_new_session=True)
        log.close()

    def wait_ready(self, seconds=60):
        done = subprocess.run([BINARY, "status", "--wait", str(seconds)], env=self.environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise AssertionError("not ready: %s" % done.stdout)

    def kill(self, name, how=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(timeout=30)

    def kill_libvirtd(self):
        os.kill(self.libvirtd_pid(), signal.SIGKILL)

    def stop(self, guests=False):
        if guests and not self.simulate:
            self.destroy_guests()
        for name in list(self.processes):
            process = self.processes.pop(name)
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if guests and not self.simulate:
            self.remove_traces()

    def environment(self):
        return {**os.environ, "VIRGA_HOME": self.home}

    def run(self, *arguments, check=True, **options):
        """The command line of this installation."""
        done = subprocess.run([BINARY, *arguments], env=self.environment(), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=options.pop("timeout", 120), **options)
        if check and done.returncode:
            raise AssertionError("virga %s: %s%s" % (" ".join(arguments), done.stdout, done.stderr))
        return done

    # -- what tests need --------------------------------------------------------------------------------------------
    def account(self, name="default"):
        if name not in self.accounts:
            facts = json.loads(self.run("account", "create", name, "--json").stdout)
            self.accounts[name] = Account(self, facts)
        return self.accounts[name]

    def import_image(self, path=None, name="tiny", account="default"):
        """Imports an image (simulated hosts take any file) and returns its id."""
        self.account(account)
        if path is None and not self.simulate:
            path = TINY_IMAGE
        if path is None:
            path = os.path.join(self.home, "image.raw")
            with open(path, "wb") as image:
                image.truncate(4 << 20)
        return self.run("image", "import", path, "--name", name, "--account", account, timeout=600).stdout.strip()

    def reader(self, account):
        """A user of the account who may only read."""
        with contextlib.suppress(AssertionError):  # made before
            self.run("user", "create", "reader", "--account", account.name, "--role", "read-only")
        access, secret = self.run("key", "create", "reader", "--account", account.name,
                                  "--format", "{access} {secret}").stdout.split()
        return Account(self, {"account": account.id, "name": account.name, "access_key_id": access,
                              "secret_access_key": secret})

    # -- threat H03: secrets stay where they belong -----------------------------------------------------------------
    def plant(self, what, secret):
        """Notes a secret that went through the installation and must not show at its end. Returns it."""
        self.secrets[what] = secret
        return secret

    def places_secrets_leak_to(self):
        """(place, bytes): logs, the journal, and what every process of this machine shows of its command line."""
        for name in os.listdir(self.home):
            if name.endswith(".log"):
                with open(os.path.join(self.home, name), "rb") as log:
                    yield name, log.read()
        database = os.path.join(self.home, "state", "control", "virga.db")
        if os.path.exists(database):
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % database, uri=True)) as store:
                for row in store.execute("SELECT * FROM journal"):
                    yield "the journal", repr(row).encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cmdline" % pid, "rb") as cmdline:
                    yield "the command line of process %s" % pid, cmdline.read()

    def assert_no_secret_shows(self):
        secrets = {what: secret.encode() for what, secret in self.secrets.items()}
        for account in self.accounts.values():
            secrets["the secret key of " + account.name] = account.secret.encode()
        for place, content in self.places_secrets_leak_to():
            for what, secret in secrets.items():
                for form in (secret, base64.b64encode(secret)):
                    if form in content:
                        raise AssertionError("%s shows in %s" % (what, place))

    # -- the machine, for "as before" -------------------------------------------------------------------------------
    def traces(self):
        """Everything on this machine that belongs to this installation's guests and networks."""
        found = {"namespaces": [], "links": [], "domains": [], "processes": [], "files": []}
        with contextlib.suppress(FileNotFoundError):
            found["namespaces"] = sorted(n for n in os.listdir("/run/netns") if n.startswith("vg-%s-" % self.realm))
        found["links"] = sorted(n for n in os.listdir("/sys/class/net") if n[:1] == "v" and n[2:6] == self.realm and len(n) == 14)
        if not self.simulate:
            listed = subprocess.run(["virsh", "-c", self.libvirt_uri, "list", "--all", "--name"], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
            found["domains"] = sorted(listed.stdout.split())
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cmdline" % pid, "rb") as cmdline:
                    words = cmdline.read().split(b"\0")
                if words and os.path.basename(words[0]) in (b"dnsmasq", b"qemu-system-x86_64") and \
                        any(self.home.encode() in w for w in words):
                    found["processes"].append(int(pid))
        for folder, _, files in os.walk(os.path.join(self.home, "state", "host")):
            found["files"] += [os.path.join(folder, f) for f in files if f.startswith(("vol-", "snap-", "i-", "vpc-"))]
        return found

    def assert_clean(self, test, seconds=30):
        """After everything is deleted the host is as before: no domain, link, namespace, process or file is left."""
        def clean():
            return not any(self.traces().values())
        try:
            wait_for("a clean host", clean, seconds)
        except AssertionError:
            test.fail("left over: %s" % self.traces())

    def destroy_guests(self):
        listed = subprocess.run(["virsh", "-c", self.libvirt_uri, "list", "--all", "--name"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.kill("host") if "host" in self.processes else None
        for name in listed.stdout.split():
            for verb in (["destroy", name], ["undefine", name, "--checkpoints-metadata", "--nvram"]):
                subprocess.run(["virsh", "-c", self.libvirt_uri, *verb], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def remove_traces(self):
        """Whatever is still there after a test, also a failed one."""
        traces = self.traces()
        for pid in traces["processes"]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for namespace in traces["namespaces"]:
            subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)
        for link in traces["links"]:
            subprocess.run(["ip", "link", "delete", link], stderr=subprocess.DEVNULL)
        subprocess.run([os.path.join(ROOT, "scripts/private-libvirtd"), os.path.join(self.home, "libvirt"), "stop"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check_answers(client):
    """Every EC2 answer that a test gets through boto3 is held against the model, beside what boto3 makes of it."""
    session = client._endpoint.http_session
    send = session.send

    def send_and_check(request):
        response = send(request)
        body = request.body if isinstance(request.body, str) else request.body.decode()
        action = re.search(r"(?:^|&)Action=(\w+)", body).group(1)
        strict_xml.check(action, response.status_code, response.content)
        checked_answers[action, response.status_code < 300] += 1
        return response

    session.send = send_and_check


def method_of(action):
    """boto3's name of an action: DescribeVpcs -> describe_vpcs."""
    return botocore.xform_name(action)


def error_code(call, **arguments):
    """The EC2 error code that a boto3 call is answered with; None when it succeeds."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def main():
    """Runs the module's tests; exit code 77 (ctest: skipped) when every one was skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun and len(result.skipped) >= result.testsRun:
        sys.exit(77)
    if not result.testsRun:
        for _, reason in result.skipped:
            print(reason, file=sys.stderr)
        sys.exit(77 if result.skipped else 1)
