#!/usr/bin/env python3
"""aws-cli through one story on the simulated host: its wait commands, --query, and its pages."""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from client_story import ClientStory


class Story(ClientStory):
    def setUp(self):
        if not shutil.which("aws"):
            raise unittest.SkipTest("skipped: aws-cli (awscli) is not installed")
        super().setUp()

    def aws(self, action, *options, refused=False):
        """What `aws ec2 ACTION` answers: text where --query asks for one thing, else what the JSON says; its complaint where
        it is to be refused."""
        text = "--query" in options
        done = subprocess.run(["aws", "--endpoint-url", self.virga.endpoint, "--output", "text" if text else "json", "ec2",
                               *action.split(), *options], env=self.account.environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode != 0, refused, "%s %s: %s" % (action, options, done.stderr))
        if refused:
            return done.stderr
        return done.stdout.strip() if text else json.loads(done.stdout or "{}")

    def make_network(self):
        made, aws = {}, self.aws
        self.assertIn("PRIVATE KEY", aws("create-key-pair", "--key-name", "cli", "--query", "KeyMaterial"))
        made["vpc"] = aws("create-vpc", "--cidr-block", "10.80.0.0/16", "--query", "Vpc.VpcId",
                          "--tag-specifications", "ResourceType=vpc,Tags=[{Key=Name,Value=cli}]")
        aws("wait vpc-available", "--filters", "Name=tag:Name,Values=cli")
        made["subnet"] = aws("create-subnet", "--vpc-id", made["vpc"], "--cidr-block", "10.80.1.0/24", "--query", "Subnet.SubnetId")
        aws("modify-subnet-attribute", "--subnet-id", made["subnet"], "--map-public-ip-on-launch")
        made["gateway"] = aws("create-internet-gateway", "--query", "InternetGateway.InternetGatewayId")
        aws("attach-internet-gateway", "--internet-gateway-id", made["gateway"], "--vpc-id", made["vpc"])
        made["table"] = aws("create-route-table", "--vpc-id", made["vpc"], "--query", "RouteTable.RouteTableId")
        aws("create-route", "--route-table-id", made["table"], "--destination-cidr-block", "0.0.0.0/0",
            "--gateway-id", made["gateway"])
        made["association"] = aws("associate-route-table", "--route-table-id", made["table"], "--subnet-id", made["subnet"],
                                  "--query", "AssociationId")
        made["group"] = aws("create-security-group", "--group-name", "cli", "--description", "of aws-cli", "--vpc-id",
                            made["vpc"], "--query", "GroupId")
        aws("authorize-security-group-ingress", "--group-id", made["group"], "--protocol", "tcp", "--port", "22",
            "--cidr", "10.0.0.0/8")
        return made

    def remove_network(self, made):
        aws = self.aws
        self.assertIn("DependencyViolation", aws("delete-vpc", "--vpc-id", made["vpc"], refused=True))
        aws("delete-security-group", "--group-id", made["group"])
        aws("disassociate-route-table", "--association-id", made["association"])
        aws("delete-route-table", "--route-table-id", made["table"])
        aws("detach-internet-gateway", "--internet-gateway-id", made["gateway"], "--vpc-id", made["vpc"])
        aws("delete-internet-gateway", "--internet-gateway-id", made["gateway"])
        aws("delete-subnet", "--subnet-id", made["subnet"])
        aws("delete-vpc", "--vpc-id", made["vpc"])
        aws("delete-key-pair", "--key-name", "cli")

    def launch(self, image, made):
        instance = self.aws("run-instances", "--image-id", image, "--instance-type", "t3.nano", "--key-name", "cli",
                            "--subnet-id", made["subnet"], "--security-group-ids", made["group"], "--user-data", "#!/bin/true",
                            "--query", "Instances[0].InstanceId")
        self.aws("wait instance-running", "--instance-ids", instance)
        return instance

    def test_from_a_key_pair_to_a_clean_account(self):
        aws, made = self.aws, self.make_network()
        first = self.launch(self.image_id, made)
        volume = aws("create-volume", "--availability-zone", "us-east-1a", "--size", "1", "--query", "VolumeId")
        aws("wait volume-available", "--volume-ids", volume)
        aws("attach-volume", "--volume-id", volume, "--instance-id", first, "--device", "/dev/sdf")
        aws("wait volume-in-use", "--volume-ids", volume)

        snapshot = aws("create-snapshot", "--volume-id", volume, "--query", "SnapshotId")
        aws("wait snapshot-completed", "--snapshot-ids", snapshot)
        aws("detach-volume", "--volume-id", volume)
        aws("wait volume-available", "--volume-ids", volume)
        aws("delete-volume", "--volume-id", volume)
        aws("wait volume-deleted", "--volume-ids", volume)
        image = aws("create-image", "--instance-id", first, "--name", "cli", "--no-reboot", "--query", "ImageId")
        aws("wait image-available", "--image-ids", image)
        second = self.launch(image, made)
        self.pages({first, second})

        aws("terminate-instances", "--instance-ids", first, second)
        aws("wait instance-terminated", "--instance-ids", first, second)
        roots = aws("describe-images", "--image-ids", image, "--query", "Images[0].BlockDeviceMappings[].Ebs.SnapshotId").split()
        aws("deregister-image", "--image-id", image)
        for gone in [snapshot, *roots]:
            aws("delete-snapshot", "--snapshot-id", gone)
        self.remove_network(made)
        self.assert_as_before()

    def pages(self, instances):
        """--page-size is what the service is asked for, --max-items what the user is shown; a token goes on from there."""
        described = self.aws("describe-instances", "--page-size", "5", "--query", "Reservations[].Instances[].[InstanceId]",
                             "--filters", "Name=instance-state-name,Values=run*")
        self.assertEqual(set(described.split()), instances)
        whole = [t["InstanceType"] for t in self.aws("describe-instance-types", "--page-size", "7")["InstanceTypes"]]
        some = self.aws("describe-instance-types", "--page-size", "7", "--max-items", "10")
        rest = self.aws("describe-instance-types", "--page-size", "7", "--starting-token", some["NextToken"])
        self.assertEqual([t["InstanceType"] for t in some["InstanceTypes"] + rest["InstanceTypes"]], whole)
        self.assertEqual(len(some["InstanceTypes"]), 10)


if __name__ == "__main__":
    harness.main()
