#pragma once

// The Hypervisor port on libvirt's QEMU driver: persistent domains named after their instances, disks as qcow2 files,
// taps made by someone else. No pools, networks or secrets of libvirt are used, so qemu:///system, a private libvirtd
// and qemu:///embed are all the same to it.

#include <filesystem>
#include <memory>
#include <string>

#include "compute/host/hypervisor.h"
#include "core/config.h"

namespace virga::compute {

struct LibvirtOptions {
  std::string uri;
  std::string realm;                ///< domains of other realms are neither listed nor touched
  std::filesystem::path state_dir;  ///< consoles/ and the KVM verdict live here; short, see ConsoleLogs
  Accelerator accelerator = Accelerator::automatic;
  std::string disk_cache = "none";
  int pci_ports = 36;
};

/// Decides for KVM or TCG (a probe of some seconds, once per boot) and begins to connect. A libvirt that does not
/// answer is no error: it is tried again for ever, calls fail with `unavailable` meanwhile, and info() says so.
/// Errors: the state directory cannot be used; KVM is demanded by the options and does not work.
Result<std::unique_ptr<Hypervisor>> create_libvirt_hypervisor(const LibvirtOptions& options);

}  // namespace virga::compute
