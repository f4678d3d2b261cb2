#!/usr/bin/env python3
"""Packer's amazon-ebs builder on the simulated host: it launches, stops, makes an image and removes what it made. It speaks
through the AWS SDK for Go of the first version. A simulated guest has no SSH, so nothing is provisioned."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from client_story import CLIENTS, ClientStory

PATIENCE = {"Delay": 1, "MaxAttempts": 60}


class Story(ClientStory):
    def setUp(self):
        if not shutil.which("packer"):
            raise unittest.SkipTest("skipped: packer is not installed")
        super().setUp()

    def build(self):
        """The id of the image that Packer made."""
        subnet = self.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]["SubnetId"]
        variables = {"endpoint": self.virga.endpoint, "source": self.image_id, "subnet": subnet}
        environment = {k: v for k, v in self.account.environment().items() if not k.startswith(("PACKER_", "PKR_"))}
        environment.update(AWS_POLL_DELAY_SECONDS="1", CHECKPOINT_DISABLE="1", HOME=self.virga.home)
        done = subprocess.run(["packer", "build", "-machine-readable", *("-var=%s=%s" % v for v in variables.items()),
                               os.path.join(CLIENTS, "packer", "image.json")], env=environment, cwd=self.virga.home, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout)
        return re.search(r",artifact,0,id,us-east-1:(ami-\w+)", done.stdout).group(1)

    def test_an_image_is_made_and_launched(self):
        made = self.build()
        image = self.only(self.ec2.describe_images(ImageIds=[made])["Images"])
        self.assertEqual((image["Name"], image["Description"], image["State"]), ("packer", "of Packer", "available"))
        snapshots = [m["Ebs"]["SnapshotId"] for m in image["BlockDeviceMappings"]]
        self.assertEqual(len(snapshots), 2)
        tagged = self.ec2.describe_tags(Filters=[{"Name": "value", "Values": ["packer"]}])["Tags"]
        self.assertEqual({t["ResourceId"] for t in tagged}, {made, *snapshots})

        launched = self.only(self.ec2.run_instances(ImageId=made, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"])
        instances = [launched["InstanceId"]]
        self.ec2.get_waiter("instance_running").wait(InstanceIds=instances, WaiterConfig=PATIENCE)
        self.ec2.terminate_instances(InstanceIds=instances)
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=instances, WaiterConfig=PATIENCE)
        self.ec2.deregister_image(ImageId=made)
        for snapshot in snapshots:
            self.ec2.delete_snapshot(SnapshotId=snapshot)
        self.assert_as_before()


if __name__ == "__main__":
    harness.main()
