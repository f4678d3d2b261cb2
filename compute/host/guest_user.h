#pragma once

// The user QEMU runs as, and what it may read. It owns the volumes in use, which libvirt sees to; the files below them
// are read by many guests and stay root's.

#include <string>

#include "compute/host/domain_xml.h"
#include "core/result.h"

namespace virga::compute {

/// The group that only QEMU's user is in: the one of its name, where there is one (Debian's libvirt-qemu has the shared
/// group kvm as its first), else its first.
Result<FileOwner> guest_readers(const FileOwner& user);

/// Lets the group read a file, and nobody else but the caller's own user, who becomes its owner: 0440. Links are not
/// followed. Errors: it is not a regular file; it cannot be changed.
Result<void> let_read(const std::string& path, const FileOwner& readers);

}  // namespace virga::compute
