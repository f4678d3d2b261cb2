#pragma once

// Which public addresses of a VPC work on this host. Pure.

#include <set>

#include "network/host/layout.h"

namespace virga::network {

/// Those whose interface is on this host, if an internet gateway is attached and the route table of the interface's
/// subnet leads anything to it: without a way back an address that let packets in would be worse than none. The
/// layout's subnets and ports have been read. Errors: InvalidParameterValue for an address that is none, that can be
/// nobody's public address, or that stands for two.
Result<std::set<AddressLayout>> public_addresses_of(const WantedVpc& vpc, const VpcLayout& layout);

}  // namespace virga::network
