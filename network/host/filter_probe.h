#pragma once

#include "core/result.h"

namespace virga::network {

/// Whether a packet between two ports of one bridge meets the inet forward hook on this machine, found out by sending
/// one in a namespace of its own. Where it does not, security groups would have no effect within a subnet.
Result<bool> bridged_packets_are_filtered();

}  // namespace virga::network
