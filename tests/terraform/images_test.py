#!/usr/bin/env python3
"""Snapshots and images by Terraform, on the simulated host: of volumes, of an instance, of snapshots; launched from, changed,
shared, and gone again with all that was made for them."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import terraform
from account_dump import account_dump

CONFIGURATION = os.path.join("tests", "terraform", "configurations", "images")


def setUpModule():
    harness.require_boto3()
    terraform.require_terraform()
    global virga, account, ec2, before, stack, provider
    virga = harness.Installation(simulate=True)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    virga.import_image()
    ec2 = account.client()
    before = account_dump(ec2)
    provider = terraform.Provider(account)
    provider.__enter__()
    unittest.addModuleCleanup(provider.__exit__)
    stack = terraform.Stack(virga, account, CONFIGURATION, provider)
    stack.apply()


class Images(unittest.TestCase):
    """One stack through its life, in the order of the names."""

    def volumes(self, instance):
        """Device -> volume of an instance."""
        found = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
        return {v["Attachments"][0]["Device"]: v for v in found}

    def test_1_what_was_made_is_what_was_wanted(self):
        facts = stack.output()["facts"]
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)

        self.assertEqual(facts["read"], facts["snapshot"])
        self.assertEqual(facts["found"], [facts["snapshot"]])
        self.assertEqual((facts["size"], facts["restored"]), (3, 3))
        self.assertEqual((facts["root"], facts["mapped"]), (facts["made_root"], 2))
        source = ec2.describe_instances(InstanceIds=[facts["source"]])["Reservations"][0]["Instances"][0]
        self.assertEqual(source["State"]["Name"], "running")
        made = ec2.describe_images(ImageIds=[facts["made"]])["Images"][0]
        self.assertEqual(made["SourceInstanceId"], facts["source"])
        self.assertEqual({m["DeviceName"]: m["Ebs"]["VolumeSize"] for m in made["BlockDeviceMappings"]},
                         {"/dev/sda1": 1, "/dev/sdf": 2})
        launched = self.volumes(facts["launched"])
        self.assertEqual({d: (v["SnapshotId"], v["Size"]) for d, v in launched.items()},
                         {"/dev/sda1": (facts["made_root"], 5), "/dev/sdg": (facts["snapshot"], 3)})

    def test_2_an_image_changes_in_place_and_is_shared(self):
        facts = stack.output()["facts"]
        friend = virga.account("friend")
        stack.apply(description="second", friend=friend.id)
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
        self.assertEqual(stack.output()["facts"], facts)
        self.assertEqual(friend.client().describe_images(ImageIds=[facts["registered"]])["Images"][0]["Description"], "second")

    def test_3_destroy_leaves_the_account_as_it_was(self):
        stack.destroy()
        self.assertEqual(stack.resources(), [])
        self.assertEqual([i["Name"] for i in ec2.describe_images(Owners=["self"])["Images"]], ["tiny"])
        self.assertEqual(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"], [])
        self.assertEqual(account_dump(ec2), before)


if __name__ == "__main__":
    harness.main()
