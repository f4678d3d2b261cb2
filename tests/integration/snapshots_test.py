#!/usr/bin/env python3
"""Snapshots of real guests' volumes, through the public API: QEMU copies a disk while its guest writes to it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guests
import harness
from harness import error_code, wait_for

COPY_SECONDS = 180


def setUpModule():
    harness.require_boto3()
    harness.require_real_host()
    global virga, mine
    virga = harness.Installation(simulate=False)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    mine = guests.Guests(virga, account, virga.import_image())


def volume_of(volume):
    return mine.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def snapshot_of(snapshot):
    return mine.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]


def find_disk(volume):
    return ("for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" = %s ] && echo /dev/${d##*/}; done; true"
            % volume.replace("-", ""))


def attach(guest, volume, device):
    """Attaches the volume; its name in the guest."""
    wait_for("available", lambda: volume_of(volume)["State"] == "available", 60)
    mine.ec2.attach_volume(InstanceId=guest, VolumeId=volume, Device=device)
    wait_for("attached", lambda: [x["State"] for x in volume_of(volume)["Attachments"]] == ["attached"], 60)
    return wait_for("the disk in the guest", lambda: mine.ssh(guest, find_disk(volume)).stdout.strip(), 60)


def checksum(guest, device, mebibytes):
    return mine.ssh(guest, "dd if=%s bs=1M count=%d 2>/dev/null | sha256sum" % (device, mebibytes)).stdout


class Snapshots(unittest.TestCase):
    def test_a_running_guests_disk_is_copied_and_lives_on_in_another_guest(self):
        one, two = mine.launch(), mine.launch()
        one, two = one[0], two[0]
        zone = mine.describe(one)["Placement"]["AvailabilityZone"]
        source = mine.ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
        mine.wait_ready(one, two)
        device = attach(one, source, "/dev/sdf")
        mine.ssh(one, "dd if=/dev/urandom of=%s bs=1M count=16 conv=notrunc && sync" % device)
        before = checksum(one, device, 16)

        taken = mine.ec2.create_snapshot(VolumeId=source, Description="of a guest that runs")
        snapshot = taken["SnapshotId"]
        self.assertEqual(taken["State"], "pending")
        wait_for("completed", lambda: snapshot_of(snapshot)["State"] == "completed", COPY_SECONDS)
        self.assertEqual(snapshot_of(snapshot)["Progress"], "100%")
        self.assertEqual(mine.state(one), "running")
        # What the guest writes now is in its volume alone.
        mine.ssh(one, "dd if=/dev/urandom of=%s bs=1M count=16 conv=notrunc && sync" % device)
        after = checksum(one, device, 16)
        self.assertNotEqual(after, before)

        copy = mine.ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot, Size=2)["VolumeId"]
        second = attach(two, copy, "/dev/sdg")
        self.assertEqual(mine.ssh(two, "cat /sys/block/%s/size" % os.path.basename(second)).stdout.strip(), str(2 << 21))
        self.assertEqual(checksum(two, second, 16), before)
        self.assertEqual(checksum(one, device, 16), after)

        # The snapshot may go before the volume made from it.
        mine.ec2.delete_snapshot(SnapshotId=snapshot)
        wait_for("gone", lambda: error_code(mine.ec2.describe_snapshots, SnapshotIds=[snapshot]) ==
                 "InvalidSnapshot.NotFound", 60)
        mine.ssh(two, "echo 3 > /proc/sys/vm/drop_caches")
        self.assertEqual(checksum(two, second, 16), before)

        mine.ec2.terminate_instances(InstanceIds=[one, two])
        for guest in (one, two):
            mine.wait_state(guest, "terminated")
        for volume in (source, copy):
            wait_for("available", lambda: volume_of(volume)["State"] == "available", 60)
            mine.ec2.delete_volume(VolumeId=volume)
        for volume in (source, copy):
            wait_for("gone", lambda: error_code(mine.ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound", 60)
        virga.assert_clean(self, 60)


if __name__ == "__main__":
    harness.main()
