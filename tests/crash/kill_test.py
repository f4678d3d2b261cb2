#!/usr/bin/env python3
"""kill -9 of the control role, the host role and libvirtd, each and together, during a launch of five real guests: all
five run afterwards, exactly five domains, nothing is left over, and older guests do not lose a packet."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guests
import harness
from harness import wait_for


def setUpModule():
    harness.require_boto3()
    harness.require_real_host()
    global virga, mine, old
    virga = harness.Installation(simulate=False)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    mine = guests.Guests(virga, account, virga.import_image(), instance_type="lab.nano")
    old = mine.launch(count=2)
    mine.wait_ready(*old)


class Kill(unittest.TestCase):
    def restart(self, victims):
        if "libvirtd" in victims:
            virga.start_libvirtd()
        for role in ("host", "control"):
            if role in victims:
                virga.start_role(role)
        virga.wait_ready(60)

    def kill(self, victims):
        for victim in victims:
            virga.kill_libvirtd() if victim == "libvirtd" else virga.kill(victim)

    def domains(self):
        listed = subprocess.run(["virsh", "-c", virga.libvirt_uri, "list", "--name"], text=True, stdout=subprocess.PIPE)
        return set(listed.stdout.split())

    def places(self):
        """What the guests there are have on this machine: domains, networks, and the link to their public addresses."""
        traces = virga.traces()
        return {kind: traces[kind] for kind in ("domains", "namespaces", "links")}

    def during_a_launch(self, victims):
        before = self.places()
        target = mine.describe(old[1])["PrivateIpAddress"]
        mine.ssh(old[0], "ping -c 1 -W 5 %s" % target)
        mine.ssh(old[0], "(ping -c 40 -i 1 %s > /tmp/pinged 2>&1; echo done >> /tmp/pinged) > /dev/null 2>&1 &" % target)
        five = mine.launch(count=5)
        wait_for("the first of five", lambda: self.domains() & set(five), 60, 0.02)
        self.kill(victims)
        self.restart(victims)
        for instance in five:
            mine.wait_state(instance, "running", 180)
        self.assertEqual(self.domains(), set(five) | set(old))
        console = wait_for("forty pings", lambda: "done" in mine.ssh(old[0], "cat /tmp/pinged").stdout and mine.ssh(old[0], "cat /tmp/pinged").stdout, 90, 1)
        self.assertIn("40 packets transmitted, 40 packets received", console)
        mine.ec2.terminate_instances(InstanceIds=five)
        for instance in five:
            mine.wait_state(instance, "terminated", 180)
        self.assertEqual(before["domains"], sorted(old))
        wait_for("only the old guests' traces", lambda: self.places() == before, 60)
        volumes = [f for f in virga.traces()["files"] if f.endswith(".qcow2")]
        self.assertEqual(len(volumes), len(old), volumes)

    def test_control(self):
        self.during_a_launch(["control"])

    def test_host(self):
        self.during_a_launch(["host"])

    def test_libvirtd(self):
        self.during_a_launch(["libvirtd"])

    def test_all_together(self):
        self.during_a_launch(["control", "host", "libvirtd"])

    def test_z_nothing_is_left_in_the_end(self):
        mine.ec2.terminate_instances(InstanceIds=old)
        for instance in old:
            mine.wait_state(instance, "terminated", 120)
        virga.assert_clean(self, 60)


if __name__ == "__main__":
    harness.main()
