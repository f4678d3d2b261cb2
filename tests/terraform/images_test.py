#!/usr/bin/env python3
"""Snapshots and images by Terraform, on the simulated host: of volumes, of an instance, of snapshots; launched from, changed,
shared, imported, made again after others deleted them, and gone again with all that was made for them."""
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

    def test_3_what_was_made_by_other_means_is_imported(self):
        facts = stack.output()["facts"]

        beyond = stack.import_all()

        self.assertEqual(beyond, {})
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
        self.assertEqual(stack.output()["facts"], facts)

    def change_behind_its_back(self, facts):
        """What others may do to snapshots and images; returns what Terraform has to do about it."""
        ec2.create_tags(Resources=[facts["snapshot"]], Tags=[{"Key": "Name", "Value": "elsewhere"}, {"Key": "More"}])
        ec2.modify_image_attribute(ImageId=facts["registered"], Description={"Value": "elsewhere"})
        ec2.reset_image_attribute(ImageId=facts["registered"], Attribute="launchPermission")
        ec2.delete_tags(Resources=[facts["made"]], Tags=[{"Key": "Name"}])
        lone = facts["lone"]
        made = ec2.describe_images(ImageIds=[lone["made"]])["Images"][0]
        left = [m["Ebs"]["SnapshotId"] for m in made["BlockDeviceMappings"]]
        for image in (lone["registered"], lone["made"]):
            ec2.deregister_image(ImageId=image)
        for snapshot in (lone["snapshot"], *left):
            ec2.delete_snapshot(SnapshotId=snapshot)
        return {"aws_ebs_snapshot.this": "update", "aws_ami.this": "update", "aws_ami_launch_permission.this[0]": "create",
                "aws_ami_from_instance.this": "update", "aws_ebs_snapshot.lone": "create", "aws_ami.lone": "create",
                "aws_ami_from_instance.lone": "create"}

    def test_4_what_others_changed_is_noticed_and_healed(self):
        facts = stack.output()["facts"]
        wanted = self.change_behind_its_back(facts)

        planned = stack.planned()

        self.assertEqual(planned, wanted)
        stack.run("apply", "-auto-approve", "wanted")
        self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
        healed = stack.output()["facts"]
        old, new = facts.pop("lone"), healed.pop("lone")
        self.assertEqual(healed, facts)
        self.assertEqual({what for what in new if new[what] == old[what]}, set())
        self.assertEqual(ec2.describe_snapshots(SnapshotIds=[facts["snapshot"]])["Snapshots"][0]["Tags"],
                         [{"Key": "Name", "Value": "copied"}])
        shared = virga.account("friend").client().describe_images(ImageIds=[facts["registered"]])["Images"][0]
        self.assertEqual(shared["Description"], "second")

    def test_5_destroy_leaves_the_account_as_it_was(self):
        stack.destroy()
        self.assertEqual(stack.resources(), [])
        self.assertEqual([i["Name"] for i in ec2.describe_images(Owners=["self"])["Images"]], ["tiny"])
        self.assertEqual(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"], [])
        self.assertEqual(account_dump(ec2), before)


if __name__ == "__main__":
    harness.main()
