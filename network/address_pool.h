#pragma once

// The free public addresses: those of `network.public_cidrs` that no row of public_address has. The first and the last
// address of a block are left out, which some routers take for the network and its broadcast.

#include "core/config.h"
#include "core/scope.h"
#include "network/cidr.h"

namespace virga::network::address_pool {

/// One free address, by chance. Errors: InsufficientAddressCapacity.
Result<Ipv4> any(Scope& scope, const Config& config);
/// This address. Errors: InvalidAddress.NotFound (not of the pool), InvalidIPAddress.InUse.
Result<Ipv4> exactly(Scope& scope, const Config& config, Ipv4 address);

}  // namespace virga::network::address_pool
