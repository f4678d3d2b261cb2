#!/usr/bin/env python3
"""A client of another family, Apache Libcloud, through one story on the simulated host. It sends its requests as GET, and
reads answers with a parser of its own."""
import os
import subprocess
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness
from harness import wait_for
from strict_proxy import StrictProxy

try:
    import libcloud.compute.types
    from libcloud.compute.types import VolumeSnapshotState as snapshot_states
    from libcloud.compute.drivers import ec2 as libcloud_ec2
except ImportError:
    libcloud = None

# The distribution's package serves the distribution's Python, which need not be the one that has boto3.
DISTRIBUTION = "/usr/bin/python3"
RERUN = "VIRGA_LIBCLOUD_RERUN"


class Story(unittest.TestCase):
    def setUp(self):
        self.virga = harness.Installation(simulate=True)
        self.virga.__enter__()
        self.addCleanup(self.leave)
        self.account = self.virga.account()
        self.image_id = self.virga.import_image()
        self.proxy = StrictProxy(self.virga)
        self.proxy.__enter__()
        place = urllib.parse.urlsplit(self.virga.endpoint)
        self.driver = libcloud_ec2.EC2NodeDriver(self.account.access, self.account.secret, region="us-east-1", secure=False,
                                                 host=place.hostname, port=place.port, signature_version="4")

    def leave(self):
        self.virga.failed = not self._outcome.success
        try:
            self.proxy.__exit__(AssertionError if self.virga.failed else None)
            self.assertTrue(self.virga.failed or sum(self.proxy.checked.values()) > 0)
        finally:
            self.virga.__exit__(None, None, None)

    def only(self, items):
        self.assertEqual(len(items), 1, items)
        return items[0]

    def node(self, node):
        return self.only(self.driver.list_nodes(ex_node_ids=[node.id]))

    def wait_node(self, node, state):
        wait_for("node %s" % state, lambda: self.node(node).state == state, 60)

    def wait_volume(self, volume, state):
        wait_for("volume %s" % state, lambda: [v.extra["state"] for v in self.driver.list_volumes() if v.id == volume.id] == [state])

    def test_from_a_key_pair_to_a_clean_account(self):
        driver, states = self.driver, libcloud.compute.types.NodeState
        self.assertEqual([z.name for z in driver.ex_list_availability_zones()], ["us-east-1a", "us-east-1b", "us-east-1c"])
        before = {n.id for n in driver.ex_list_networks()}
        key = driver.create_key_pair("libcloud")
        self.assertIn("PRIVATE KEY", key.private_key)

        network = driver.ex_create_network("10.80.0.0/16", name="libcloud")
        subnet = driver.ex_create_subnet(network.id, "10.80.1.0/24", "us-east-1a", name="libcloud")
        gateway = driver.ex_create_internet_gateway(name="libcloud")
        self.assertTrue(driver.ex_attach_internet_gateway(gateway, network))
        table = driver.ex_create_route_table(network, name="libcloud")
        self.assertTrue(driver.ex_create_route(table, "0.0.0.0/0", internet_gateway=gateway))
        association = driver.ex_associate_route_table(table, subnet)
        group = driver.ex_create_security_group("libcloud", "of libcloud", vpc_id=network.id)["group_id"]
        self.assertTrue(driver.ex_authorize_security_group_ingress(group, 22, 22, cidr_ips=["10.0.0.0/8"]))

        image = self.only(driver.list_images(ex_image_ids=[self.image_id]))
        size = self.only([s for s in driver.list_sizes() if s.id == "t3.nano"])
        node = driver.create_node("libcloud", size, image, ex_keyname="libcloud", ex_subnet=subnet, ex_security_group_ids=[group],
                                  ex_metadata={"kind": "story"}, ex_userdata="#!/bin/true")
        self.wait_node(node, states.RUNNING)
        self.assertEqual(driver.ex_get_metadata_for_node(node)["kind"], "story")
        self.assertEqual(self.node(node).private_ips[0].rsplit(".", 1)[0], "10.80.1")

        volume = driver.create_volume(1, "libcloud", location=driver.list_locations()[0], ex_volume_type="gp2")
        self.wait_volume(volume, "available")
        self.assertTrue(driver.attach_volume(node, volume, "/dev/sdf"))
        self.wait_volume(volume, "in-use")
        self.image_and_back(node, volume, size, subnet, group)

        address = driver.ex_allocate_address(domain="vpc")
        driver.ex_associate_address_with_node(node, address, domain="vpc")
        self.assertIn(address.ip, self.node(node).public_ips)
        address = self.only(driver.ex_describe_all_addresses())
        self.assertTrue(driver.ex_disassociate_address(address, domain="vpc"))
        self.assertTrue(driver.ex_release_address(address, domain="vpc"))

        self.assertTrue(driver.ex_stop_node(node))
        self.wait_node(node, states.STOPPED)
        self.assertTrue(driver.ex_change_node_size(node, self.only([s for s in driver.list_sizes() if s.id == "t3.micro"])))
        self.assertTrue(driver.detach_volume(volume))
        self.wait_volume(volume, "available")
        self.assertTrue(driver.destroy_volume(volume))
        self.assertTrue(driver.destroy_node(node))
        self.wait_node(node, states.TERMINATED)
        self.assertTrue(driver.ex_delete_security_group_by_id(group))
        self.assertTrue(driver.ex_dissociate_route_table(association))
        self.assertTrue(driver.ex_delete_route_table(table))
        self.assertTrue(driver.ex_detach_internet_gateway(gateway, network))
        self.assertTrue(driver.ex_delete_internet_gateway(gateway))
        self.assertTrue(driver.ex_delete_subnet(subnet))
        self.assertTrue(driver.ex_delete_network(network))
        self.assertTrue(driver.delete_key_pair(key))
        self.assertEqual({n.id for n in driver.ex_list_networks()}, before)
        self.assertEqual(driver.list_volumes(), [])

    def image_and_back(self, node, volume, size, subnet, group):
        """A snapshot of the volume, an image of the node, a node launched from it; all of it goes again."""
        driver = self.driver
        snapshot = driver.create_volume_snapshot(volume, name="libcloud")
        available = lambda: self.only(driver.list_snapshots(snapshot=snapshot)).state == snapshot_states.AVAILABLE
        wait_for("snapshot completed", available)
        image = driver.create_image(node, "libcloud")
        wait_for("image available", lambda: self.only(driver.list_images(ex_image_ids=[image.id])).extra["state"] == "available")
        launched = driver.create_node("launched", size, image, ex_subnet=subnet, ex_security_group_ids=[group])
        self.wait_node(launched, libcloud.compute.types.NodeState.RUNNING)
        self.assertTrue(driver.destroy_node(launched))
        self.wait_node(launched, libcloud.compute.types.NodeState.TERMINATED)
        mappings = self.only(driver.list_images(ex_image_ids=[image.id])).extra["block_device_mapping"]
        self.assertTrue(driver.delete_image(image))
        left = driver.list_snapshots()
        self.assertEqual({s.id for s in left}, {snapshot.id, *(m["ebs"]["snapshot_id"] for m in mappings)})
        for each in left:
            self.assertTrue(driver.destroy_volume_snapshot(each))
        # The second volume of the image came with the node and outlives it.
        for each in [v for v in driver.list_volumes() if v.extra["state"] == "available"]:
            self.assertTrue(driver.destroy_volume(each))
        self.assertEqual(driver.list_snapshots(), [])

    def test_refusals_arrive_with_their_code(self):
        with self.assertRaisesRegex(Exception, "InvalidInstanceID.NotFound"):
            self.driver.list_nodes(ex_node_ids=["i-" + "0" * 17])


if __name__ == "__main__":
    if libcloud is None:
        if RERUN in os.environ or not os.path.exists(DISTRIBUTION):
            print("skipped: the Python package libcloud (python3-libcloud) is not installed", file=sys.stderr)
            sys.exit(77)
        sys.exit(subprocess.run([DISTRIBUTION, *sys.argv], env={**os.environ, RERUN: "1"}).returncode)
    harness.main()
