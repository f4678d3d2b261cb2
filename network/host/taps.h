#pragma once

// Taps: the host's end of a guest's network interface.

#include <string>

#include "core/result.h"

namespace virga::network {

/// Makes a persistent tap in the calling thread's namespace, with the flags with which QEMU and libvirt open it.
Result<void> create_persistent_tap(const std::string& name);

}  // namespace virga::network
