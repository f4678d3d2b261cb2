"""Real guests for tests: launch, wait for the console, run commands inside by SSH."""
import json
import os
import select
import subprocess
import time

import harness
from harness import wait_for

# Tries each path of a list; says which could be read, and which could be written or connected to.
PROBE = """
import json, os, socket, stat, sys
reached = {"read": [], "write": []}
def can(use):
    try:
        use()
        return True
    except OSError:
        return False
def is_socket(path):
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
for path in json.load(sys.stdin):
    if is_socket(path):
        if can(lambda: socket.socket(socket.AF_UNIX).connect(path)):
            reached["write"].append(path)
        continue
    if can(lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))):
        reached["read"].append(path)
    if can(lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))):
        reached["write"].append(path)
json.dump(reached, sys.stdout)
"""
BOOT_SECONDS = 240  # several guests boot side by side under emulation on two cores


class Guests:
    """Launches tiny guests of one account and talks to them."""

    def __init__(self, virga, account, image, instance_type="lab.tiny"):
        self.virga, self.account, self.image, self.instance_type = virga, account, image, instance_type
        self.ec2 = account.client()
        self.key_name = "guests"
        self.key_file = os.path.join(virga.home, "key-" + account.name)
        made = self.ec2.create_key_pair(KeyName=self.key_name, KeyType="ed25519")
        with open(os.open(self.key_file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as key:
            key.write(made["KeyMaterial"])

    def launch(self, count=1, **arguments):
        arguments = {"ImageId": self.image, "InstanceType": self.instance_type, "KeyName": self.key_name,
                     "MinCount": count, "MaxCount": count, **arguments}
        return [i["InstanceId"] for i in self.ec2.run_instances(**arguments)["Instances"]]

    def describe(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def state(self, instance):
        return self.describe(instance)["State"]["Name"]

    def wait_state(self, instance, state, seconds=120):
        wait_for("%s %s" % (instance, state), lambda: self.state(instance) == state, seconds)

    def console(self, instance):
        return self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")

    def wait_console(self, instance, text, times=1, seconds=BOOT_SECONDS):
        """Waits until the console has the text so many times, and returns the console."""
        def there():
            console = self.console(instance)
            return console if console.count(text) >= times else None
        try:
            return wait_for("'%s' on the console of %s" % (text, instance), there, seconds, 0.5)
        except AssertionError as late:
            raise AssertionError("%s; the console says:\n%s" % (late, self.console(instance)[-2000:]))

    def wait_ready(self, *instances, times=1):
        for instance in instances:
            self.wait_console(instance, "tiny: ready", times)

    def ssh(self, instance, command, check=True, seconds=60):
        done = subprocess.run([harness.BINARY, "ssh", "-i", self.key_file, instance, command], env=self.virga.environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=seconds)
        if check and done.returncode:
            raise AssertionError("%s on %s: exit %d\n%s%s" % (command, instance, done.returncode, done.stdout, done.stderr))
        return done

    def pings(self, instance, address, source=None):
        """Whether a ping from inside the guest is answered."""
        option = "-I %s " % source if source else ""
        return self.ssh(instance, "ping -c 2 -W 2 %s%s" % (option, address), check=False).returncode == 0

    def qemu_pid(self, instance):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as cmdline:
                    line = cmdline.read()
            except OSError:
                continue
            if b"qemu-system" in line.split(b"\0")[0] and instance.encode() in line:
                found.append(int(pid))
        if len(found) != 1:
            raise AssertionError("%d QEMU processes of %s" % (len(found), instance))
        return found[0]

    def as_qemu(self, process, paths):
        """Which of the paths a program may read and write (sockets: connect to) that runs as this QEMU process does."""
        with open("/proc/%d/status" % process) as lines:
            status = dict(line.split(":", 1) for line in lines)
        uid, gid = status["Uid"].split()[0], status["Gid"].split()[0]
        done = subprocess.run(["nsenter", "--mount", "--target", str(process), "setpriv", "--reuid", uid, "--regid", gid,
                               "--groups", ",".join(status["Groups"].split()), "--inh-caps=-all", "--no-new-privs",
                               "/usr/bin/python3", "-c", PROBE], input=json.dumps(paths), text=True, check=True,
                              stdout=subprocess.PIPE, timeout=60)
        return json.loads(done.stdout)

    def wait_end(self, process, seconds=60):
        """Waits until the process has ended, also when nobody has taken its exit code yet; the time when that was seen."""
        descriptor = os.pidfd_open(process)
        try:
            if not select.select([descriptor], [], [], seconds)[0]:
                raise AssertionError("process %d has not ended in %d s" % (process, seconds))
        finally:
            os.close(descriptor)
        return time.monotonic()

    def wait_shown(self, instance, state, since, seconds=2):
        """The state must be in DescribeInstances so soon after `since`, a time.monotonic()."""
        self.wait_state(instance, state, 30)
        took = time.monotonic() - since
        if took > seconds:
            raise AssertionError("%s shows as %s after %.2f s, not within %d s" % (instance, state, took, seconds))
        return took
