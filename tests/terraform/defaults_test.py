#!/usr/bin/env python3
"""Terraform's resources that take over what an account has already, and those that change one thing of another resource, on
the simulated host."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import terraform
from account_dump import account_dump

CONFIGURATION = os.path.join("tests", "terraform", "configurations", "defaults")

# What Terraform leaves behind on purpose: a default resource is only given up, with the tags it got.
GIVEN_UP = ("vpc-", "subnet-")


class Defaults(unittest.TestCase):
    def test_they_are_taken_over_changed_imported_and_given_up(self):
        harness.require_boto3()
        terraform.require_terraform()
        with harness.Installation(simulate=True) as virga:
            account = virga.account()
            virga.import_image()
            ec2 = account.client()
            before = account_dump(ec2)
            with terraform.Provider(account) as provider:
                stack = terraform.Stack(virga, account, CONFIGURATION, provider)
                stack.apply(parallelism=50)
                self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
                self.check(ec2, stack, "running", "one")
                stack.apply(state="stopped", added="two")
                self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
                self.check(ec2, stack, "stopped", "two")
                self.assertEqual({a for a, change in stack.import_all().items() if change != "update"}, set())
                self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
                stack.destroy(parallelism=50)
                self.assertEqual(stack.resources(), [])
            self.check_as_before(ec2, before)

    def check(self, ec2, stack, state, added):
        facts = stack.output()["facts"]
        instance = ec2.describe_instances(InstanceIds=[facts["instance"]])["Reservations"][0]["Instances"][0]
        self.assertEqual(instance["State"]["Name"], state)
        self.assertEqual(instance["Tags"], [{"Key": "Added", "Value": added}])
        self.assertIn(facts["group"], [g["GroupId"] for g in instance["SecurityGroups"]])
        tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [facts["other"]]},
                                                    {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
        self.assertEqual([t["RouteTableId"] for t in tables], [facts["table"]])

    def check_as_before(self, ec2, before):
        left = account_dump(ec2)["Tags"]
        self.assertEqual({(t["Key"], t["Value"]) for t in left}, {("Name", "default")})
        self.assertEqual(len(left), len(GIVEN_UP))
        for tag in left:
            self.assertTrue(tag["ResourceId"].startswith(GIVEN_UP), tag)
            ec2.delete_tags(Resources=[tag["ResourceId"]])
        for subnet in ec2.describe_subnets()["Subnets"]:
            ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
        self.assertEqual(account_dump(ec2), before)


if __name__ == "__main__":
    harness.main()
