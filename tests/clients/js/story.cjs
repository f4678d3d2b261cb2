// The AWS SDK for JavaScript (v3) through one story, with its waiters and paginators. Endpoint, region and keys are those of
// the environment. Arguments: the id of an image. Anything unexpected is an exit code other than 0.
"use strict";
const assert = require("node:assert/strict");
const { EC2, ...sdk } = require("@aws-sdk/client-ec2");

const ec2 = new EC2({});
const patience = { client: ec2, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };

/** Waits with a waiter of the SDK, which throws when the wait is in vain. */
const wait = (name, input) => sdk["waitUntil" + name](patience, input);

/** Everything that a paginator gives in pages of this size, and how many pages it took. */
async function listed(name, field, pageSize, input = {}) {
  const items = [];
  let pages = 0;
  for await (const page of sdk["paginate" + name]({ client: ec2, pageSize }, input)) {
    items.push(...(page[field] ?? []));
    pages += 1;
  }
  return { items, pages };
}

async function makeNetwork() {
  const key = await ec2.createKeyPair({ KeyName: "js", KeyType: "ed25519" });
  assert.match(key.KeyMaterial, /PRIVATE KEY/);
  const vpc = (await ec2.createVpc({ CidrBlock: "10.80.0.0/16" })).Vpc.VpcId;
  await wait("VpcAvailable", { VpcIds: [vpc] });
  const subnet = (await ec2.createSubnet({ VpcId: vpc, CidrBlock: "10.80.1.0/24" })).Subnet.SubnetId;
  await wait("SubnetAvailable", { SubnetIds: [subnet] });
  const gateway = (await ec2.createInternetGateway({})).InternetGateway.InternetGatewayId;
  await ec2.attachInternetGateway({ InternetGatewayId: gateway, VpcId: vpc });
  const table = (await ec2.createRouteTable({ VpcId: vpc })).RouteTable.RouteTableId;
  await ec2.createRoute({ RouteTableId: table, DestinationCidrBlock: "0.0.0.0/0", GatewayId: gateway });
  const association = (await ec2.associateRouteTable({ RouteTableId: table, SubnetId: subnet })).AssociationId;
  const group = (await ec2.createSecurityGroup({ GroupName: "js", Description: "of the SDK", VpcId: vpc })).GroupId;
  await wait("SecurityGroupExists", { GroupIds: [group] });
  const ports = [...Array(10).keys()].map((n) => 20 + n);
  await ec2.authorizeSecurityGroupIngress({
    GroupId: group,
    IpPermissions: ports.map((port) => (
      { IpProtocol: "tcp", FromPort: port, ToPort: port, IpRanges: [{ CidrIp: "10.0.0.0/8" }] })),
  });
  return { vpc, subnet, gateway, table, association, group };
}

async function removeNetwork({ vpc, subnet, gateway, table, association, group }) {
  await assert.rejects(ec2.deleteVpc({ VpcId: vpc }), { name: "DependencyViolation" });
  await ec2.deleteSecurityGroup({ GroupId: group });
  await ec2.disassociateRouteTable({ AssociationId: association });
  await ec2.deleteRouteTable({ RouteTableId: table });
  await ec2.detachInternetGateway({ InternetGatewayId: gateway, VpcId: vpc });
  await ec2.deleteInternetGateway({ InternetGatewayId: gateway });
  await ec2.deleteSubnet({ SubnetId: subnet });
  await ec2.deleteVpc({ VpcId: vpc });
  await ec2.deleteKeyPair({ KeyName: "js" });
}

async function launch(image, { subnet, group }, count) {
  const ran = await ec2.runInstances({
    ImageId: image, InstanceType: "t3.nano", MinCount: count, MaxCount: count, KeyName: "js", SubnetId: subnet,
    SecurityGroupIds: [group],
  });
  assert.ok(ran.Instances[0].LaunchTime instanceof Date);
  const InstanceIds = ran.Instances.map((instance) => instance.InstanceId);
  await wait("InstanceRunning", { InstanceIds });
  await wait("InstanceStatusOk", { InstanceIds });
  return InstanceIds;
}

async function attach(instance) {
  const AvailabilityZone = (await ec2.describeAvailabilityZones({})).AvailabilityZones[0].ZoneName;
  const volume = (await ec2.createVolume({ AvailabilityZone, Size: 1, VolumeType: "gp3" })).VolumeId;
  await wait("VolumeAvailable", { VolumeIds: [volume] });
  await ec2.attachVolume({ VolumeId: volume, InstanceId: instance, Device: "/dev/sdf" });
  await wait("VolumeInUse", { VolumeIds: [volume] });
  return volume;
}

async function remove(volume) {
  await ec2.deleteVolume({ VolumeId: volume });
  await wait("VolumeDeleted", { VolumeIds: [volume] });
}

/** Pages give each item once, whatever their size. */
async function pages(instances, group) {
  const reservations = (await listed("DescribeInstances", "Reservations", 5)).items;
  const found = reservations.flatMap((reservation) => reservation.Instances.map((instance) => instance.InstanceId));
  assert.deepEqual(found.sort(), [...instances].sort());
  const Filters = [{ Name: "group-id", Values: [group] }];
  const rules = await listed("DescribeSecurityGroupRules", "SecurityGroupRules", 5, { Filters });
  assert.deepEqual([new Set(rules.items.map((r) => r.SecurityGroupRuleId)).size, rules.pages], [11, 3]);
  const types = (await listed("DescribeInstanceTypes", "InstanceTypes", 10)).items;
  assert.deepEqual(types, (await ec2.describeInstanceTypes({})).InstanceTypes);
}

async function story(firstImage) {
  const made = await makeNetwork();
  const instances = await launch(firstImage, made, 3);
  const volume = await attach(instances[0]);

  const snapshot = (await ec2.createSnapshot({ VolumeId: volume })).SnapshotId;
  await wait("SnapshotCompleted", { SnapshotIds: [snapshot] });
  await ec2.detachVolume({ VolumeId: volume });
  await wait("VolumeAvailable", { VolumeIds: [volume] });
  await remove(volume);

  const image = (await ec2.createImage({ InstanceId: instances[0], Name: "js-sdk", NoReboot: true })).ImageId;
  await wait("ImageAvailable", { ImageIds: [image] });
  instances.push(...await launch(image, made, 1));
  await pages(instances, made.group);

  await ec2.terminateInstances({ InstanceIds: instances });
  await wait("InstanceTerminated", { InstanceIds: instances });
  const { BlockDeviceMappings } = (await ec2.describeImages({ ImageIds: [image] })).Images[0];
  await ec2.deregisterImage({ ImageId: image });
  for (const SnapshotId of [snapshot, ...BlockDeviceMappings.map((mapping) => mapping.Ebs.SnapshotId)]) {
    await ec2.deleteSnapshot({ SnapshotId });
  }
  await removeNetwork(made);
}

story(process.argv[2]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
