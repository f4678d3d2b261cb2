#!/usr/bin/env python3
"""Images of instances, as boto3 sees them, on the simulated host: waiters, launches from them, and what the user does or a
crash of the control role interrupts while a guest is held off for its copies."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from harness import error_code, wait_for

SHORT = {"Delay": 1, "MaxAttempts": 90}


def setUpModule():
    harness.require_boto3()
    global virga, ec2, image
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    image = virga.import_image()
    ec2 = account.client()


def row(instance):
    """(how often it was started, whether it is held off for an image), which no answer tells."""
    database = sqlite3.connect("file:%s/state/control/virga.db?mode=ro" % virga.home, uri=True)
    try:
        return database.execute("SELECT start_number, image_hold IS NOT NULL FROM instance WHERE id = ?", (instance,)).fetchone()
    finally:
        database.close()


def state(instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def image_of(made):
    return ec2.describe_images(ImageIds=[made])["Images"][0]


class Images(unittest.TestCase):
    def guest(self, **arguments):
        instance = ec2.run_instances(ImageId=arguments.pop("of", image), InstanceType="t3.nano", MinCount=1, MaxCount=1,
                                     **arguments)["Instances"][0]["InstanceId"]
        self.addCleanup(ec2.terminate_instances, InstanceIds=[instance])
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=SHORT)
        return instance

    def make(self, instance, **arguments):
        return ec2.create_image(InstanceId=instance, Name=self._testMethodName + os.urandom(3).hex(), **arguments)["ImageId"]

    def wait_available(self, made):
        ec2.get_waiter("image_available").wait(ImageIds=[made], WaiterConfig=SHORT)

    def assert_started_again(self, instance, before):
        wait_for("the end of the hold", lambda: row(instance) == (before + 1, 0))
        self.assertEqual(state(instance), "running")

    def test_an_image_is_made_with_a_reboot_launched_from_and_removed(self):
        source = self.guest(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}])
        before = row(source)[0]
        made = self.make(source)
        self.wait_available(made)
        self.assert_started_again(source, before)
        copy = self.guest(of=made)
        volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [copy]}])["Volumes"]
        mapped = [m["Ebs"]["SnapshotId"] for m in image_of(made)["BlockDeviceMappings"]]
        self.assertEqual(sorted(v["SnapshotId"] for v in volumes), sorted(mapped))
        self.assertEqual(error_code(ec2.delete_snapshot, SnapshotId=mapped[0]), "InvalidSnapshot.InUse")
        ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)
        self.assertEqual(error_code(ec2.describe_images, ImageIds=[made]), "InvalidAMIID.NotFound")
        self.assertEqual(error_code(ec2.describe_snapshots, SnapshotIds=mapped), "InvalidSnapshot.NotFound")
        self.assertEqual(state(copy), "running")

    def test_a_killed_control_role_goes_on_wherever_it_was(self):
        source = self.guest()
        stages = {"asked": lambda made: True,
                  "copying": lambda made: self.waiting(made) == 0,
                  "copied": lambda made: image_of(made)["State"] == "available"}
        for stage, reached in stages.items():
            with self.subTest(killed=stage):
                before = row(source)[0]
                made = self.make(source)
                wait_for(stage, lambda: reached(made), pause=0.01)
                virga.kill("control")
                virga.start_role("control")
                virga.wait_ready(60)
                self.wait_available(made)
                self.assert_started_again(source, before)

    @staticmethod
    def waiting(_):
        """How many snapshots wait for their guest to be off."""
        database = sqlite3.connect("file:%s/state/control/virga.db?mode=ro" % virga.home, uri=True)
        try:
            return database.execute("SELECT count(*) FROM snapshot WHERE waits_for IS NOT NULL").fetchone()[0]
        finally:
            database.close()

    def test_who_stops_or_terminates_the_instance_meanwhile_has_the_last_word(self):
        stopped, terminated = self.guest(), self.guest()
        images = [self.make(one) for one in (stopped, terminated)]
        ec2.stop_instances(InstanceIds=[stopped])
        ec2.terminate_instances(InstanceIds=[terminated])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[stopped], WaiterConfig=SHORT)
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[terminated], WaiterConfig=SHORT)
        self.wait_available(images[0])
        wait_for("the end of the hold", lambda: not row(stopped)[1])
        self.assertEqual(state(stopped), "stopped")
        wait_for("the end of the other image", lambda: image_of(images[1])["State"] in ("failed", "available"))
        wait_for("the volumes to go", lambda: "deleting" not in [v["State"] for v in ec2.describe_volumes()["Volumes"]])
        ec2.start_instances(InstanceIds=[stopped])
        ec2.get_waiter("instance_running").wait(InstanceIds=[stopped], WaiterConfig=SHORT)


if __name__ == "__main__":
    harness.main()
