#pragma once

// The kernel's table of connections under way, in the calling thread's namespace.

#include <set>

#include "network/host/layout.h"

namespace virga::network {

/// Deletes every connection whose addresses are translated otherwise than these say. Their packets are dropped anyway;
/// without the entry, what comes next begins a connection of its own.
Result<void> forget_other_translations(const std::set<AddressLayout>& valid);

}  // namespace virga::network
