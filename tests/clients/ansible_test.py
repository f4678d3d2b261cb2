#!/usr/bin/env python3
"""Ansible's amazon.aws collection through one story on the simulated host: what is made is not made a second time, and goes."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from client_story import CLIENTS, ClientStory
from samples import PUBLIC_KEY


class Story(ClientStory):
    def setUp(self):
        if not shutil.which("ansible-playbook"):
            raise unittest.SkipTest("skipped: ansible-playbook (ansible) is not installed")
        super().setUp()

    def play(self, name):
        """How many tasks of a playbook changed something."""
        # Its modules run in the Python that has boto3; of this machine's Ansible settings none is taken.
        home, settings = os.path.join(self.virga.home, "ansible"), os.path.join(self.virga.home, "ansible.cfg")
        open(settings, "w").close()
        environment = {k: v for k, v in self.account.environment().items() if not k.startswith(("ANSIBLE_", "AWS_ENDPOINT_URL"))}
        environment.update(ANSIBLE_CONFIG=settings, ANSIBLE_HOME=home, ANSIBLE_LOCAL_TEMP=home, ANSIBLE_REMOTE_TEMP=home,
                           ANSIBLE_NOCOLOR="1", ANSIBLE_LOCALHOST_WARNING="False", LC_ALL="C.UTF-8")
        facts = {"endpoint": self.virga.endpoint, "image": self.image_id, "public_key": PUBLIC_KEY.decode(),
                 "ansible_python_interpreter": sys.executable, "ansible_connection": "local"}
        done = subprocess.run(["ansible-playbook", "-i", "localhost,", "-e", json.dumps(facts),
                               os.path.join(CLIENTS, "ansible", name)], env=environment, text=True, timeout=300,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        return int(re.search(r"changed=(\d+)", done.stdout).group(1))

    def test_what_is_made_is_not_made_again_and_goes(self):
        self.assertEqual(self.play("make.yml"), 11)
        self.assertEqual(self.play("make.yml"), 0)
        self.assertEqual(len(self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]), 3)
        self.play("remove.yml")
        self.assert_as_before()


if __name__ == "__main__":
    harness.main()
