#include "compute/host/domain_xml.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <pugixml.hpp>
#include <set>
#include <span>
#include <sstream>

namespace virga::compute {
namespace {

constexpr int max_slot = 26 * 27 - 1;  // vda ... vdzz
// Ports of the console channel, the random numbers and the balloon; disks and NICs come on top.
constexpr int base_ports = 3;

pugi::xml_node child(pugi::xml_node parent, const char* name) { return parent.append_child(name); }

pugi::xml_node text_child(pugi::xml_node parent, const char* name, const std::string& text) {
  auto node = parent.append_child(name);
  node.text().set(text.c_str());
  return node;
}

void set(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name).set_value(value.c_str());
}

std::string print(const pugi::xml_node& node) {
  std::ostringstream out;
  node.print(out, " ", pugi::format_indent | pugi::format_no_declaration);
  return out.str();
}

void append_identity(pugi::xml_node domain, const DomainSpec& spec, const DomainSettings& settings) {
  text_child(domain, "name", spec.id.str());
  text_child(domain, "uuid", domain_uuid(settings.realm, spec.id));
  auto mark = child(child(domain, "metadata"), "v:instance");
  set(mark, "xmlns:v", domain_mark_namespace);
  set(mark, "realm", settings.realm);
  set(mark, "id", spec.id.str());
  set(mark, "owner", spec.account.str());
  set(mark, "start", std::to_string(spec.start_number));
}

// What QEMU may take beside the guest's memory: code, translation buffer, tables of its disks' clusters, screen.
// Generous, since whoever crosses it is killed: the bound is for a QEMU that a guest makes grow without end.
std::int64_t memory_limit_mib(const DomainSpec& spec) { return spec.memory_mib + spec.memory_mib / 8 + 768; }

void append_size(pugi::xml_node domain, const DomainSpec& spec, const DomainSettings& settings) {
  for (const char* name : {"memory", "currentMemory"}) {
    set(text_child(domain, name, std::to_string(spec.memory_mib)), "unit", "MiB");
  }
  if (settings.limit_memory) {
    set(text_child(child(domain, "memtune"), "hard_limit", std::to_string(memory_limit_mib(spec))), "unit", "MiB");
  }
  text_child(domain, "vcpu", std::to_string(spec.vcpus));
}

// The same strings as on EC2, by which guests (cloud-init, ohai, facter) find out where they are.
void append_sysinfo(pugi::xml_node domain, const DomainSpec& spec, const DomainSettings& settings) {
  auto sysinfo = child(domain, "sysinfo");
  set(sysinfo, "type", "smbios");
  const auto entry = [](pugi::xml_node parent, const char* name, const std::string& value) {
    set(text_child(parent, "entry", value), "name", name);
  };
  auto bios = child(sysinfo, "bios");
  entry(bios, "vendor", "Amazon EC2");
  entry(bios, "version", "1.0");
  auto system = child(sysinfo, "system");
  const auto uuid = domain_uuid(settings.realm, spec.id);
  entry(system, "manufacturer", "Amazon EC2");
  entry(system, "product", spec.instance_type);
  entry(system, "serial", uuid);
  entry(system, "uuid", uuid);
  auto board = child(sysinfo, "baseBoard");
  entry(board, "manufacturer", "Amazon EC2");
  entry(board, "asset", spec.id.str());
  auto chassis = child(sysinfo, "chassis");
  entry(chassis, "manufacturer", "Amazon EC2");
  entry(chassis, "asset", "Amazon EC2");
}

void append_machine(pugi::xml_node domain, const DomainSettings& settings) {
  const bool kvm = settings.accelerator == Accelerator::kvm;
  auto os = child(domain, "os");
  auto type = text_child(os, "type", "hvm");
  set(type, "arch", "x86_64");
  set(type, "machine", "q35");
  set(child(os, "smbios"), "mode", "sysinfo");
  auto features = child(domain, "features");
  child(features, "acpi");
  child(features, "apic");
  if (!kvm) {
    // QEMU's default translation buffer is larger than a small guest's memory.
    set(text_child(child(features, "tcg"), "tb-cache", "32"), "unit", "MiB");
  }
  auto cpu = child(domain, "cpu");
  set(cpu, "mode", kvm ? "host-passthrough" : "maximum");
  if (kvm) {
    for (const char* nested : {"vmx", "svm"}) {
      auto feature = child(cpu, "feature");
      set(feature, "policy", "disable");
      set(feature, "name", nested);
    }
  }
  set(child(domain, "clock"), "offset", "utc");
  text_child(domain, "on_poweroff", "destroy");
  text_child(domain, "on_reboot", "restart");
  // A restart by libvirt would open the tap by name again, but it is in the VPC's namespace by then.
  text_child(domain, "on_crash", "destroy");
}

// The chain is told and ends: libvirt neither looks into the files for more of it nor makes QEMU's user the owner of
// what other guests read too.
void append_backing(pugi::xml_node parent, std::span<const std::string> chain) {
  auto node = child(parent, "backingStore");
  if (chain.empty()) return;
  set(node, "type", "file");
  set(child(node, "format"), "type", "qcow2");
  auto source = child(node, "source");
  set(source, "file", chain.front());
  auto label = child(source, "seclabel");
  set(label, "model", "dac");
  set(label, "relabel", "no");
  append_backing(node, chain.subspan(1));
}

Result<void> append_disk(pugi::xml_node parent, const DomainDisk& disk, const DomainSettings& settings) {
  if (disk.slot < 0 || disk.slot > max_slot) {
    return fail(internal_error(fmt::format("disk {}: slot {} out of range", disk.volume.str(), disk.slot)));
  }
  auto node = child(parent, "disk");
  set(node, "type", "file");
  set(node, "device", "disk");
  auto driver = child(node, "driver");
  set(driver, "name", "qemu");
  set(driver, "type", "qcow2");
  set(driver, "cache", settings.disk_cache);
  set(driver, "discard", "unmap");
  set(driver, "detect_zeroes", "unmap");
  // A full disk of the host must not reach the guest as I/O errors, which file systems answer by going read-only.
  set(driver, "error_policy", "stop");
  set(child(node, "source"), "file", disk.path);
  append_backing(node, disk.backing);
  auto target = child(node, "target");
  set(target, "dev", disk_target(disk.slot));
  set(target, "bus", "virtio");
  text_child(node, "serial", disk_serial(disk.volume));
  if (disk.slot == 0) set(child(node, "boot"), "order", "1");
  return {};
}

void append_nic(pugi::xml_node devices, const DomainNic& nic) {
  auto node = child(devices, "interface");
  set(node, "type", "ethernet");
  set(child(node, "mac"), "address", nic.mac);
  auto target = child(node, "target");
  set(target, "dev", nic.tap);
  set(target, "managed", "no");
  set(child(node, "model"), "type", "virtio");
  set(child(node, "rom"), "enabled", "no");
}

void append_controllers(pugi::xml_node devices, int pci_ports) {
  const auto controller = [&](const char* type, int index, const char* model) {
    auto node = child(devices, "controller");
    set(node, "type", type);
    set(node, "index", std::to_string(index));
    set(node, "model", model);
  };
  controller("usb", 0, "none");
  controller("pci", 0, "pcie-root");  // must be written as soon as ports are listed
  for (int port = 1; port <= pci_ports; ++port) controller("pci", port, "pcie-root-port");
}

void append_consoles(pugi::xml_node devices, const DomainFiles& files) {
  auto serial = child(devices, "serial");
  set(serial, "type", "unix");
  auto source = child(serial, "source");
  set(source, "mode", "bind");
  set(source, "path", files.console_socket);
  auto log = child(serial, "log");
  set(log, "file", files.console_log);
  set(log, "append", "on");
  auto target = child(serial, "target");
  set(target, "type", "isa-serial");
  set(target, "port", "0");
  auto channel = child(devices, "channel");
  set(channel, "type", "unix");
  auto agent = child(channel, "target");
  set(agent, "type", "virtio");
  set(agent, "name", "org.qemu.guest_agent.0");
  auto graphics = child(devices, "graphics");
  set(graphics, "type", "vnc");
  set(graphics, "socket", files.vnc_socket);
  auto model = child(child(devices, "video"), "model");
  set(model, "type", "vga");
  set(model, "vram", "4096");
}

void append_helpers(pugi::xml_node devices) {
  auto rng = child(devices, "rng");
  set(rng, "model", "virtio");
  auto backend = text_child(rng, "backend", "/dev/urandom");
  set(backend, "model", "random");
  auto balloon = child(devices, "memballoon");
  set(balloon, "model", "virtio");
  set(balloon, "autodeflate", "on");
  set(balloon, "freePageReporting", "on");
}

Result<void> check(const DomainSpec& spec, const DomainSettings& settings) {
  std::set<int> slots;
  for (const auto& disk : spec.disks) {
    if (!slots.insert(disk.slot).second) {
      return fail(internal_error(fmt::format("{}: two disks at slot {}", spec.id.str(), disk.slot)));
    }
  }
  const auto needed = static_cast<int>(spec.disks.size() + spec.nics.size()) + base_ports;
  if (needed > settings.pci_ports) {
    return fail(Code::invalid_parameter_value,
                fmt::format("The instance has {} volumes and network interfaces; this host allows {}",
                            needed - base_ports, settings.pci_ports - base_ports));
  }
  return {};
}

}  // namespace

