#pragma once

// Route tables of a VPC as kernel routes. Pure.

#include <set>
#include <vector>

#include "network/host/layout.h"

namespace virga::network {

/// The kernel's table for a route table, clear of the tables 253-255 that the kernel itself uses.
constexpr std::uint32_t kernel_table(std::uint32_t number) { return 1000 + number; }
/// Behind every other route: what no route names is unreachable.
inline constexpr std::uint32_t last_metric = 4000;

/// Whether the VPC has a way out on this host.
enum class Outside { closed, open };

/// The routes of all tables that subnets use. A route that names an unknown interface address is a black hole, as EC2
/// shows it; one that leads out is unreachable while there is no way out. IPv6 destinations have no effect: the network
/// offers IPv4 only.
Result<std::set<RouteLayout>> routes_of(const WantedVpc& vpc, const std::vector<SubnetLayout>& subnets,
                                        Outside outside);

}  // namespace virga::network
