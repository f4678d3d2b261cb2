#!/usr/bin/env python3
"""The systemd units: their syntax, how much of the machine they leave open, and what a machine needs of them. Needs
systemd-analyze, but no systemd that runs."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNITS = ("virga-control", "virga-host")
# What `systemd-analyze security` may say at most. The host role's aim is 5.0: the rest is the file system, which it must
# share with the machine because it pins network namespaces there (see the unit).
EXPOSURE = {"virga-control": 2.0, "virga-host": 5.5}


def text_of(unit):
    with open(os.path.join(ROOT, "scripts", "systemd", unit + ".service"), encoding="utf-8") as file:
        return file.read()


def settings(unit, name):
    return re.findall(r"^%s=(.*)$" % re.escape(name), text_of(unit), re.M)


def analyze(*arguments, cwd=None):
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=30)


class Units(unittest.TestCase):
    def test_syntax_and_references(self):
        with tempfile.TemporaryDirectory(prefix="vg-units-") as folder:
            for unit in UNITS:
                # The program need not be installed where the tests run.
                with open(os.path.join(folder, unit + ".service"), "w", encoding="utf-8") as file:
                    file.write(text_of(unit).replace("/usr/local/bin/virga ", "/bin/true "))
            said = analyze("verify", "--man=no", *(u + ".service" for u in UNITS), cwd=folder)
        lines = [line for line in said.stdout.splitlines() if "virga" in line]
        self.assertEqual((said.returncode, lines), (0, []), said.stdout)

    def test_exposure(self):
        for unit, most in EXPOSURE.items():
            with self.subTest(unit=unit):
                said = analyze("security", "--offline=true", "--threshold=%d" % round(most * 10),
                               os.path.join(ROOT, "scripts", "systemd", unit + ".service"))
                found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
                self.assertTrue(found, said.stdout)
                self.assertLessEqual(float(found.group(1)), most, said.stdout)
                self.assertEqual(said.returncode, 0)

    def test_control_has_no_privilege_at_all(self):
        self.assertEqual(settings("virga-control", "User"), ["virga"])
        self.assertEqual(settings("virga-control", "CapabilityBoundingSet"), [""])

    def test_the_host_unit_loads_what_groups_depend_on(self):
        # With the whole machine's rights (+), which the role itself has not; a kernel that has it built in is fine (-).
        self.assertEqual(settings("virga-host", "ExecStartPre"), ["+-/sbin/modprobe br_netfilter"])

    def test_guests_and_network_survive_the_host_role(self):
        self.assertEqual(settings("virga-host", "KillMode"), ["process"])
        for option in ("ProtectSystem", "PrivateTmp", "ProtectHome", "PrivateDevices", "PrivateMounts", "ProtectKernelTunables",
                       "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectProc", "ProcSubset",
                       "ReadWritePaths", "TemporaryFileSystem", "RootDirectory"):
            self.assertEqual(settings("virga-host", option), [], "a mount namespace of its own takes the pins away")


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("skipped: systemd-analyze is not installed", file=sys.stderr)
        sys.exit(77)
    unittest.main(verbosity=2)
