#pragma once

// Bounds on the kernel's table of connections, which every packet that the groups let pass has an entry in.
//
// The table is counted per namespace, so a VPC cannot fill another's; within a VPC each interface has a share.

#include "core/result.h"

namespace virga::network {

/// The most connections one interface has under way, where the table is large enough.
inline constexpr int most_connections_per_interface = 65'536;

/// Whether this kernel counts connections per interface, found out by loading such rules in a namespace of its own.
bool connections_can_be_counted();
/// `wanted`, but never more than a quarter of the table of the calling thread's namespace.
int connections_per_interface(int wanted);
/// Bounds the table of the calling thread's namespace, on kernels where each has a bound of its own. Elsewhere the
/// host's (net.netfilter.nf_conntrack_max) bounds each of them.
Result<void> bound_tracked_connections();

}  // namespace virga::network
