#!/usr/bin/env python3
"""Volumes that change, as boto3 sees them, on the simulated host: modifications, status, attributes, filters, pages."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from harness import error_code, wait_for


def setUpModule():
    harness.require_boto3()
    global virga, ec2, image, zone
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    image = virga.import_image()
    ec2 = account.client()
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]


def look(volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def make(size=1, **arguments):
    volume = ec2.create_volume(AvailabilityZone=zone, Size=size, **arguments)["VolumeId"]
    wait_for("the volume", lambda: look(volume)["State"] == "available")
    return volume


def modification(volume):
    return ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]


def wait_completed(volume):
    wait_for("the modification", lambda: modification(volume)["ModificationState"] == "completed")


class Modifications(unittest.TestCase):
    def test_a_detached_volume_grows_and_changes_its_type(self):
        volume = make()
        self.assertEqual(error_code(ec2.describe_volumes_modifications, VolumeIds=[volume]), "InvalidVolumeModification.NotFound")
        made = ec2.modify_volume(VolumeId=volume, Size=10, VolumeType="gp3", Iops=4000, Throughput=500)["VolumeModification"]
        self.assertEqual((made["ModificationState"], made["OriginalSize"], made["TargetSize"], made["Progress"]), ("modifying", 1, 10, 0))
        wait_completed(volume)
        seen = look(volume)
        self.assertEqual((seen["Size"], seen["VolumeType"], seen["Iops"], seen["Throughput"]), (10, "gp3", 4000, 500))
        done = modification(volume)
        self.assertEqual((done["Progress"], done["TargetIops"], done["OriginalVolumeType"]), (100, 4000, "gp2"))
        self.assertGreaterEqual(done["EndTime"], done["StartTime"])
        self.assertEqual(error_code(ec2.modify_volume, VolumeId=volume, Size=9), "InvalidParameterValue")
        self.assertEqual(error_code(ec2.modify_volume, VolumeId=volume, VolumeType="io1", Iops=100000), "InvalidParameterValue")
        ec2.delete_volume(VolumeId=volume)
        wait_for("gone", lambda: error_code(ec2.describe_volumes_modifications, VolumeIds=[volume]) == "InvalidVolume.NotFound")

    def test_volumes_of_running_and_stopped_instances_grow(self):
        instance = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        root = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        size = look(root)["Size"]
        ec2.modify_volume(VolumeId=root, Size=size + 1)
        wait_completed(root)
        ec2.stop_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ec2.modify_volume(VolumeId=root, Size=size + 2)
        wait_completed(root)
        self.assertEqual((look(root)["Size"], look(root)["State"]), (size + 2, "in-use"))
        ec2.terminate_instances(InstanceIds=[instance])

    def test_filters_and_pages(self):
        volumes = sorted(make() for _ in range(6))
        for number, volume in enumerate(volumes):
            ec2.modify_volume(VolumeId=volume, Size=20 + number)
            wait_completed(volume)
        found = lambda name, value: [m["VolumeId"] for m in ec2.describe_volumes_modifications(
            VolumeIds=volumes, Filters=[{"Name": name, "Values": [value]}])["VolumesModifications"]]
        started = modification(volumes[0])["StartTime"].strftime("%Y-%m-%dT*")
        for name, value, some, other in (
                ("volume-id", volumes[2], volumes[2:3], "vol-0"), ("target-size", "23", volumes[3:4], "24?"),
                ("original-size", "1", volumes, "2"), ("modification-state", "completed", volumes, "failed"),
                ("target-volume-type", "gp2", volumes, "gp3"), ("original-volume-type", "gp*", volumes, "io*"),
                ("original-iops", "100", volumes, "3000"), ("target-iops", "100", volumes, "3000"),
                ("originalMultiAttachEnabled", "false", volumes, "true"),
                ("targetMultiAttachEnabled", "false", volumes, "true"), ("start-time", started, volumes, "1999*")):
            self.assertEqual((name, found(name, value)), (name, some))
            self.assertEqual((name, found(name, other)), (name, []))
        pages = list(ec2.get_paginator("describe_volumes_modifications").paginate(PaginationConfig={"PageSize": 5}))
        listed = [m["VolumeId"] for page in pages for m in page["VolumesModifications"]]
        self.assertEqual(listed, sorted(set(listed)))
        self.assertTrue(set(volumes) <= set(listed))
        self.assertGreater(len(pages), 1)


class Status(unittest.TestCase):
    def test_status_and_attributes(self):
        volume = make()
        status = lambda **a: ec2.describe_volume_status(**a)["VolumeStatuses"]
        item = status(VolumeIds=[volume])[0]
        self.assertEqual(item["VolumeStatus"], {"Status": "ok", "Details": [
            {"Name": "io-enabled", "Status": "passed"}, {"Name": "io-performance", "Status": "not-applicable"}]})
        self.assertEqual((item["AvailabilityZone"], item["Events"], item["Actions"]), (zone, [], []))
        ids = lambda name, value: [i["VolumeId"] for i in status(VolumeIds=[volume], Filters=[{"Name": name, "Values": [value]}])]
        for name, value, other in (("availability-zone", zone, "mars"), ("volume-status.status", "o?", "impaired"),
                                   ("volume-status.details-name", "io-enabled", "x"),
                                   ("volume-status.details-status", "passed", "failed")):
            self.assertEqual((name, ids(name, value), ids(name, other)), (name, [volume], []))
        for name in ("action.code", "action.description", "action.event-id", "event.description", "event.event-id",
                     "event.event-type", "event.not-after", "event.not-before"):
            self.assertEqual((name, ids(name, "*")), (name, []))
        self.assertIn(volume, [i["VolumeId"] for i in status(IncludeManagedResources=True)])
        self.assertEqual(error_code(status, VolumeIds=[volume], MaxResults=5), "InvalidParameterCombination")
        self.assertEqual(error_code(status, VolumeIds=["vol-00000000000000000"]), "InvalidVolume.NotFound")
        self.assertEqual(ec2.describe_volume_attribute(VolumeId=volume, Attribute="autoEnableIO")["AutoEnableIO"], {"Value": False})
        self.assertEqual(ec2.describe_volume_attribute(VolumeId=volume, Attribute="productCodes")["ProductCodes"], [])
        self.assertEqual(error_code(ec2.describe_volume_attribute, VolumeId=volume, Attribute="x"), "InvalidParameterValue")


if __name__ == "__main__":
    harness.main()
