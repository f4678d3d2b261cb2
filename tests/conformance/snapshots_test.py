#!/usr/bin/env python3
"""Snapshots and the volumes made from them, as boto3 sees them, on the simulated host."""
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from harness import error_code, wait_for

SHORT = {"Delay": 1, "MaxAttempts": 60}


def setUpModule():
    harness.require_boto3()
    global virga, ec2, image, zone, account
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    image = virga.import_image()
    ec2 = account.client()
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]


def volume_of(volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def look(snapshot):
    return ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]


def make_volume(size=1, **arguments):
    arguments.setdefault("Size", size)
    volume = ec2.create_volume(AvailabilityZone=zone, **{k: v for k, v in arguments.items() if v})["VolumeId"]
    wait_for("the volume", lambda: volume_of(volume)["State"] == "available")
    return volume


def make(volume, **arguments):
    snapshot = ec2.create_snapshot(VolumeId=volume, **arguments)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=SHORT)
    return snapshot


def gone(volume):
    return error_code(ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound"


class Snapshots(unittest.TestCase):
    def run_instance(self, **arguments):
        instance = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, **arguments)["Instances"][0]
        self.addCleanup(ec2.terminate_instances, InstanceIds=[instance["InstanceId"]])
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance["InstanceId"]], WaiterConfig=SHORT)
        return ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]

    def fault(self, **fault):
        with socket.socket(socket.AF_UNIX) as host:
            host.connect(os.path.join(virga.home, "run", "host", "host.sock"))
            body = json.dumps(fault)
            host.sendall(("POST /v1/simulate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nConnection: close\r\n"
                          "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
            self.assertIn(b" 204 ", host.recv(65536).split(b"\r\n")[0])

    def test_a_snapshot_outlives_its_volume_and_volumes_outlive_it(self):
        volume = make_volume(2)
        begun = ec2.create_snapshot(VolumeId=volume, Description="nightly", TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": "one"}]}])
        self.assertEqual((begun["State"], begun["VolumeSize"], begun["OwnerId"]), ("pending", 2, account.id))
        ec2.delete_volume(VolumeId=volume)  # at once: what is being copied stays until it is
        snapshot = begun["SnapshotId"]
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=SHORT)
        wait_for("the volume to go", lambda: gone(volume))
        seen = look(snapshot)
        self.assertEqual((seen["Progress"], seen["VolumeId"], seen["Description"]), ("100%", volume, "nightly"))
        self.assertGreaterEqual(seen["CompletionTime"].timestamp(), int(seen["StartTime"].timestamp()))
        self.assertEqual(seen["Tags"], [{"Key": "Name", "Value": "one"}])
        restored, larger = make_volume(None, SnapshotId=snapshot), make_volume(5, SnapshotId=snapshot)
        self.assertEqual([(volume_of(v)["Size"], volume_of(v)["SnapshotId"]) for v in (restored, larger)], [(2, snapshot), (5, snapshot)])
        ec2.delete_snapshot(SnapshotId=snapshot)
        self.assertEqual(error_code(ec2.describe_snapshots, SnapshotIds=[snapshot]), "InvalidSnapshot.NotFound")
        self.assertEqual(error_code(ec2.create_volume, AvailabilityZone=zone, SnapshotId=snapshot), "InvalidSnapshot.NotFound")
        again = make(restored)  # what lies on a deleted snapshot is as good as any
        for one in (restored, larger):
            self.assertEqual(volume_of(one)["SnapshotId"], snapshot)
            ec2.delete_volume(VolumeId=one)
            wait_for("the volume to go", lambda: gone(one))
        ec2.delete_snapshot(SnapshotId=again)

    def test_a_snapshot_that_is_deleted_before_its_volumes_are_made_still_makes_them(self):
        snapshot = make(make_volume())
        volumes = [ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot)["VolumeId"] for _ in range(5)]
        ec2.delete_snapshot(SnapshotId=snapshot)
        for volume in volumes:
            wait_for("the volume", lambda: volume_of(volume)["State"] == "available")

    def test_the_volumes_of_a_running_guest_are_copied_one_after_the_other(self):
        data = [{"DeviceName": "/dev/sd" + letter, "Ebs": {"VolumeSize": 1}} for letter in "fg"]
        instance = self.run_instance(BlockDeviceMappings=data)
        volumes = [m["Ebs"]["VolumeId"] for m in instance["BlockDeviceMappings"]]
        self.assertEqual(len(volumes), 3)
        snapshots = [ec2.create_snapshot(VolumeId=v)["SnapshotId"] for v in volumes]
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=snapshots, WaiterConfig=SHORT)
        self.assertEqual([look(s)["VolumeId"] for s in snapshots], volumes)

    def test_a_launch_has_data_volumes_from_snapshots(self):
        snapshot = make(make_volume(3))
        instance = self.run_instance(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}])
        mapped = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in instance["BlockDeviceMappings"]}
        self.assertEqual((volume_of(mapped["/dev/sdf"])["Size"], volume_of(mapped["/dev/sdf"])["SnapshotId"]), (3, snapshot))
        self.assertEqual(error_code(ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1, BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot, "VolumeSize": 2}}]), "InvalidBlockDeviceMapping")

    def test_the_host_begins_again_what_failed(self):
        volume = make_volume()
        self.fault(fault="fail", object="*", count=3)
        self.fault(fault="hang", object="*", count=1, delay_ms=500)
        make(volume)

    def test_a_volume_that_grows_while_it_is_copied(self):
        volume = make_volume()
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        ec2.modify_volume(VolumeId=volume, Size=4)
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=SHORT)
        self.assertIn(look(snapshot)["VolumeSize"], (1, 4))
        make_volume(None, SnapshotId=snapshot)

    def test_pages_and_owners(self):
        volume = make_volume()
        made = sorted(make(volume) for _ in range(6))
        mine = [{"Name": "volume-id", "Values": [volume]}]
        pages = list(ec2.get_paginator("describe_snapshots").paginate(Filters=mine, PaginationConfig={"PageSize": 5}))
        self.assertEqual([[s["SnapshotId"] for s in page["Snapshots"]] for page in pages], [made[:5], made[5:]])
        count = lambda **arguments: len(ec2.describe_snapshots(Filters=mine, **arguments)["Snapshots"])
        self.assertEqual([count(OwnerIds=[who]) for who in ("self", account.id, "amazon", "999999999999")], [6, 6, 0, 0])
        self.assertEqual([count(RestorableByUserIds=[who]) for who in ("self", account.id, "all")], [6, 6, 0])


if __name__ == "__main__":
    harness.main()
