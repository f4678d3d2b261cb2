#!/usr/bin/env python3
"""Real guests in real VPCs, through the public API: libvirt, QEMU, netlink, nftables, dnsmasq."""
import os
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import guests
import harness
from harness import error_code, wait_for


def setUpModule():
    harness.require_boto3()
    harness.require_real_host()
    global virga, account, image, mine
    virga = harness.Installation(simulate=False)
    virga.__enter__()
    unittest.addModuleCleanup(virga.__exit__, None, None, None)
    account = virga.account()
    image = virga.import_image()
    mine = guests.Guests(virga, account, image)


class RealGuests(unittest.TestCase):
    """Ends with a clean host: each test terminates what it launched, the last assertion finds nothing left."""

    def setUp(self):
        self.launched = []

    def launch(self, who=None, **arguments):
        who = who or mine
        made = who.launch(**arguments)
        self.launched += [(who, i) for i in made]
        return made[0] if len(made) == 1 else made

    def tearDown(self):
        for who, instance in self.launched:
            who.ec2.terminate_instances(InstanceIds=[instance])
        for who, instance in self.launched:
            who.wait_state(instance, "terminated", 120)
        virga.assert_clean(self, 60)

    def group(self, name, vpc=None):
        arguments = {"GroupName": name, "Description": name}
        if vpc:
            arguments["VpcId"] = vpc
        made = mine.ec2.create_security_group(**arguments)["GroupId"]
        self.addCleanup(lambda: mine.ec2.delete_security_group(GroupId=made))
        return made

    def test_1_guest_boots_runs_user_data_and_answers_ssh(self):
        guest = self.launch(UserData="#!/bin/sh\necho user-data-ran-$((6 * 7))\n",
                            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]}])
        facts = mine.describe(guest)
        console = mine.wait_console(guest, "tiny: ready")
        address = facts["PrivateIpAddress"]
        self.assertIn("tiny: net eth0 ip=%s/" % address, console)
        self.assertIn("user-data-ran-42", console)
        self.assertIn("tiny: meta instance-id=%s" % guest, console)
        self.assertIn("tiny: meta instance-type=lab.tiny", console)
        mine.wait_state(guest, "running")
        self.assertEqual(mine.ssh(guest, "imds meta-data/instance-id").stdout.strip(), guest)
        self.assertEqual(mine.ssh(guest, "imds meta-data/local-ipv4").stdout.strip(), address)
        self.assertIn("172.31.", mine.ssh(guest, "cat /etc/resolv.conf").stdout)
        name = facts["PrivateDnsName"]
        self.assertIn(address, mine.ssh(guest, "nslookup %s" % name, check=False).stdout)
        facts = mine.describe(guest)
        for member in ("AmiLaunchIndex", "Architecture", "BlockDeviceMappings", "EbsOptimized", "EnaSupport", "Hypervisor", "ImageId",
                       "InstanceType", "KeyName", "LaunchTime", "MetadataOptions", "Monitoring", "NetworkInterfaces", "Placement",
                       "PrivateDnsName", "RootDeviceName", "RootDeviceType", "SecurityGroups", "SourceDestCheck", "State",
                       "SubnetId", "Tags", "VirtualizationType", "VpcId", "CpuOptions"):
            self.assertIn(member, facts)
        status = mine.ec2.describe_instance_status(InstanceIds=[guest])["InstanceStatuses"][0]
        self.assertEqual(status["InstanceState"]["Name"], "running")
        done = __import__("subprocess").run(["aws", "ec2", "describe-instances", "--instance-ids", guest, "--query",
                                             "Reservations[0].Instances[0].State.Name", "--output", "text"],
                                            env=account.environment(), text=True, stdout=-1)
        self.assertEqual(done.stdout.strip(), "running")

    def test_2_groups_decide_who_reaches_whom_and_spoofed_sources_are_dropped(self):
        one, two = self.group("one"), self.group("two")
        mine.ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=[
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": one}]}])
        a = self.launch(SecurityGroupIds=[one])
        b = self.launch(SecurityGroupIds=[two])
        address_a, address_b = mine.describe(a)["PrivateIpAddress"], mine.describe(b)["PrivateIpAddress"]
        mine.wait_ready(a, b)
        self.assertTrue(mine.pings(a, address_b), "a is in the group that b lets in")
        self.assertFalse(mine.pings(b, address_a), "a lets nobody in")
        mine.ec2.authorize_security_group_ingress(GroupId=one, IpProtocol="icmp", FromPort=-1, ToPort=-1, CidrIp=address_b + "/32")
        wait_for("b reaches a", lambda: mine.pings(b, address_a), 20)
        mine.ec2.revoke_security_group_ingress(GroupId=one, IpProtocol="icmp", FromPort=-1, ToPort=-1, CidrIp=address_b + "/32")
        wait_for("b no longer reaches a", lambda: not mine.pings(b, address_a), 20)
        spoofed = address_a.rsplit(".", 1)[0] + ".77"
        mine.ssh(a, "ip addr add %s/32 dev eth0" % spoofed)
        self.assertFalse(mine.pings(a, address_b, source=spoofed), "a spoofed source is dropped")
        self.assertTrue(mine.pings(a, address_b))

    def test_3_volume_moves_between_guests_with_its_bytes(self):
        a = self.launch()
        zone = mine.describe(a)["Placement"]["AvailabilityZone"]
        b = self.launch(Placement={"AvailabilityZone": zone})
        volume = mine.ec2.create_volume(AvailabilityZone=zone, Size=2)["VolumeId"]
        disk = volume.replace("-", "")
        find = "for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" = %s ] && echo /dev/${d##*/}; done; true" % disk
        mine.wait_ready(a, b)
        sums = []
        for guest, action in ((a, "write"), (b, "read")):
            wait_for("available", lambda: mine.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
            mine.ec2.attach_volume(InstanceId=guest, VolumeId=volume, Device="/dev/sdf")
            wait_for("attached", lambda: [x["State"] for x in mine.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]] == ["attached"])
            device = wait_for("the disk in the guest", lambda: mine.ssh(guest, find).stdout.strip())
            self.assertEqual(mine.ssh(guest, "cat /sys/block/%s/size" % os.path.basename(device)).stdout.strip(), str(2 << 21))
            if action == "write":
                mine.ssh(guest, "dd if=/dev/urandom of=%s bs=1M count=8 seek=100 conv=notrunc && sync" % device)
            sums.append(mine.ssh(guest, "dd if=%s bs=1M count=8 skip=100 2>/dev/null | sha256sum" % device).stdout)
            mine.ec2.detach_volume(VolumeId=volume)
            wait_for("detached", lambda: mine.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
            self.assertEqual(mine.ssh(guest, find).stdout.strip(), "")
        self.assertEqual(sums[0], sums[1])
        mine.ec2.delete_volume(VolumeId=volume)
        wait_for("gone", lambda: error_code(mine.ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound")

    def test_3b_volumes_grow_attached_and_stopped_and_keep_their_bytes(self):
        guest = self.launch()
        facts = mine.describe(guest)
        root = facts["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        volume = mine.ec2.create_volume(AvailabilityZone=facts["Placement"]["AvailabilityZone"], Size=1)["VolumeId"]
        mine.wait_ready(guest)
        look = lambda v: mine.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]
        wait_for("available", lambda: look(volume)["State"] == "available")
        mine.ec2.attach_volume(InstanceId=guest, VolumeId=volume, Device="/dev/sdf")
        wait_for("attached", lambda: look(volume)["Attachments"][0]["State"] == "attached")
        size = "cat /sys/block/vdb/size; true"
        wait_for("the disk in the guest", lambda: mine.ssh(guest, size).stdout.strip() == str(1 << 21))
        mine.ssh(guest, "dd if=/dev/urandom of=/dev/vdb bs=1M count=16 seek=1000 conv=notrunc && sync")
        sha = "dd if=/dev/vdb bs=1M count=16 skip=1000 2>/dev/null | sha256sum"
        before = mine.ssh(guest, sha).stdout

        def grow(v, gib):
            made = mine.ec2.modify_volume(VolumeId=v, Size=gib)["VolumeModification"]
            self.assertEqual(made["ModificationState"], "modifying")
            wait_for("grown", lambda: mine.ec2.describe_volumes_modifications(
                VolumeIds=[v])["VolumesModifications"][0]["ModificationState"] == "completed", 60)
            self.assertEqual(look(v)["Size"], gib)
        grow(volume, 3)
        wait_for("the guest sees it", lambda: mine.ssh(guest, size).stdout.strip() == str(3 << 21), 30)
        self.assertEqual(mine.ssh(guest, sha).stdout, before, "the bytes are those from before")
        mine.ssh(guest, "echo end | dd of=/dev/vdb bs=1M seek=3071 conv=notrunc && sync")
        mine.ssh(guest, "echo kept > /root/file && sync")
        mine.ec2.stop_instances(InstanceIds=[guest])
        mine.wait_state(guest, "stopped", 90)
        size_of_root = look(root)["Size"]
        grow(root, size_of_root + 1)
        grow(volume, 4)
        mine.ec2.start_instances(InstanceIds=[guest])
        mine.wait_ready(guest, times=2)
        self.assertEqual(mine.ssh(guest, "cat /sys/block/vda/size /root/file").stdout.split(),
                         [str((size_of_root + 1) << 21), "kept"])
        self.assertEqual(mine.ssh(guest, size).stdout.strip(), str(4 << 21))
        self.assertEqual(mine.ssh(guest, sha).stdout, before)
        self.assertEqual(mine.ssh(guest, "dd if=/dev/vdb bs=1M skip=3071 count=1 2>/dev/null | head -c 3").stdout, "end")
        mine.ec2.detach_volume(VolumeId=volume, Force=True)
        wait_for("detached", lambda: look(volume)["State"] == "available", 60)
        grow(volume, 5)
        mine.ec2.delete_volume(VolumeId=volume)

    def test_4_stop_start_reboot_poweroff_and_kill(self):
        guest = self.launch()
        mine.wait_ready(guest)
        mine.ssh(guest, "echo kept > /root/file && sync")
        before = mine.describe(guest)
        mine.ec2.stop_instances(InstanceIds=[guest])
        mine.wait_state(guest, "stopped", 90)
        self.assertEqual(mine.describe(guest)["StateReason"]["Code"], "Client.UserInitiatedShutdown")
        mine.ec2.start_instances(InstanceIds=[guest])
        mine.wait_state(guest, "running", 90)
        mine.wait_ready(guest, times=2)
        after = mine.describe(guest)
        for same in ("InstanceId", "PrivateIpAddress"):
            self.assertEqual(before[same], after[same])
        self.assertEqual([m["Ebs"]["VolumeId"] for m in before["BlockDeviceMappings"]],
                         [m["Ebs"]["VolumeId"] for m in after["BlockDeviceMappings"]])
        self.assertEqual(mine.ssh(guest, "cat /root/file").stdout.strip(), "kept")
        process = mine.qemu_pid(guest)
        mine.ec2.reboot_instances(InstanceIds=[guest])
        mine.wait_ready(guest, times=3)
        self.assertEqual((mine.state(guest), mine.qemu_pid(guest)), ("running", process))
        mine.ssh(guest, "poweroff", check=False)
        mine.wait_console(guest, "tiny: stop", times=2, seconds=60)
        print("poweroff shown after %.2f s" % mine.wait_shown(guest, "stopped", mine.wait_end(process)), file=sys.stderr)
        self.assertEqual(mine.describe(guest)["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
        mine.ec2.start_instances(InstanceIds=[guest])
        mine.wait_state(guest, "running", 90)
        process = mine.qemu_pid(guest)
        killed = time.monotonic()
        os.kill(process, signal.SIGKILL)
        print("kill shown after %.2f s" % mine.wait_shown(guest, "stopped", killed), file=sys.stderr)
        self.assertTrue(mine.describe(guest)["StateReason"]["Code"].startswith("Server."), mine.describe(guest)["StateReason"])

    def test_5_poweroff_terminates_when_the_shutdown_behaviour_says_so(self):
        guest = self.launch(InstanceInitiatedShutdownBehavior="terminate")
        mine.wait_ready(guest)
        process = mine.qemu_pid(guest)
        mine.ssh(guest, "poweroff", check=False)
        print("poweroff shown after %.2f s" % mine.wait_shown(guest, "terminated", mine.wait_end(process)), file=sys.stderr)

    def test_6_equal_addresses_in_two_accounts_do_not_meet(self):
        other = guests.Guests(virga, virga.account("other"), image)
        placed = {}
        for who in (mine, other):
            vpc = who.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            subnet = who.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
            placed[who] = (vpc, subnet)
        first = self.launch(mine, SubnetId=placed[mine][1], PrivateIpAddress="10.0.1.10")
        second = self.launch(other, SubnetId=placed[other][1], PrivateIpAddress="10.0.1.10")
        neighbour = self.launch(other, SubnetId=placed[other][1], PrivateIpAddress="10.0.1.11")
        mine.wait_ready(first)
        other.wait_ready(second, neighbour)
        self.assertTrue(other.pings(second, "10.0.1.11"))
        self.assertFalse(mine.pings(first, "10.0.1.11"), "the neighbour is the other account's")
        self.assertEqual(mine.ssh(first, "imds meta-data/instance-id").stdout.strip(), first)
        self.assertEqual(other.ssh(second, "imds meta-data/instance-id").stdout.strip(), second)
        self.assertEqual(error_code(mine.ec2.get_console_output, InstanceId=second), "InvalidInstanceID.NotFound")
        for who, instance in self.launched:
            who.ec2.terminate_instances(InstanceIds=[instance])
            who.wait_state(instance, "terminated", 120)
        for who, (vpc, subnet) in placed.items():
            who.ec2.delete_subnet(SubnetId=subnet)
            who.ec2.delete_vpc(VpcId=vpc)

    def test_7_metadata_tokens(self):
        guest = self.launch(MetadataOptions={"HttpTokens": "required"})
        mine.wait_ready(guest)
        ask = "printf 'GET /latest/meta-data/instance-id HTTP/1.0\\r\\n\\r\\n' | nc -w 3 169.254.169.254 80 | head -n1"
        self.assertIn("401", mine.ssh(guest, ask).stdout)
        self.assertEqual(mine.ssh(guest, "imds meta-data/instance-id").stdout.strip(), guest)

    def test_8_Threat_F02_qemus_user_reaches_its_guests_files_and_no_others(self):
        guest = self.launch()
        mine.wait_state(guest, "running")
        process = mine.qemu_pid(guest)
        zone = mine.describe(guest)["Placement"]["AvailabilityZone"]
        unused = mine.ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
        wait_for("available", lambda: mine.ec2.describe_volumes(VolumeIds=[unused])["Volumes"][0]["State"] == "available")
        self.assertNotEqual(os.stat("/proc/%d" % process).st_uid, 0)
        every = [os.path.join(folder, name) for folder, _, names in os.walk(virga.home) for name in names]
        for secret in ("%s.qcow2" % unused, "virga.db", "master.key", "host.sock", "admin.sock", "libvirt-sock", "metadata.key"):
            self.assertTrue([path for path in every if path.endswith("/" + secret)], "%s is not among %s" % (secret, every))
        reached = mine.as_qemu(process, every)
        root = mine.describe(guest)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        mine.ec2.delete_volume(VolumeId=unused)

        def own(path):
            """Its disk, its screen, and what libvirt makes for this guest alone."""
            return os.path.basename(path) == root + ".qcow2" or path.endswith("/screens/%s.vnc" % guest[2:]) or \
                ("/libvirt/lib/qemu/" in path and guest in path)

        def public(path):
            """Made for everybody to read, as on any machine: the harness's logs, settings, the name servers' files."""
            return os.stat(path).st_mode & 0o004 and path.startswith((virga.home + "/run/", virga.home + "/virga.toml")) or \
                path in (virga.home + "/host.log", virga.home + "/control.log")

        self.assertEqual([path for path in reached["write"] if not own(path)], [])
        self.assertEqual([path for path in reached["read"] if not own(path) and not public(path)],
                         [path for path in every if path.endswith("/%s.qcow2" % image)], "the base image, and that alone")

    def test_9_groups_of_a_running_guest_open_and_close_a_port(self):
        closed, opened = self.group("closed"), self.group("opened")
        mine.ec2.authorize_security_group_ingress(GroupId=opened, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
        asking = self.launch()
        asked = self.launch(SecurityGroupIds=[closed])
        address = mine.describe(asked)["PrivateIpAddress"]
        interface = mine.describe(asked)["NetworkInterfaces"][0]["NetworkInterfaceId"]
        mine.wait_ready(asking, asked)

        def reaches():
            return "SSH" in mine.ssh(asking, "nc -w 3 %s 22 </dev/null | head -c 3" % address, check=False).stdout

        self.assertFalse(reaches())
        mine.ec2.modify_instance_attribute(InstanceId=asked, Groups=[opened])
        wait_for("the port opens", reaches, 20)
        self.assertEqual(mine.ssh(asked, "imds meta-data/security-groups").stdout.strip(), "opened")
        mine.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[closed])
        wait_for("the port closes", lambda: not reaches(), 20)
        self.assertEqual(mine.state(asked), "running")

    def test_9b_type_and_user_data_change_while_stopped_and_metadata_options_at_once(self):
        guest = self.launch()
        mine.wait_ready(guest)
        self.assertEqual(error_code(mine.ec2.modify_instance_attribute, InstanceId=guest, InstanceType={"Value": "lab.small"}),
                         "IncorrectInstanceState")

        def memory_kib():
            return int(re.search(r"MemTotal: *(\d+) kB", mine.ssh(guest, "cat /proc/meminfo").stdout).group(1))

        self.assertLess(memory_kib(), 128 * 1024)
        mine.ec2.stop_instances(InstanceIds=[guest])
        mine.wait_state(guest, "stopped", 90)
        mine.ec2.modify_instance_attribute(InstanceId=guest, InstanceType={"Value": "lab.small"})
        mine.ec2.modify_instance_attribute(InstanceId=guest, UserData={"Value": b"changed while stopped"})
        mine.ec2.start_instances(InstanceIds=[guest])
        mine.wait_ready(guest, times=2)
        self.assertGreater(memory_kib(), 160 * 1024)
        self.assertEqual(mine.ssh(guest, "imds meta-data/instance-type").stdout.strip(), "lab.small")
        self.assertEqual(mine.ssh(guest, "imds user-data").stdout.strip(), "changed while stopped")
        ask = "printf 'GET /latest/meta-data/instance-id HTTP/1.0\\r\\n\\r\\n' | nc -w 3 169.254.169.254 80 | head -n1"
        self.assertIn("200", mine.ssh(guest, ask).stdout)
        mine.ec2.modify_instance_metadata_options(InstanceId=guest, HttpTokens="required")
        wait_for("tokens are required", lambda: "401" in mine.ssh(guest, ask).stdout, 20)


if __name__ == "__main__":
    harness.main()
