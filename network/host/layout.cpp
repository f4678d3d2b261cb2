#include "network/host/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "network/host/public_addresses.h"
#include "network/host/routes.h"

namespace virga::network {
namespace {

tl::unexpected<Error> refuse(std::string message) { return fail(Code::invalid_parameter_value, std::move(message)); }

/// Letters, digits and inner hyphens in labels of 1 to 63, joined by dots: nothing that a configuration file or a DNS
/// packet could take for something else.
bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    auto dot = text.find('.');
    auto label = text.substr(0, dot);
    auto legal = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, legal)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

/// One label that can be nothing else in the line of a reservation, where a number would be the time of a lease.
bool is_host_name(std::string_view text) {
  bool begins_with_letter = !text.empty() && text.front() > '9';
  return is_domain(text) && text.find('.') == std::string_view::npos && begins_with_letter && text != "ignore" &&
         text != "infinite";
}

Result<std::optional<int>> read_protocol(const std::string& text) {
  static const std::map<std::string, int, std::less<>> names{{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmpv6", 58}};
  if (text == "-1") return std::optional<int>();
  if (auto named = names.find(text); named != names.end()) return std::optional<int>(named->second);
  int number = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > 255)
    return refuse(fmt::format("'{}' is not a protocol", text.substr(0, 64)));
  return std::optional<int>(number);
}

Result<GroupRule> read_rule(const WantedRule& wanted) {
  const auto protocol = TRY(read_protocol(wanted.protocol));
  GroupRule rule{.egress = wanted.egress,
                 .protocol = protocol,
                 .from = wanted.from_port,
                 .to = wanted.to_port,
                 .peer = wanted.group};
  if (!wanted.cidr.empty() && wanted.cidr.find(':') == std::string::npos) rule.peer = TRY(Prefix4::parse(wanted.cidr));
  if (wanted.cidr.find(':') != std::string::npos) rule.peer = TRY(Prefix6::parse(wanted.cidr));
  return rule;
}

Result<GroupLayout> read_group(const WantedGroup& wanted) {
  GroupLayout group{.number = wanted.number, .rules = {}, .members = {}};
  for (const auto& rule : wanted.rules) group.rules.push_back(TRY(read_rule(rule)));
  for (const auto& member : wanted.members) group.members.insert(TRY(Ipv4::parse(member)));
  return group;
}

Result<PortLayout> read_port(const WantedInterface& wanted, const SubnetLayout& subnet, const Names& names) {
  const auto mac = TRY(Mac::parse(wanted.mac));
  PortLayout port{.id = wanted.id,
                  .number = wanted.number,
                  .tap = names.tap(wanted.number),
                  .bridge = subnet.bridge,
                  .mac = mac,
                  .addresses = {},
                  .groups = {wanted.groups.begin(), wanted.groups.end()},
                  .source_dest_check = wanted.source_dest_check,
                  .local = wanted.local,
                  .host_name = wanted.host_name};
  for (const auto& text : wanted.private_ips) {
    Ipv4 address = TRY(Ipv4::parse(text));
    // The router's, the resolver's and the broadcast address must never become a guest's.
    bool reserved = !subnet.cidr.contains(address) || address < subnet.cidr.base + 4 ||
                    address.value == (subnet.cidr.base.value | ~subnet.cidr.mask().value);
    if (reserved) return refuse(fmt::format("{} is no address for an interface of {}", text, subnet.cidr.str()));
    port.addresses.push_back(address);
  }
  if (port.addresses.empty()) return refuse(fmt::format("{} has no address", wanted.id.str()));
  if (port.mac == router_mac) return refuse(fmt::format("{} has the router's MAC address", wanted.id.str()));
  if (!port.host_name.empty() && !is_host_name(port.host_name))
    return refuse(fmt::format("{} has a host name that is none", wanted.id.str()));
  return port;
}

Result<void> read_ports(const WantedVpc& vpc, const Names& names, VpcLayout& layout) {
  std::map<SubnetId, const SubnetLayout*> subnets;
  for (std::size_t i = 0; i < vpc.subnets.size(); ++i) subnets.emplace(vpc.subnets[i].id, &layout.subnets[i]);
  std::set<Ipv4> addresses;
  std::set<Mac> macs;
  for (const auto& wanted : vpc.interfaces) {
    auto subnet = subnets.find(wanted.subnet);
    if (subnet == subnets.end()) return refuse(fmt::format("{} is in an unknown subnet", wanted.id.str()));
    auto port = TRY(read_port(wanted, *subnet->second, names));
    bool unique = macs.insert(port.mac).second;
    for (Ipv4 address : port.addresses) unique = addresses.insert(address).second && unique;
    if (!unique) return refuse(fmt::format("{} has an address of another interface", wanted.id.str()));
    layout.ports.push_back(std::move(port));
  }
  return {};
}

}  // namespace

const PortLayout* VpcLayout::port(const NetworkInterfaceId& id) const {
  auto found = std::ranges::find(ports, id, &PortLayout::id);
  return found == ports.end() ? nullptr : &*found;
}

Result<VpcLayout> read_layout(const WantedVpc& vpc, const Names& names) {
  VpcLayout layout;
  layout.number = vpc.number;
  layout.name_space = names.name_space(vpc.number);
  layout.dns_support = vpc.dns_support;
  layout.domain = vpc.domain_name;
  if (vpc.cidrs.empty()) return refuse(fmt::format("{} has no CIDR", vpc.id.str()));
  for (const auto& cidr : vpc.cidrs) layout.cidrs.push_back(TRY(Prefix4::parse(cidr)));
  layout.resolver = layout.cidrs.front().base + 2;
  if (!is_domain(layout.domain)) return refuse(fmt::format("{} has a domain name that is none", vpc.id.str()));
  for (const auto& wanted : vpc.subnets) {
    const auto cidr = TRY(Prefix4::parse(wanted.cidr));
    SubnetLayout subnet{.number = wanted.number,
                        .bridge = names.bridge(wanted.number),
                        .cidr = cidr,
                        .table = kernel_table(wanted.route_table)};
    if (subnet.cidr.length > 28 || subnet.cidr.length < 16)
      return refuse(fmt::format("{} is no size for a subnet", subnet.cidr.str()));
    layout.subnets.push_back(std::move(subnet));
  }
  TRY_VOID(read_ports(vpc, names, layout));
  for (const auto& wanted : vpc.groups) layout.groups.push_back(TRY(read_group(wanted)));
  layout.addresses = TRY(public_addresses_of(vpc, layout));
  layout.routes = TRY(routes_of(vpc, layout.subnets, layout.addresses.empty() ? Outside::closed : Outside::open));
  return layout;
}

}  // namespace virga::network
