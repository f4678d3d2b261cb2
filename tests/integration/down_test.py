#!/usr/bin/env python3
"""scripts/down --guests on a machine whose libvirtd serves others too: a stand-in for virsh has the guests."""
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness

OURS, FOREIGN, SHARED_NAME = "i-0123456789abcdef0", "someone-elses", "i-0123456789abcdef1"


class DownGuests(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("skipped: guests are stopped by root only")
        folder = tempfile.TemporaryDirectory(prefix="vg-down-", dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.home = os.path.join(folder.name, "home")
        self.calls = os.path.join(folder.name, "calls")
        self.records = os.path.join(self.home, "state", "host", "agent", "guests")
        os.makedirs(self.records)
        for guest in (OURS, SHARED_NAME):
            with open(os.path.join(self.records, guest + ".json"), "w") as record:
                record.write("{}")
        self.tools = os.path.join(folder.name, "tools")
        os.makedirs(self.tools)
        virsh = os.path.join(self.tools, "virsh")
        with open(virsh, "w") as script:
            script.write(textwrap.dedent("""\
                #!/usr/bin/env python3
                import sys
                words = [w for w in sys.argv[1:] if not w.startswith("-") and ":///" not in w]
                with open(%r, "a") as calls:
                    calls.write(" ".join(words) + "\\n")
                if words[0] == "list":
                    print("%s\\n%s\\n%s")
                if words[0] == "dumpxml":
                    place = %r if words[1] == %r else "/var/lib/other"
                    # A reader that stops at the first match must not make the answer a failure.
                    print("<source file='%%s/state/host/storage/volumes/vol-1.qcow2'/>" %% place)
                    print("<!-- -->\\n" * 20000)
                if words[0] == "domstate":
                    print("shut off")
                """ % (self.calls, OURS, FOREIGN, SHARED_NAME, self.home, OURS)))
        os.chmod(virsh, 0o755)

    def run_down(self, *arguments, answer=""):
        environment = {**os.environ, "VIRGA_HOME": self.home, "PATH": self.tools + ":" + os.environ["PATH"]}
        return subprocess.run([os.path.join(harness.ROOT, "scripts", "down"), *arguments], env=environment, text=True,
                              input=answer, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)

    def down(self, *arguments):
        done = self.run_down(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout)
        if not os.path.exists(self.calls):
            return []
        with open(self.calls) as calls:
            return [line.split()[:2] for line in calls]

    def test_only_guests_whose_disks_are_here_are_stopped_and_they_may_start_again(self):
        calls = self.down("--guests")
        self.assertIn(["shutdown", OURS], calls)
        self.assertIn(["destroy", OURS], calls)
        self.assertIn(["undefine", OURS], calls)
        for verb, *guest in calls:
            if verb not in ("list", "dumpxml"):
                self.assertEqual(guest, [OURS], verb)
        self.assertNotIn(["dumpxml", FOREIGN], calls)
        # Without its record the host role starts the guest again; another's is not touched.
        self.assertEqual(os.listdir(self.records), [SHARED_NAME + ".json"])

    def test_the_way_out_of_all_networks_goes_with_them(self):
        realm = "%04x" % (os.getpid() & 0xffff)
        with open(os.path.join(self.home, "virga.toml"), "w") as settings:
            settings.write('realm = "%s"\n' % realm)
        edge, uplink, route = "vg-%s-edge" % realm, "vr%s00000000" % realm, "198.51.100.77/32"
        ip = lambda *words: subprocess.run(["ip", *words], check=True, timeout=30)
        ip("netns", "add", edge)
        self.addCleanup(lambda: os.path.exists("/run/netns/" + edge) and ip("netns", "delete", edge))
        ip("link", "add", uplink, "type", "veth", "peer", "name", "up", "netns", edge)
        ip("link", "set", uplink, "up")
        ip("route", "add", route, "dev", uplink, "metric", "70000")
        self.down("--purge", "--yes")
        self.assertFalse(os.path.exists("/run/netns/" + edge))
        self.assertFalse(os.path.exists("/sys/class/net/" + uplink))
        routes = subprocess.run(["ip", "route", "show", route], check=True, stdout=subprocess.PIPE, timeout=30).stdout
        self.assertEqual(routes, b"")

    def test_a_purge_tells_what_goes_and_a_no_is_obeyed(self):
        volumes = os.path.join(self.home, "state", "host", "agent", "documents", "volumes")
        os.makedirs(volumes)
        for volume in ("vol-0123456789abcdef0", "vol-0123456789abcdef1"):
            open(os.path.join(volumes, volume + ".json"), "w").close()
        for answer in ("no\n", "y\n", ""):
            done = self.run_down("--purge", answer=answer)
            self.assertEqual(done.returncode, 1)
            self.assertIn(os.path.join(self.home, "state"), done.stdout)
            self.assertIn("volumes: 2", done.stdout)
            self.assertIn("Nothing was removed", done.stdout)
            self.assertFalse(os.path.exists(self.calls))
            self.assertEqual(len(os.listdir(self.records)), 2)
        self.assertEqual(self.run_down("--purge", answer="yes\n").returncode, 0)
        self.assertFalse(os.path.exists(self.home))

    def test_a_purge_removes_what_is_ours_and_leaves_what_is_not(self):
        ours = ["state/control/virga.db", "state/credentials/default.json", "state/log/up.log", "run/control.pid", "libvirt/log/x",
                "bin/virga", "virga.toml", "empty.raw"]
        foreign = ["bin/of-the-user", "state/of-the-user", "run/of-the-user", "libvirt/of-the-user", "of-the-user"]
        for name in ours + foreign:
            os.makedirs(os.path.join(self.home, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(self.home, name), "w") as file:
                file.write("x")
        self.down("--purge", "--yes")
        left = sorted(os.path.relpath(os.path.join(folder, name), self.home)
                      for folder, _, names in os.walk(self.home) for name in names)
        self.assertEqual(left, sorted(foreign))

    def test_a_purge_leaves_no_empty_folder(self):
        self.down("--purge", "--yes")
        self.assertFalse(os.path.exists(self.home))

    def test_networks_go_though_the_settings_are_gone(self):
        number = 2166136261
        for byte in self.home.encode():
            number = (number ^ byte) * 16777619 & 0xffffffff
        edge = "vg-%04x-edge" % ((number ^ number >> 16) & 0xffff or 1)
        subprocess.run(["ip", "netns", "add", edge], check=True, timeout=30)
        self.addCleanup(lambda: os.path.exists("/run/netns/" + edge) and
                        subprocess.run(["ip", "netns", "delete", edge], check=True, timeout=30))
        self.down("--guests")
        self.assertFalse(os.path.exists("/run/netns/" + edge))

    def test_the_root_of_the_file_system_is_no_place_for_an_installation(self):
        for place in ("/", "//"):
            done = subprocess.run([os.path.join(harness.ROOT, "scripts", "down")], env={**os.environ, "VIRGA_HOME": place},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertIn("root of the file system", done.stderr)

    def test_without_guests_none_is_touched(self):
        self.assertEqual(self.down(), [])
        self.assertEqual(len(os.listdir(self.records)), 2)


class UpBuild(unittest.TestCase):
    def test_the_build_of_a_clone_belongs_to_the_owner_of_the_clone(self):
        if os.geteuid() != 0:
            self.skipTest("skipped: only root makes files of others")
        owner = 65534  # nobody
        with tempfile.TemporaryDirectory(prefix="vg-up-", dir="/tmp") as folder:
            clone, tools = os.path.join(folder, "clone"), os.path.join(folder, "tools")
            shutil.copytree(os.path.join(harness.ROOT, "scripts", "lib"), os.path.join(clone, "scripts", "lib"))
            os.makedirs(tools)
            with open(os.path.join(tools, "cmake"), "w") as script:
                script.write("#!/bin/sh\nmkdir -p '%s/build/daemon'\n: > '%s/build/daemon/virga'\n" % (clone, clone))
            os.chmod(os.path.join(tools, "cmake"), 0o755)
            os.chown(clone, owner, owner)
            words = "set -eEuo pipefail; . scripts/lib/common.sh; . scripts/lib/up-steps.sh; step_log=../log; build"
            subprocess.run(["/bin/bash", "-c", words], cwd=clone, env={**os.environ, "PATH": tools + ":" + os.environ["PATH"]},
                           check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
            for made in ("build", "build/daemon", "build/daemon/virga"):
                self.assertEqual(os.stat(os.path.join(clone, made)).st_uid, owner, made)


if __name__ == "__main__":
    harness.main()
