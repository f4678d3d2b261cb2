#include "compute/host/domain_xml.h"

#include <gmock/gmock.h>

#include <pugixml.hpp>
#include <set>

namespace virga::compute {
namespace {

using testing::HasSubstr;
using testing::Not;

const VolumeId root = VolumeId::trusted("vol-0123456789abcdef0");
const VolumeId data = VolumeId::trusted("vol-0123456789abcdef1");

DomainSpec guest() {
  DomainSpec spec;
  spec.id = InstanceId::trusted("i-0123456789abcdef0");
  spec.start_number = 7;
  spec.account = AccountId::trusted("123456789012");
  spec.instance_type = "t3.micro";
  spec.vcpus = 2;
  spec.memory_mib = 1024;
  spec.disks = {{root, "/volumes/root.qcow2", 0, {"/images/base.qcow2"}}, {data, "/volumes/data.qcow2", 1}};
  spec.nics = {{NetworkInterfaceId::trusted("eni-0123456789abcdef0"), "vt00aa00000001", "02:00:00:00:00:01"}};
  return spec;
}

DomainSettings settings() {
  return {.realm = "00aa", .accelerator = Accelerator::tcg, .disk_cache = "none", .pci_ports = 6};
}
const DomainFiles files{"/c/0.log", "/c/0.tty", "/c/0.vnc"};

std::string xml_of(const DomainSpec& spec, const DomainSettings& with = settings()) {
  return domain_xml(spec, with, files).value();
}

constexpr const char* golden = R"(<domain type="qemu">
 <name>i-0123456789abcdef0</name>
 <uuid>UUID</uuid>
 <metadata>
  <v:instance xmlns:v="urn:virga:instance:1" realm="00aa" id="i-0123456789abcdef0" owner="123456789012" start="7" />
 </metadata>
 <memory unit="MiB">1024</memory>
 <currentMemory unit="MiB">1024</currentMemory>
 <vcpu>2</vcpu>
 <sysinfo type="smbios">
  <bios>
   <entry name="vendor">Amazon EC2</entry>
   <entry name="version">1.0</entry>
  </bios>
  <system>
   <entry name="manufacturer">Amazon EC2</entry>
   <entry name="product">t3.micro</entry>
   <entry name="serial">UUID</entry>
   <entry name="uuid">UUID</entry>
  </system>
  <baseBoard>
   <entry name="manufacturer">Amazon EC2</entry>
   <entry name="asset">i-0123456789abcdef0</entry>
  </baseBoard>
  <chassis>
   <entry name="manufacturer">Amazon EC2</entry>
   <entry name="asset">Amazon EC2</entry>
  </chassis>
 </sysinfo>
 <os>
  <type arch="x86_64" machine="q35">hvm</type>
  <smbios mode="sysinfo" />
 </os>
 <features>
  <acpi />
  <apic />
  <tcg>
   <tb-cache unit="MiB">32</tb-cache>
  </tcg>
 </features>
 <cpu mode="maximum" />
 <clock offset="utc" />
 <on_poweroff>destroy</on_poweroff>
 <on_reboot>restart</on_reboot>
 <on_crash>destroy</on_crash>
 <devices>
  <controller type="usb" index="0" model="none" />
  <controller type="pci" index="0" model="pcie-root" />
  <controller type="pci" index="1" model="pcie-root-port" />
  <controller type="pci" index="2" model="pcie-root-port" />
  <controller type="pci" index="3" model="pcie-root-port" />
  <controller type="pci" index="4" model="pcie-root-port" />
  <controller type="pci" index="5" model="pcie-root-port" />
  <controller type="pci" index="6" model="pcie-root-port" />
  <disk type="file" device="disk">
   <driver name="qemu" type="qcow2" cache="none" discard="unmap" detect_zeroes="unmap" error_policy="stop" />
   <source file="/volumes/root.qcow2" />
   <backingStore type="file">
    <format type="qcow2" />
    <source file="/images/base.qcow2">
     <seclabel model="dac" relabel="no" />
    </source>
    <backingStore />
   </backingStore>
   <target dev="vda" bus="virtio" />
   <serial>vol0123456789abcdef0</serial>
   <boot order="1" />
  </disk>
  <disk type="file" device="disk">
   <driver name="qemu" type="qcow2" cache="none" discard="unmap" detect_zeroes="unmap" error_policy="stop" />
   <source file="/volumes/data.qcow2" />
   <backingStore />
   <target dev="vdb" bus="virtio" />
   <serial>vol0123456789abcdef1</serial>
  </disk>
  <interface type="ethernet">
   <mac address="02:00:00:00:00:01" />
   <target dev="vt00aa00000001" managed="no" />
   <model type="virtio" />
   <rom enabled="no" />
  </interface>
  <serial type="unix">
   <source mode="bind" path="/c/0.tty" />
   <log file="/c/0.log" append="on" />
   <target type="isa-serial" port="0" />
  </serial>
  <channel type="unix">
   <target type="virtio" name="org.qemu.guest_agent.0" />
  </channel>
  <graphics type="vnc" socket="/c/0.vnc" />
  <video>
   <model type="vga" vram="4096" />
  </video>
  <rng model="virtio">
   <backend model="random">/dev/urandom</backend>
  </rng>
  <memballoon model="virtio" autodeflate="on" freePageReporting="on" />
 </devices>
</domain>
)";

TEST(DomainXml, Threat_F01_HasExactlyTheFixedDevices) {
  auto expected = std::string(golden);
  const auto uuid = domain_uuid("00aa", guest().id);
  for (auto at = expected.find("UUID"); at != std::string::npos; at = expected.find("UUID"))
    expected.replace(at, 4, uuid);

  EXPECT_EQ(xml_of(guest()), expected);
}

TEST(DomainXml, KvmPassesTheHostsCpuWithoutNesting) {
  auto with = settings();
  with.accelerator = Accelerator::kvm;

  const auto xml = xml_of(guest(), with);

  EXPECT_THAT(xml, HasSubstr("<domain type=\"kvm\">"));
  EXPECT_THAT(xml, HasSubstr("<cpu mode=\"host-passthrough\">"));
  EXPECT_THAT(xml, HasSubstr("<feature policy=\"disable\" name=\"vmx\" />"));
  EXPECT_THAT(xml, HasSubstr("<feature policy=\"disable\" name=\"svm\" />"));
  EXPECT_THAT(xml, Not(HasSubstr("tb-cache")));
}

TEST(DomainXml, Threat_F05_BoundsTheMemoryOfQemuWhereAsked) {
  EXPECT_THAT(xml_of(guest()), Not(HasSubstr("memtune")));
  auto with = settings();
  with.limit_memory = true;

  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(xml_of(guest(), with).c_str()));

