#pragma once

// libvirt's domain XML, written from typed values and read back. Pure functions, no libvirt.
//
// The device list is fixed and short: every further device is code that a hostile guest may attack. Nothing a tenant
// can name selects a device, and every string goes through pugixml, which escapes it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compute/host/hypervisor.h"
#include "core/config.h"

namespace virga::compute {

/// What is the same for all domains of a host.
struct DomainSettings {
  std::string realm;                           ///< four hex digits: whose domain it is
  Accelerator accelerator = Accelerator::tcg;  ///< kvm or tcg: already decided
  std::string disk_cache = "none";             ///< libvirt's word
  bool limit_memory = false;                   ///< bound QEMU's whole memory (where libvirt has cgroups to do it with)
  int pci_ports = 36;                          ///< root ports: base devices take 5, each disk and NIC one
};

/// Files of one guest beside its disks.
struct DomainFiles {
  std::string console_log;
  std::string console_socket;
  std::string vnc_socket;
};

/// The definition of the instance. Errors: a slot out of range or used twice, more devices than PCI ports.
Result<std::string> domain_xml(const DomainSpec& spec, const DomainSettings& settings, const DomainFiles& files);
/// The device element for hot-plug, equal to the one in domain_xml().
Result<std::string> disk_xml(const DomainDisk& disk, const DomainSettings& settings);

/// The UUID of an instance's domain: always the same for one realm and id, and it begins with "ec2", by which
/// cloud-init recognises EC2.
std::string domain_uuid(std::string_view realm, const InstanceId& id);
/// "vda" for slot 0, "vdaa" for slot 26.
std::string disk_target(int slot);
/// What the guest sees as the disk's serial number: the volume's id without its dash (20 characters, virtio's limit).
std::string disk_serial(const VolumeId& volume);

/// Of the element in a domain's metadata by which Virga knows its own.
inline constexpr const char* domain_mark_namespace = "urn:virga:instance:1";

/// What an existing domain's XML says of it.
struct DomainFacts {
  std::string realm;
  InstanceId id;
  std::uint64_t start_number = 0;
  std::vector<VolumeId> disks;
};
/// Nothing if the domain carries no mark of Virga.
std::optional<DomainFacts> read_domain(const std::string& xml);
/// The XML of one attached disk, as libvirt wants it for detaching. Nothing if that volume is not attached.
std::optional<std::string> find_disk(const std::string& xml, const VolumeId& volume);

/// The name by which libvirt calls one attached disk ("vdb"). Nothing if that volume is not attached.
std::optional<std::string> find_disk_target(const std::string& xml, const VolumeId& volume);

/// A job that copies the disk of that volume alone into an existing qcow2 file. Errors: it is not attached
/// (IncorrectState).
Result<std::string> backup_xml(const std::string& xml, const VolumeId& volume, const std::string& target);

struct FileOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
/// Whom QEMU runs as, from libvirt's capabilities XML. Nothing if it does not say.
std::optional<FileOwner> read_guest_owner(const std::string& capabilities);

}  // namespace virga::compute
