#pragma once

// Taps: the host's end of a guest's network interface.

#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::network {

/// Opens the tap of that name in the calling thread's namespace, and makes it if there is none. Without persistence it
/// goes with the descriptor. `extra_flags`: of TUNSETIFF, besides those of every tap.
Result<UniqueFd> open_tap(const std::string& name, short extra_flags);
/// Makes a persistent tap in the calling thread's namespace, with the flags with which QEMU and libvirt open it.
Result<void> create_persistent_tap(const std::string& name);

}  // namespace virga::network
