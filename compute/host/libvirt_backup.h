#pragma once

// Push backups: QEMU copies a disk as it was at one moment into another file, copying first what the guest is about to
// overwrite. Plain blocking functions, as in libvirt_domains.h.
//
// libvirt runs one job for a domain at a time. How the last one ended it remembers until the domain goes off, or until
// it ends itself.

#include <string>

#include "compute/host/hypervisor.h"
#include "compute/host/libvirt_handles.h"

namespace virga::compute {

/// See Hypervisor::begin_backup. `unavailable` while a job that runs is being cancelled.
Result<void> begin_backup(virDomainPtr domain, const VolumeId& volume, const std::string& target);
Result<DiskBackup> backup_state(virDomainPtr domain);
Result<void> cancel_backup(virDomainPtr domain);

}  // namespace virga::compute
