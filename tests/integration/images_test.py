#!/usr/bin/env python3
"""Images of real guests, through the public API: a guest is shut down, copied and started again, or copied while it runs; what
it had on its disks is what guests of the image find."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guests
import harness
from harness import error_code, wait_for

COPY_SECONDS = 240


def setUpModule():
    harness.require_boto3()
    harness.require_real_host()
    global virga, mine
    virga = harness.Installation(simulate=False)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    mine = guests.Guests(virga, account, virga.import_image())


def image_of(image):
    return mine.ec2.describe_images(ImageIds=[image])["Images"][0]


def wait_available(image):
    wait_for("the image", lambda: image_of(image)["State"] != "pending", COPY_SECONDS)
    return image_of(image)


class Images(unittest.TestCase):
    def test_a_guest_of_the_image_finds_what_the_copied_guest_wrote(self):
        source = mine.launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])[0]
        mine.wait_ready(source)
        mine.ssh(source, "echo before > /root/marker && dd if=/dev/urandom of=/dev/vdb bs=1M count=8 conv=notrunc && sync")
        data = mine.ssh(source, "dd if=/dev/vdb bs=1M count=8 2>/dev/null | sha256sum").stdout

        image = mine.ec2.create_image(InstanceId=source, Name="rebooted")["ImageId"]
        self.assertEqual(mine.state(source), "running")
        made = wait_available(image)
        self.assertEqual(made["State"], "available", made)
        self.assertEqual(mine.state(source), "running")
        mine.wait_ready(source, times=2)
        self.assertEqual(mine.ssh(source, "cat /root/marker").stdout, "before\n")

        live = mine.ec2.create_image(InstanceId=source, Name="live", NoReboot=True,
                                     BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "NoDevice": ""}])["ImageId"]
        self.assertEqual(wait_available(live)["State"], "available")
        mine.ec2.terminate_instances(InstanceIds=[source])
        copy = mine.launch(ImageId=image)[0]
        mine.wait_ready(copy)
        self.assertEqual(mine.ssh(copy, "cat /root/marker").stdout, "before\n")
        self.assertEqual(mine.ssh(copy, "dd if=/dev/vdb bs=1M count=8 2>/dev/null | sha256sum").stdout, data)

        # A running guest does not need the image it was launched from, nor its snapshots.
        for one in (image, live):
            done = mine.ec2.deregister_image(ImageId=one, DeleteAssociatedSnapshots=True)
            self.assertEqual({r["ReturnCode"] for r in done["DeleteSnapshotResults"]}, {"success"})
        wait_for("the snapshots to go", lambda: not mine.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"], 60)
        self.assertEqual(error_code(mine.ec2.describe_images, ImageIds=[image]), "InvalidAMIID.NotFound")
        mine.ssh(copy, "echo 3 > /proc/sys/vm/drop_caches")
        self.assertEqual(mine.ssh(copy, "dd if=/dev/vdb bs=1M count=8 2>/dev/null | sha256sum").stdout, data)

        mine.ec2.terminate_instances(InstanceIds=[copy])
        for guest in (source, copy):
            mine.wait_state(guest, "terminated")
        virga.assert_clean(self, 60)


if __name__ == "__main__":
    harness.main()
