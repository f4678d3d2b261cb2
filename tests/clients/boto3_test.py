#!/usr/bin/env python3
"""boto3 through one story on the simulated host, with its waiters and paginators."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from client_story import ClientStory


class Story(ClientStory):
    def setUp(self):
        super().setUp()
        self.client = self.account.client(retries={"max_attempts": 3, "mode": "standard"})

    def wait(self, name, **arguments):
        self.client.get_waiter(name).wait(**arguments, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def listed(self, method, field, size, **arguments):
        """Everything a paginator gives in pages of this size, and how many pages it took."""
        pages = list(self.client.get_paginator(method).paginate(**arguments, PaginationConfig={"PageSize": size}))
        return [item for page in pages for item in page[field]], len(pages)

    def make_network(self):
        ec2, made = self.client, {}
        ec2.create_key_pair(KeyName="boto3", KeyType="ed25519")
        self.wait("key_pair_exists", KeyNames=["boto3"])
        made["vpc"] = ec2.create_vpc(CidrBlock="10.80.0.0/16")["Vpc"]["VpcId"]
        self.wait("vpc_exists", VpcIds=[made["vpc"]])
        self.wait("vpc_available", VpcIds=[made["vpc"]])
        made["subnet"] = ec2.create_subnet(VpcId=made["vpc"], CidrBlock="10.80.1.0/24")["Subnet"]["SubnetId"]
        self.wait("subnet_available", SubnetIds=[made["subnet"]])
        made["gateway"] = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.wait("internet_gateway_exists", InternetGatewayIds=[made["gateway"]])
        ec2.attach_internet_gateway(InternetGatewayId=made["gateway"], VpcId=made["vpc"])
        made["table"] = ec2.create_route_table(VpcId=made["vpc"])["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=made["table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=made["gateway"])
        made["association"] = ec2.associate_route_table(RouteTableId=made["table"], SubnetId=made["subnet"])["AssociationId"]
        made["group"] = ec2.create_security_group(GroupName="boto3", Description="of boto3", VpcId=made["vpc"])["GroupId"]
        self.wait("security_group_exists", GroupIds=[made["group"]])
        ec2.authorize_security_group_ingress(GroupId=made["group"], IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
            for port in range(20, 30)])
        return made

    def remove_network(self, made):
        ec2 = self.client
        ec2.delete_security_group(GroupId=made["group"])
        ec2.disassociate_route_table(AssociationId=made["association"])
        ec2.delete_route_table(RouteTableId=made["table"])
        ec2.detach_internet_gateway(InternetGatewayId=made["gateway"], VpcId=made["vpc"])
        ec2.delete_internet_gateway(InternetGatewayId=made["gateway"])
        ec2.delete_subnet(SubnetId=made["subnet"])
        ec2.delete_vpc(VpcId=made["vpc"])
        ec2.delete_key_pair(KeyName="boto3")

    def launch(self, image, made, count=1):
        ran = self.client.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=count, MaxCount=count, KeyName="boto3",
                                        SubnetId=made["subnet"], SecurityGroupIds=[made["group"]])["Instances"]
        ids = [i["InstanceId"] for i in ran]
        for state in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
            self.wait(state, InstanceIds=ids)
        return ids

    def attach(self, instance):
        zone = self.client.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
        volume = self.client.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3")["VolumeId"]
        self.wait("volume_available", VolumeIds=[volume])
        self.client.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.wait("volume_in_use", VolumeIds=[volume])
        return volume

    def image_of(self, instance):
        image = self.client.create_image(InstanceId=instance, Name="boto3", NoReboot=True)["ImageId"]
        self.wait("image_exists", ImageIds=[image])
        self.wait("image_available", ImageIds=[image])
        return image

    def test_from_a_key_pair_to_a_clean_account(self):
        ec2, made = self.client, self.make_network()
        instances = self.launch(self.image_id, made, count=12)
        first = instances[0]
        volume = self.attach(first)
        snapshot = ec2.create_snapshot(VolumeId=volume, Description="of boto3")["SnapshotId"]
        self.wait("snapshot_completed", SnapshotIds=[snapshot])
        image = self.image_of(first)
        mapped = {m["DeviceName"]: m["Ebs"] for m in ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]}
        self.assertEqual(len(mapped), 2)
        second = self.only(self.launch(image, made))

        described = ec2.describe_instances(InstanceIds=[second])["Reservations"][0]["Instances"][0]
        bases = {m["DeviceName"]: self.only(ec2.describe_volumes(VolumeIds=[m["Ebs"]["VolumeId"]])["Volumes"])["SnapshotId"]
                 for m in described["BlockDeviceMappings"]}
        self.assertEqual(bases, {device: ebs["SnapshotId"] for device, ebs in mapped.items()})
        self.pages(instances + [second], made)

        ec2.stop_instances(InstanceIds=[first])
        self.wait("instance_stopped", InstanceIds=[first])
        ec2.detach_volume(VolumeId=volume)
        self.wait("volume_available", VolumeIds=[volume])
        ec2.delete_volume(VolumeId=volume)
        self.wait("volume_deleted", VolumeIds=[volume])
        ec2.terminate_instances(InstanceIds=instances + [second])
        self.wait("instance_terminated", InstanceIds=instances + [second])
        for left in ec2.describe_volumes()["Volumes"]:  # the data volume that came with the image
            ec2.delete_volume(VolumeId=left["VolumeId"])
            self.wait("volume_deleted", VolumeIds=[left["VolumeId"]])
        ec2.deregister_image(ImageId=image)
        for gone in [snapshot, *(ebs["SnapshotId"] for ebs in mapped.values())]:
            ec2.delete_snapshot(SnapshotId=gone)
        self.remove_network(made)
        self.assert_as_before()

    def pages(self, instances, made):
        """Pages give each item once, whatever their size, and the same as without pages."""
        reservations, pages = self.listed("describe_instances", "Reservations", 5)
        self.assertEqual(sorted(i["InstanceId"] for r in reservations for i in r["Instances"]), sorted(instances))
        volumes, pages = self.listed("describe_volumes", "Volumes", 5)
        self.assertEqual({v["VolumeId"] for v in volumes}, {v["VolumeId"] for v in self.client.describe_volumes()["Volumes"]})
        self.assertEqual(pages, -(-len(volumes) // 5))
        rules, pages = self.listed("describe_security_group_rules", "SecurityGroupRules", 5,
                                   Filters=[{"Name": "group-id", "Values": [made["group"]]}])
        self.assertEqual((len(rules), len({r["SecurityGroupRuleId"] for r in rules}), pages), (11, 11, 3))
        types, pages = self.listed("describe_instance_types", "InstanceTypes", 10)
        self.assertEqual(types, self.client.describe_instance_types()["InstanceTypes"])
        self.assertGreater(pages, 2)


if __name__ == "__main__":
    harness.main()
