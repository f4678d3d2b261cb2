#!/usr/bin/env python3
"""The AWS SDK for JavaScript (v3) through one story on the simulated host. scripts/test installs it, by the lockfile."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from client_story import CLIENTS, ClientStory

MODULES = os.environ.get("VIRGA_JS_MODULES", "")


class Story(ClientStory):
    def setUp(self):
        if not shutil.which("node"):
            raise unittest.SkipTest("skipped: node (nodejs) is not installed")
        if not os.path.isdir(os.path.join(MODULES, "@aws-sdk", "client-ec2")):
            raise unittest.SkipTest("skipped: no @aws-sdk/client-ec2 in VIRGA_JS_MODULES (npm ci of tests/clients/js)")
        super().setUp()

    def test_from_a_key_pair_to_a_clean_account(self):
        environment = {**self.account.environment(), "NODE_PATH": MODULES}
        done = subprocess.run(["node", os.path.join(CLIENTS, "js", "story.cjs"), self.image_id], env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assert_as_before()


if __name__ == "__main__":
    harness.main()
