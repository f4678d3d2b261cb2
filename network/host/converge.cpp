#include "network/host/converge.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "core/unique_fd.h"
#include "network/host/system_failure.h"

namespace virga::network {
namespace {

constexpr int guest_mtu = 1500;
constexpr std::chrono::seconds forwarding_timeout{5};

/// Links of the namespace by name.
using LinkMap = std::map<std::string, Link>;

Result<LinkMap> read_links(Netlink& netlink) {
  LinkMap map;
  for (auto& link : TRY(netlink.links())) map.emplace(link.name, link);
  return map;
}

Result<void> converge_addresses(Netlink& netlink, const VpcLayout& layout, const Names& names) {
  auto links = TRY(read_links(netlink));
  std::set<int> ours;
  std::set<LinkAddress> wanted;
  int loopback = links.at("lo").index;
  for (Ipv4 address : {metadata_address, link_dns_address, layout.resolver}) wanted.insert({loopback, address, 32});
  for (const auto& subnet : layout.subnets)
    wanted.insert({links.at(subnet.bridge).index, subnet.gateway(), subnet.cidr.length});
  for (const auto& [name, link] : links)
    if (name == "lo" || name.starts_with(names.bridge_prefix())) ours.insert(link.index);
  std::set<LinkAddress> present;
  for (const auto& address : TRY(netlink.addresses()))
    if (ours.contains(address.index) && address.address.value >> 24 != 127) present.insert(address);
  return converge_set(
      present, wanted, [&](const LinkAddress& address) { return netlink.remove_address(address); },
      [&](const LinkAddress& address) { return netlink.add_address(address); });
}

/// A bridge without a subnet goes, unless a tap is still plugged into it.
Result<void> remove_unknown_bridges(Netlink& netlink, const VpcLayout& layout, const Names& names) {
  auto links = TRY(read_links(netlink));
  for (const auto& [name, link] : links) {
    bool known = std::ranges::any_of(layout.subnets, [&](const auto& subnet) { return subnet.bridge == name; });
    bool used = std::ranges::any_of(links, [&](const auto& other) { return other.second.master == link.index; });
    if (name.starts_with(names.bridge_prefix()) && !known && !used) TRY_VOID(netlink.remove_link(name));
  }
  return {};
}

Result<void> converge_forwarding(Netlink& netlink, const VpcLayout& layout, const LinkMap& links,
                                 const std::set<NetworkInterfaceId>& plugged, const Names& names) {
  std::set<ForwardingEntry> wanted;
  std::set<int> taps;
  for (const auto& [name, link] : links)
    if (name.starts_with(names.tap_prefix())) taps.insert(link.index);
  for (const auto& port : layout.ports)
    if (plugged.contains(port.id)) wanted.insert({links.at(port.tap).index, port.mac});
  std::set<ForwardingEntry> present;
  for (const auto& entry : TRY(netlink.forwarding_entries()))
    if (taps.contains(entry.index)) present.insert(entry);
  return converge_set(
      present, wanted, [&](const ForwardingEntry& entry) { return netlink.remove_forwarding_entry(entry); },
      [&](const ForwardingEntry& entry) { return netlink.add_forwarding_entry(entry); });
}

Result<void> converge_neighbours(Netlink& netlink, const VpcLayout& layout, const LinkMap& links,
                                 const std::set<NetworkInterfaceId>& plugged) {
  std::set<Neighbour> wanted;
  for (const auto& port : layout.ports)
    for (Ipv4 address : port.addresses)
      if (plugged.contains(port.id)) wanted.insert({links.at(port.bridge).index, address, port.mac});
  if (!layout.addresses.empty()) wanted.insert({links.at(outside_device).index, outside_next_hop, edge_mac});
  auto listed = TRY(netlink.neighbours());
  std::set<Neighbour> present(listed.begin(), listed.end());
  return converge_set(
      present, wanted, [&](const Neighbour& neighbour) { return netlink.remove_neighbour(neighbour); },
      [&](const Neighbour& neighbour) { return netlink.add_neighbour(neighbour); });
}

}  // namespace

Result<void> set_switch(const std::string& name, const std::string& value) {
  std::string path = "/proc/sys/net/" + name;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) return system_failure("open " + path);
  char present[32] = {};
  ssize_t size = ::read(file.get(), present, sizeof present - 1);
  if (size > 0 && std::string_view(present, static_cast<std::size_t>(size)) == value + "\n") return {};
  if (::pwrite(file.get(), value.data(), value.size(), 0) != static_cast<ssize_t>(value.size()))
    return system_failure("write " + path);
  return {};
}