  const auto limit = document.child("domain").child("memtune").child("hard_limit");
  EXPECT_STREQ(limit.attribute("unit").value(), "MiB");
  EXPECT_EQ(limit.text().as_int(), 1024 + 128 + 768) << "the guest's, an eighth of it, and QEMU's own";
}

TEST(DomainXml, Threat_F04_MarkupInStringsStaysText) {
  const std::string evil = "'\"/><disk><source file='/etc/shadow'/></disk>&amp;<!--";
  auto spec = guest();
  spec.instance_type = evil;
  spec.disks[0].path = evil;
  spec.nics[0].tap = evil;
  spec.nics[0].mac = evil;
  auto with = settings();
  with.realm = evil;
  with.disk_cache = evil;

  const auto xml = domain_xml(spec, with, {evil, evil, evil}).value();

  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(xml.c_str()));
  const auto devices = document.child("domain").child("devices");
  EXPECT_EQ(std::distance(devices.children("disk").begin(), devices.children("disk").end()), 2);
  EXPECT_EQ(devices.child("disk").child("source").attribute("file").value(), evil);
  EXPECT_EQ(devices.child("interface").child("mac").attribute("address").value(), evil);
  EXPECT_EQ(
      document.child("domain").child("sysinfo").child("system").find_child_by_attribute("name", "product").text().get(),
      evil);
  EXPECT_EQ(read_domain(xml)->realm, evil);
}

TEST(DomainXml, ReadsBackWhatItWrote) {
  const auto facts = read_domain(xml_of(guest()));

  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->realm, "00aa");
  EXPECT_EQ(facts->id, guest().id);
  EXPECT_EQ(facts->start_number, 7U);
  EXPECT_EQ(facts->disks, (std::vector{root, data}));
}

TEST(DomainXml, KnowsItsMarkByTheNamespaceNotByThePrefix) {
  const auto with_mark = [](const std::string& mark) {
    return "<domain><metadata>" + mark + "</metadata><devices/></domain>";
  };

  EXPECT_TRUE(read_domain(
      with_mark("<q:instance xmlns:q='urn:virga:instance:1' realm='0001' id='i-0123456789abcdef0' start='1'/>")));
  EXPECT_FALSE(read_domain(with_mark("<v:instance xmlns:v='urn:other' realm='0001' id='i-0123456789abcdef0'/>")));
  EXPECT_FALSE(read_domain(with_mark("<v:instance xmlns:v='urn:virga:instance:1' id='../../etc'/>")));
  EXPECT_FALSE(read_domain("<domain><name>i-0123456789abcdef0</name></domain>"));
  EXPECT_FALSE(read_domain("not XML"));
}

