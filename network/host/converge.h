#pragma once

// Brings links, addresses, routes and neighbours of a VPC's namespace in line with its layout: reads what the kernel
// has, changes what differs, touches nothing else. All functions work on the namespace of the socket.

#include <set>
#include <string>

#include "network/host/netlink.h"

namespace virga::network {

/// One of the IP stack's switches (a file below /proc/sys/net), for the calling thread's namespace.
Result<void> set_switch(const std::string& name, const std::string& value);
/// Which packets are routed on: all, or those only whose source is routed back the way they came.
enum class Sources { any, routed_back };
/// Switches of the IP stack, for the calling thread's namespace: routing on, IPv6 off, bridged packets through the
/// groups.
Result<void> set_switches(Sources sources = Sources::any);
/// lo, bridges and their addresses.
Result<void> converge_bridges(Netlink& netlink, const VpcLayout& layout, const Names& names);
Result<void> converge_routes(Netlink& netlink, const VpcLayout& layout);
/// Ports of the bridges, static forwarding entries and neighbours of the plugged interfaces. Leaves new taps down.
Result<void> converge_ports(Netlink& netlink, const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged,
                            const Names& names);
/// Lets frames flow: the last step.
Result<void> raise_ports(Netlink& netlink, const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged);

/// Waits, bounded, until the bridge lets frames of the port pass: the kernel takes note of a tap that was just opened
/// up to a second later. A tap that nobody has open needs no waiting.
Result<void> await_forwarding(Netlink& netlink, const PortLayout& port);

/// The local interfaces whose taps are in the namespace.
Result<std::set<NetworkInterfaceId>> plugged_interfaces(Netlink& netlink, const VpcLayout& layout);

}  // namespace virga::network