Result<std::string> domain_xml(const DomainSpec& spec, const DomainSettings& settings, const DomainFiles& files) {
  TRY_VOID(check(spec, settings));
  pugi::xml_document document;
  auto domain = child(document, "domain");
  set(domain, "type", settings.accelerator == Accelerator::kvm ? "kvm" : "qemu");
  append_identity(domain, spec, settings);
  append_size(domain, spec, settings);
  append_sysinfo(domain, spec, settings);
  append_machine(domain, settings);
  auto devices = child(domain, "devices");
  append_controllers(devices, settings.pci_ports);
  for (const auto& disk : spec.disks) TRY_VOID(append_disk(devices, disk, settings));
  for (const auto& nic : spec.nics) append_nic(devices, nic);
  append_consoles(devices, files);
  append_helpers(devices);
  return print(domain);
}

Result<std::string> disk_xml(const DomainDisk& disk, const DomainSettings& settings) {
  pugi::xml_document document;
  TRY_VOID(append_disk(document, disk, settings));
  // Only a definition has a boot order; a disk that is plugged in later is not booted from.
  document.child("disk").remove_child("boot");
  return print(document.child("disk"));
}

std::string domain_uuid(std::string_view realm, const InstanceId& id) {
  const auto seed = fmt::format("virga/{}/{}", realm, id.str());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(seed.data()), seed.size(), hash.data());
  hash[0] = 0xec;
  hash[1] = static_cast<unsigned char>(0x20 | (hash[1] & 0x0f));
  hash[6] = static_cast<unsigned char>(0x80 | (hash[6] & 0x0f));  // version 8: made by the application (RFC 9562)
  hash[8] = static_cast<unsigned char>(0x80 | (hash[8] & 0x3f));
  std::string uuid;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += fmt::format("{:02x}", hash[i]);
  }
  return uuid;
}

std::string disk_target(int slot) {
  std::string letters;
  for (int rest = slot; rest >= 0; rest = rest / 26 - 1)
    letters.insert(letters.begin(), static_cast<char>('a' + rest % 26));
  return "vd" + letters;
}

std::string disk_serial(const VolumeId& volume) {
  auto serial = volume.str();
  std::erase(serial, '-');
  return serial;
}

}  // namespace virga::compute
