#!/usr/bin/env python3
"""A host that does not answer: shown as down, spared new instances, back by itself."""
import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness


def setUpModule():
    harness.require_boto3()


class HostDown(unittest.TestCase):
    def host_state(self, virga):
        # Exit code 1: not ready, which is what a host that is down means.
        return json.loads(virga.run("status", "--json", check=False).stdout)["hosts"][0]["state"]

    def launch_error(self, ec2, image):
        try:
            ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.nano")
        except harness.botocore.exceptions.ClientError as error:
            return error.response["Error"]
        return None

    def check(self, virga, silence, end_silence):
        ec2 = virga.account().client("ec2")
        image = virga.import_image()
        self.assertIsNone(self.launch_error(ec2, image))
        silence()
        harness.wait_for("the host is shown as down", lambda: self.host_state(virga) == "down", seconds=45)
        refused = self.launch_error(ec2, image)
        self.assertEqual(refused["Code"], "InsufficientInstanceCapacity")
        self.assertIn("is down", refused["Message"])
        self.assertEqual(len(ec2.describe_instances()["Reservations"]), 1, "the API answers")
        end_silence()
        harness.wait_for("the host is up again", lambda: self.host_state(virga) == "up", seconds=45)
        self.assertIsNone(self.launch_error(ec2, image))

    def test_a_host_role_that_is_not_there(self):
        with harness.Installation(simulate=True) as virga:
            self.check(virga, lambda: virga.kill("host"), lambda: virga.start_role("host"))

    def test_a_host_role_that_hangs(self):
        with harness.Installation(simulate=True) as virga:
            host = virga.processes["host"].pid
            try:
                self.check(virga, lambda: os.kill(host, signal.SIGSTOP), lambda: os.kill(host, signal.SIGCONT))
            finally:
                os.kill(host, signal.SIGCONT)


if __name__ == "__main__":
    harness.main()
