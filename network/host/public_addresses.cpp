#include "network/host/public_addresses.h"

#include <fmt/format.h>

#include <algorithm>

#include "network/host/routes.h"

namespace virga::network {
namespace {

/// This host, this network, link-local, multicast and reserved: a route to one of these would turn the host's own
/// traffic to a guest.
bool can_be_public(Ipv4 address) {
  static const Prefix4 never[] = {{{0}, 8}, {{0x7f000000}, 8}, {{0xa9fe0000}, 16}, {{0xe0000000}, 3}};
  return std::ranges::none_of(never, [&](const Prefix4& prefix) { return prefix.contains(address); });
}

/// Kernel tables of the route tables that lead anything out.
std::set<std::uint32_t> tables_that_lead_out(const WantedVpc& vpc) {
  std::set<std::uint32_t> tables;
  for (const auto& table : vpc.route_tables)
    if (std::ranges::any_of(table.routes, [](const WantedRoute& route) {
          return route.target == "igw" && route.destination.find(':') == std::string::npos;
        }))
      tables.insert(kernel_table(table.number));
  return tables;
}

/// Whether the address is one of an interface on this host, in a subnet governed by one of the tables.
bool is_served(const VpcLayout& layout, const std::set<std::uint32_t>& tables, Ipv4 address) {
  for (const auto& port : layout.ports) {
    if (!port.local || std::ranges::find(port.addresses, address) == port.addresses.end()) continue;
    auto subnet = std::ranges::find(layout.subnets, port.bridge, &SubnetLayout::bridge);
    return subnet != layout.subnets.end() && tables.contains(subnet->table);
  }
  return false;
}

}  // namespace

Result<std::set<AddressLayout>> public_addresses_of(const WantedVpc& vpc, const VpcLayout& layout) {
  const auto tables = tables_that_lead_out(vpc);
  std::set<Ipv4> public_ips;
  std::set<Ipv4> private_ips;
  std::set<AddressLayout> served;
  for (const auto& wanted : vpc.addresses) {
    const auto public_ip = TRY(Ipv4::parse(wanted.public_ip));
    const auto private_ip = TRY(Ipv4::parse(wanted.private_ip));
    bool once = public_ips.insert(public_ip).second && private_ips.insert(private_ip).second;
    if (!once || !can_be_public(public_ip))
      return fail(Code::invalid_parameter_value,
                  fmt::format("{} cannot stand for {}", public_ip.str(), private_ip.str()));
    if (vpc.internet_gateway && is_served(layout, tables, private_ip)) served.insert({public_ip, private_ip});
  }
  return served;
}

}  // namespace virga::network
