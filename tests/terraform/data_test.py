#!/usr/bin/env python3
"""Terraform's data sources, on the simulated host: each is read once and says what boto3 says."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
import terraform
from account_dump import account_dump
from samples import PUBLIC_KEY

CONFIGURATION = os.path.join("tests", "terraform", "configurations", "data")


class DataSources(unittest.TestCase):
    def test_every_data_source_says_what_is_there(self):
        harness.require_boto3()
        terraform.require_terraform()
        with harness.Installation(simulate=True) as virga:
            account = virga.account()
            image = virga.import_image()
            ec2 = account.client()
            before = account_dump(ec2)
            with terraform.Provider(account) as provider:
                stack = terraform.Stack(virga, account, CONFIGURATION, provider, public_key=PUBLIC_KEY.decode())
                stack.apply()
                self.assertEqual(stack.plan(), terraform.NOTHING_TO_DO)
                read, wanted = stack.output()["read"], self.facts(account, ec2, image)
                self.assertEqual({k: read[k] for k in wanted}, wanted)
                self.assertIn("t3.nano", read["burstable"])
                self.assertNotIn("m5.large", read["burstable"])
                self.assertEqual(len(read["acls"]), 1)
                stack.destroy()
            self.assertEqual(account_dump(ec2), before)

    def facts(self, account, ec2, image):
        def only(items):
            self.assertEqual(len(items), 1)
            return items[0]

        def of_default(method, name, key="vpc-id"):
            return only(getattr(ec2, method)(Filters=[{"Name": key, "Values": [vpc]}])[name])

        vpc = only(ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"])["VpcId"]
        own = only(ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["read"]}])["Vpcs"])["VpcId"]
        subnet = only([s for s in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
                       if s["AvailabilityZone"] == "us-east-1a"])
        gateway = of_default("describe_internet_gateways", "InternetGateways", "attachment.vpc-id")["InternetGatewayId"]
        group = of_default("describe_security_groups", "SecurityGroups")["GroupId"]
        table = of_default("describe_route_tables", "RouteTables")["RouteTableId"]
        instance = only(only(ec2.describe_instances()["Reservations"])["Instances"])
        interface = only(instance["NetworkInterfaces"])["NetworkInterfaceId"]
        volume = only(instance["BlockDeviceMappings"])["Ebs"]["VolumeId"]
        address = only(ec2.describe_addresses()["Addresses"])
        return {"account": account.id, "region": "us-east-1", "zone": subnet["AvailabilityZone"], "default_vpc": vpc,
                "vpcs": [own], "subnet": subnet["SubnetId"], "subnet_vpc": vpc, "gateway": gateway, "gateway_of": gateway,
                "groups": [group], "group": group, "rule_group": group, "tables": [table], "table": table, "image": image,
                "images": [image], "memory": 512, "offering": "t3.micro",
                "key": only(ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"])["PublicKey"],
                "instance": instance["InstanceId"], "instances": [instance["InstanceId"]],
                "address": instance["PrivateIpAddress"], "interface": instance["PrivateIpAddress"],
                "interfaces": [interface], "volume": volume, "volumes": [volume], "public": [address["PublicIp"]] * 3,
                "publics": [address["AllocationId"]]}


if __name__ == "__main__":
    harness.main()