TEST(DomainXml, FindsOneDiskByItsVolume) {
  const auto disk = find_disk(xml_of(guest()), data);

  ASSERT_TRUE(disk);
  EXPECT_THAT(*disk, HasSubstr("dev=\"vdb\""));
  EXPECT_FALSE(find_disk(xml_of(guest()), VolumeId::trusted("vol-0123456789abcdef2")));
}

TEST(DomainXml, ABackupIsOfOneDiskIntoAFileThatIsThere) {
  const auto xml = backup_xml(xml_of(guest()), data, "/backups/<&.qcow2");

  ASSERT_TRUE(xml);
  EXPECT_EQ(*xml, R"(<domainbackup mode="push">
 <disks>
  <disk name="vda" backup="no" />
  <disk name="vdb" backup="yes" type="file">
   <driver type="qcow2" />
   <target file="/backups/&lt;&amp;.qcow2" />
  </disk>
 </disks>
</domainbackup>
)");
  EXPECT_EQ(backup_xml(xml_of(guest()), VolumeId::trusted("vol-0123456789abcdef2"), "/x").error().code,
            Code::incorrect_state);
}

TEST(DomainXml, KnowsADiskByLibvirtsName) {
  EXPECT_EQ(find_disk_target(xml_of(guest()), data), "vdb");
  EXPECT_FALSE(find_disk_target(xml_of(guest()), VolumeId::trusted("vol-0123456789abcdef2")));
  EXPECT_FALSE(find_disk_target("<domain", data));
}

TEST(DomainXml, APluggedDiskIsTheDefinedOneWithoutBootOrder) {
  const auto plugged = disk_xml({data, "/volumes/data.qcow2", 1}, settings()).value();

  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(plugged.c_str()));
  EXPECT_STREQ(document.child("disk").child("target").attribute("dev").value(), "vdb");
  EXPECT_THAT(disk_xml({root, "/volumes/root.qcow2", 0}, settings()).value(), Not(HasSubstr("<boot")));
}

TEST(DomainXml, TargetsGoOnAfterZ) {
  EXPECT_EQ(disk_target(0), "vda");
  EXPECT_EQ(disk_target(25), "vdz");
  EXPECT_EQ(disk_target(26), "vdaa");
  EXPECT_EQ(disk_target(26 * 27 - 1), "vdzz");
  std::set<std::string> seen;
  for (int slot = 0; slot < 26 * 27; ++slot) EXPECT_TRUE(seen.insert(disk_target(slot)).second);
}

TEST(DomainXml, RefusesSlotsThatCannotBe) {
  auto twice = guest();
  twice.disks[1].slot = 0;
  EXPECT_FALSE(domain_xml(twice, settings(), files));
  EXPECT_FALSE(disk_xml({data, "/v", -1}, settings()));
  EXPECT_FALSE(disk_xml({data, "/v", 26 * 27}, settings()));
}

TEST(DomainXml, RefusesMoreDevicesThanPorts) {
  auto with = settings();
  with.pci_ports = 5;

  const auto refused = domain_xml(guest(), with, files);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_parameter_value);
}

TEST(GuestOwner, IsReadFromTheCapabilities) {
  const auto owner_in = [](const std::string& models) {
    return read_guest_owner("<capabilities><host>" + models + "</host></capabilities>");
  };
  const auto owner = owner_in(
      "<secmodel><model>apparmor</model></secmodel>"
      "<secmodel><model>dac</model><baselabel type='kvm'>+64055:+109</baselabel></secmodel>");

  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->uid, 64055U);
  EXPECT_EQ(owner->gid, 109U);
  EXPECT_FALSE(owner_in("<secmodel><model>none</model></secmodel>"));
  EXPECT_FALSE(owner_in("<secmodel><model>dac</model><baselabel>qemu:kvm</baselabel></secmodel>"));
  EXPECT_FALSE(read_guest_owner("nonsense"));
}

TEST(DomainUuid, IsSteadyBeginsWithEc2AndDiffersByRealm) {
  const auto id = guest().id;

  EXPECT_EQ(domain_uuid("00aa", id), domain_uuid("00aa", id));
  EXPECT_NE(domain_uuid("00aa", id), domain_uuid("00ab", id));
  EXPECT_THAT(domain_uuid("00aa", id),
              testing::MatchesRegex("ec2[0-9a-f]{5}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

}  // namespace
}  // namespace virga::compute
