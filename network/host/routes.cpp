#include "network/host/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace virga::network {
namespace {

constexpr Prefix4 everywhere{};

Result<RouteLayout> read_route(const WantedRoute& wanted, std::uint32_t table, const std::vector<SubnetLayout>& subnets,
                               Outside outside) {
  RouteLayout route{
      .table = table, .destination = TRY(Prefix4::parse(wanted.destination)), .device = {}, .gateway = {}};
  if (wanted.target.starts_with("eni:")) {
    route.gateway = TRY(Ipv4::parse(std::string_view(wanted.target).substr(4)));
    auto subnet = std::ranges::find_if(subnets, [&](const auto& s) { return s.cidr.contains(route.gateway); });
    if (subnet == subnets.end()) {
      route.gateway = {};
      route.kind = RouteKind::blackhole;
      return route;
    }
    route.kind = RouteKind::via;
    route.device = subnet->bridge;
  } else if (wanted.target == "blackhole") {
    route.kind = RouteKind::blackhole;
  } else if (wanted.target == "local") {
    // What lies in the VPC's range but in no subnet must not leave by a wider route.
    route.kind = RouteKind::unreachable;
    route.metric = last_metric;
  } else if (wanted.target == "igw") {
    if (outside == Outside::closed) return route;
    route.kind = RouteKind::via;
    route.device = outside_device;
    route.gateway = outside_next_hop;
  } else {
    return fail(Code::invalid_parameter_value,
                fmt::format("'{}' is not a route's target", wanted.target.substr(0, 64)));
  }
  return route;
}

}  // namespace

Result<std::set<RouteLayout>> routes_of(const WantedVpc& vpc, const std::vector<SubnetLayout>& subnets,
                                        Outside outside) {
  std::set<RouteLayout> routes;
  for (const auto& wanted : vpc.route_tables) {
    std::uint32_t table = kernel_table(wanted.number);
    std::map<Prefix4, RouteLayout> by_destination;
    // Each subnet is reached directly unless a route of exactly its range says otherwise.
    for (const auto& subnet : subnets)
      by_destination[subnet.cidr] = {.table = table,
                                     .destination = subnet.cidr,
                                     .kind = RouteKind::on_link,
                                     .device = subnet.bridge,
                                     .gateway = {}};
    for (const auto& wanted_route : wanted.routes) {
      if (wanted_route.destination.find(':') != std::string::npos) continue;
      auto route = TRY(read_route(wanted_route, table, subnets, outside));
      bool local_subnet = route.metric == last_metric && by_destination.contains(route.destination);
      if (!local_subnet) by_destination[route.destination] = route;
    }
    for (const auto& [destination, route] : by_destination) routes.insert(route);
    routes.insert({.table = table, .destination = everywhere, .metric = last_metric, .device = {}, .gateway = {}});
  }
  for (const auto& subnet : subnets)
    routes.insert(
        {.table = subnet.table, .destination = everywhere, .metric = last_metric, .device = {}, .gateway = {}});
  return routes;
}

}  // namespace virga::network