Result<void> set_switches(Sources sources) {
  const std::string strict = sources == Sources::routed_back ? "1" : "0";
  const std::map<std::string, std::string> switches{
      {"ipv6/conf/all/disable_ipv6", "1"},
      {"ipv6/conf/default/disable_ipv6", "1"},
      {"ipv4/ip_forward", "1"},
      {"ipv4/conf/all/rp_filter", strict},
      {"ipv4/conf/default/rp_filter", strict},
      {"ipv4/conf/all/send_redirects", "0"},
      {"ipv4/conf/default/send_redirects", "0"},
      {"ipv4/conf/all/accept_redirects", "0"},
      {"ipv4/conf/default/accept_redirects", "0"},
      // 0 would make a bridged packet skip the groups.
      {"bridge/bridge-nf-call-iptables", "1"},
      {"bridge/bridge-nf-call-ip6tables", "1"},
      {"bridge/bridge-nf-call-arptables", "0"},
  };
  // Turning routing on resets other switches to a router's defaults, so it comes first.
  TRY_VOID(set_switch("ipv4/ip_forward", "1"));
  for (const auto& [name, value] : switches) {
    bool ipv6_absent = name.starts_with("ipv6/") && ::access("/proc/sys/net/ipv6", F_OK) != 0;
    if (!ipv6_absent) TRY_VOID(set_switch(name, value));
  }
  return {};
}

Result<void> converge_bridges(Netlink& netlink, const VpcLayout& layout, const Names& names) {
  auto links = TRY(read_links(netlink));
  if (!links.at("lo").up) TRY_VOID(netlink.set_up(links.at("lo").index));
  for (const auto& subnet : layout.subnets)
    if (!links.contains(subnet.bridge)) TRY_VOID(netlink.add_bridge(subnet.bridge, guest_mtu));
  links = TRY(read_links(netlink));
  for (const auto& subnet : layout.subnets) {
    const Link& bridge = links.at(subnet.bridge);
    if (bridge.mac != router_mac) TRY_VOID(netlink.set_mac(bridge.index, router_mac));
    if (!bridge.up) TRY_VOID(netlink.set_up(bridge.index));
  }
  TRY_VOID(remove_unknown_bridges(netlink, layout, names));
  return converge_addresses(netlink, layout, names);
}

Result<void> converge_routes(Netlink& netlink, const VpcLayout& layout) {
  auto links = TRY(netlink.links());
  std::map<std::string, int> indexes;
  for (const auto& link : links) indexes[link.name] = link.index;
  auto index_of = [&](const RouteLayout& route) { return route.device.empty() ? 0 : indexes.at(route.device); };
  auto listed = TRY(netlink.routes(links));
  TRY_VOID(converge_set(
      std::set<RouteLayout>(listed.begin(), listed.end()), layout.routes,
      [&](const RouteLayout& route) { return netlink.remove_route(route, index_of(route)); },
      [&](const RouteLayout& route) { return netlink.add_route(route, index_of(route)); }));
  std::set<TableRule> wanted;
  for (const auto& subnet : layout.subnets) wanted.insert({subnet.bridge, subnet.table});
  auto rules = TRY(netlink.table_rules());
  return converge_set(
      std::set<TableRule>(rules.begin(), rules.end()), wanted,
      [&](const TableRule& rule) { return netlink.remove_table_rule(rule); },
      [&](const TableRule& rule) { return netlink.add_table_rule(rule); });
}

Result<void> converge_ports(Netlink& netlink, const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged,
                            const Names& names) {
  auto links = TRY(read_links(netlink));
  for (const auto& port : layout.ports) {
    if (!plugged.contains(port.id)) continue;
    const Link& tap = links.at(port.tap);
    int bridge = links.at(port.bridge).index;
    if (tap.master != bridge) TRY_VOID(netlink.set_master(tap.index, bridge));
    if (tap.master != bridge || !tap.closed_port) TRY_VOID(netlink.close_port(tap.index));
  }
  TRY_VOID(converge_forwarding(netlink, layout, links, plugged, names));
  return converge_neighbours(netlink, layout, links, plugged);
}

Result<void> raise_ports(Netlink& netlink, const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged) {
  auto links = TRY(read_links(netlink));
  for (const auto& port : layout.ports) {
    if (!plugged.contains(port.id)) continue;
    const Link& tap = links.at(port.tap);
    if (!tap.up) TRY_VOID(netlink.set_up(tap.index));
  }
  return {};
}

Result<void> await_forwarding(Netlink& netlink, const PortLayout& port) {
  const auto deadline = std::chrono::steady_clock::now() + forwarding_timeout;
  while (true) {
    auto links = TRY(read_links(netlink));
    const Link& tap = links.at(port.tap);
    if (!tap.carrier || (tap.forwarding && links.at(port.bridge).operational)) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return fail(internal_error("the bridge does not let frames of " + port.tap + " pass"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<std::set<NetworkInterfaceId>> plugged_interfaces(Netlink& netlink, const VpcLayout& layout) {
  auto links = TRY(read_links(netlink));
  std::set<NetworkInterfaceId> plugged;
  for (const auto& port : layout.ports)
    if (port.local && links.contains(port.tap)) plugged.insert(port.id);
  return plugged;
}

}  // namespace virga::network
