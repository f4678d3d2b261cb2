#include "network/host/edge.h"

#include <linux/rtnetlink.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "network/host/converge.h"
#include "network/host/name_space.h"
#include "network/host/nftables.h"
#include "network/host/ruleset_nat.h"

namespace virga::network {
namespace {

constexpr int outside_mtu = 1500;
constexpr std::chrono::seconds operation_timeout{5};
constexpr const char* edge_uplink = "up";
constexpr Mac edge_uplink_mac{{0x02, 0, 0, 0, 0, 0x04}};
constexpr Mac host_uplink_mac{{0x02, 0, 0, 0, 0, 0x05}};
// Addresses that no link has: names for the MAC at the other end of a pair (see layout.h).
constexpr Ipv4 vpc_next_hop{0xa9fe4002};   ///< a VPC, as the edge's routes see it
constexpr Ipv4 edge_next_hop{0xa9fe4003};  ///< the edge, as the host's routes see it
constexpr Ipv4 host_next_hop{0xa9fe4004};  ///< the host, as the edge's route sees it
/// Of a route in the edge; each VPC that takes an address over from another goes one below.
constexpr std::uint32_t first_metric = 1U << 30;

bool are_pair(const std::optional<Link>& one, const std::optional<Link>& other) {
  return one && other && one->peer == other->index && other->peer == one->index;
}

RouteLayout route_via(Prefix4 destination, std::string device, Ipv4 next_hop, std::uint32_t metric) {
  return {.table = RT_TABLE_MAIN,
          .destination = destination,
          .metric = metric,
          .kind = RouteKind::via,
          .device = std::move(device),
          .gateway = next_hop};
}

/// Makes the device's routes in the main table these; others' stay as they are.
Result<void> converge_routes_of(Netlink& netlink, const Link& device, const std::set<RouteLayout>& wanted) {
  const auto links = TRY(netlink.links());
  std::set<RouteLayout> present;
  for (auto& route : TRY(netlink.main_routes(links)))
    if (route.device == device.name) present.insert(std::move(route));
  return converge_set(
      present, wanted, [&](const RouteLayout& route) { return netlink.remove_route(route, device.index); },
      [&](const RouteLayout& route) { return netlink.add_route(route, device.index); });
}

Result<Link> find_link(Netlink& netlink, const std::string& name) {
  auto link = TRY(netlink.link(name));
  if (!link) return fail(internal_error("link " + name + " vanished"));
  return *link;
}

/// Waits, bounded, until the kernel has taken note that both ends of a pair are up, which may take it a second: until
/// then it drops what is to be sent.
Result<void> await_operation(Netlink& netlink, const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + operation_timeout;
  while (true) {
    const auto link = TRY(netlink.link(name));
    if (link && link->operational) return {};
    if (std::chrono::steady_clock::now() > deadline) return fail(internal_error("link " + name + " carries nothing"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

bool has_address(const VpcLayout& layout, Ipv4 public_ip) {
  return std::ranges::any_of(layout.addresses, [&](const auto& address) { return address.public_ip == public_ip; });
}

}  // namespace

Result<std::unique_ptr<Edge>> Edge::create(Names names) {
  UniqueFd host = TRY(open_own_name_space());
  return std::unique_ptr<Edge>(new Edge(std::move(names), std::move(host)));
}

Result<void> Edge::load_rules() {
  // A VPC sends under its own public addresses only.
  TRY_VOID(set_switches(Sources::routed_back));
  if (!listing_.empty() && TRY(nft::list_ruleset()) == listing_) return {};
  TRY_VOID(nft::run(load_commands(edge_ruleset(edge_uplink, names_.way_out_prefix()))));
  listing_ = TRY(nft::list_ruleset());
  return {};
}

Result<void> Edge::make() {
  TRY_VOID(create_name_space(names_.edge()));
  TRY_VOID(in_name_space(names_.edge(), [&] { return load_rules(); }));
  Netlink edge = TRY(netlink_in(names_.edge()));
  Netlink host = TRY(Netlink::open());
  // Until the loopback is up a namespace takes no next hop for one.
  const Link loopback = TRY(find_link(edge, "lo"));
  if (!loopback.up) TRY_VOID(edge.set_up(loopback.index));
  const std::string name = names_.uplink();
  const auto present = TRY(edge.link(edge_uplink));
  const auto there = TRY(host.link(name));
  if (!are_pair(present, there)) {
    TRY_VOID(edge.remove_link(edge_uplink));
    TRY_VOID(host.remove_link(name));
    TRY_VOID(edge.add_veth({edge_uplink, edge_uplink_mac}, {name, host_uplink_mac}, host_.get(), outside_mtu));
  }
  const Link inner = TRY(find_link(edge, edge_uplink));
  const Link outer = TRY(find_link(host, name));
  // The host answers for itself and carries nothing on for guests, whatever else it is a router for.
  TRY_VOID(set_switch("ipv4/conf/" + name + "/forwarding", "0"));
  TRY_VOID(set_switch("ipv4/conf/" + name + "/accept_redirects", "0"));
  if (::access("/proc/sys/net/ipv6", F_OK) == 0) TRY_VOID(set_switch("ipv6/conf/" + name + "/disable_ipv6", "1"));
  if (!outer.up) TRY_VOID(host.set_up(outer.index));
  if (!inner.up) TRY_VOID(edge.set_up(inner.index));
  TRY_VOID(host.add_neighbour({outer.index, edge_next_hop, edge_uplink_mac}));
  TRY_VOID(edge.add_neighbour({inner.index, host_next_hop, host_uplink_mac}));
  return converge_routes_of(edge, inner, {route_via(Prefix4{}, edge_uplink, host_next_hop, 0)});
}

Result<void> Edge::attach(const VpcLayout& layout) {
  std::lock_guard turn(mutex_);
  TRY_VOID(make());
  // The link takes over what holds for new links in its namespace, so that is settled first.
  TRY_VOID(in_name_space(layout.name_space, [] { return set_switches(); }));
  Netlink edge = TRY(netlink_in(names_.edge()));
  Netlink vpc = TRY(netlink_in(layout.name_space));
  const std::string name = names_.way_out(layout.number);
  const auto present = TRY(edge.link(name));
  const auto there = TRY(vpc.link(outside_device));
  if (!are_pair(present, there)) {
    TRY_VOID(edge.remove_link(name));
    TRY_VOID(vpc.remove_link(outside_device));
    UniqueFd target = TRY(open_name_space(layout.name_space));
    TRY_VOID(edge.add_veth({name, edge_mac}, {outside_device, outside_mac}, target.get(), outside_mtu));
  }
  const Link outside = TRY(find_link(vpc, outside_device));
  if (!outside.up) TRY_VOID(vpc.set_up(outside.index));
  return withdraw_others(edge, layout);
}

Result<void> Edge::withdraw_others(Netlink& edge, const VpcLayout& layout) {
  const Link way_out = TRY(find_link(edge, names_.way_out(layout.number)));
  const auto links = TRY(edge.links());
  for (const auto& route : TRY(edge.main_routes(links)))
    if (route.device == way_out.name && !has_address(layout, route.destination.base))
      TRY_VOID(edge.remove_route(route, way_out.index));
  return converge_host(edge);
}

Result<std::set<RouteLayout>> Edge::routes_to(Netlink& edge, const VpcLayout& layout) {
  const std::string way_out = names_.way_out(layout.number);
  std::map<Prefix4, std::uint32_t> own;
  std::map<Prefix4, std::uint32_t> others;
  const auto links = TRY(edge.links());
  for (const auto& route : TRY(edge.main_routes(links))) {
    auto& metrics = route.device == way_out ? own : others;
    auto [at, first] = metrics.emplace(route.destination, route.metric);
    at->second = std::min(at->second, route.metric);
  }
  std::set<RouteLayout> routes;
  for (const auto& address : layout.addresses) {
    const Prefix4 destination{address.public_ip, 32};
    const auto present = own.find(destination);
    const auto rival = others.find(destination);
    auto metric = present == own.end() ? first_metric : present->second;
    if (rival != others.end() && rival->second > 0) metric = std::min(metric, rival->second - 1);
    routes.insert(route_via(destination, way_out, vpc_next_hop, metric));
  }
  return routes;
}

Result<void> Edge::open(const VpcLayout& layout) {
  std::lock_guard turn(mutex_);
  Netlink edge = TRY(netlink_in(names_.edge()));
  const Link way_out = TRY(find_link(edge, names_.way_out(layout.number)));
  if (!way_out.up) TRY_VOID(edge.set_up(way_out.index));
  TRY_VOID(edge.add_neighbour({way_out.index, vpc_next_hop, outside_mac}));
  const auto wanted = TRY(routes_to(edge, layout));
  TRY_VOID(converge_routes_of(edge, way_out, wanted));
  TRY_VOID(converge_host(edge));
  Netlink vpc = TRY(netlink_in(layout.name_space));
  Netlink host = TRY(Netlink::open());
  TRY_VOID(await_operation(vpc, outside_device));
  TRY_VOID(await_operation(edge, way_out.name));
  TRY_VOID(await_operation(edge, edge_uplink));
  return await_operation(host, names_.uplink());
}

Result<void> Edge::converge_host(Netlink& edge) {
  Netlink host = TRY(Netlink::open());
  const auto uplink = TRY(host.link(names_.uplink()));
  if (!uplink) return {};  // its routes went with it
  const auto links = TRY(edge.links());
  // The metric tells installations apart that were given the same addresses.
  const auto metric = static_cast<std::uint32_t>(0x10000 + std::stoul(names_.realm(), nullptr, 16));
  std::set<RouteLayout> wanted;
  for (const auto& route : TRY(edge.main_routes(links)))
    if (names_.vpc_of_way_out(route.device))
      wanted.insert(route_via(route.destination, uplink->name, edge_next_hop, metric));
  return converge_routes_of(host, *uplink, wanted);
}

Result<void> Edge::release(std::uint32_t vpc) {
  std::lock_guard turn(mutex_);
  return remove({names_.way_out(vpc)});
}

Result<std::vector<std::string>> Edge::remove_others(const std::set<std::uint32_t>& vpcs) {
  std::lock_guard turn(mutex_);
  std::vector<std::string> others;
  const bool was_there = name_space_exists(names_.edge());
  if (was_there) {
    Netlink edge = TRY(netlink_in(names_.edge()));
    for (const auto& link : TRY(edge.links()))
      if (auto vpc = names_.vpc_of_way_out(link.name); vpc && !vpcs.contains(*vpc)) others.push_back(link.name);
  }
  TRY_VOID(remove(others));
  if (was_there && !name_space_exists(names_.edge())) others.push_back(names_.edge());
  return others;
}

Result<void> Edge::remove(const std::vector<std::string>& ways_out) {
  if (name_space_exists(names_.edge())) {
    Netlink edge = TRY(netlink_in(names_.edge()));
    for (const auto& name : ways_out) TRY_VOID(edge.remove_link(name));
    auto links = TRY(edge.links());
    if (std::ranges::any_of(links, [&](const Link& link) { return names_.vpc_of_way_out(link.name).has_value(); }))
      return converge_host(edge);
  }
  Netlink host = TRY(Netlink::open());
  TRY_VOID(host.remove_link(names_.uplink()));
  listing_.clear();
  return remove_name_space(names_.edge());
}

}  // namespace virga::network
