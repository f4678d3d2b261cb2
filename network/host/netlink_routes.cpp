#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <map>

#include "network/host/netlink.h"
#include "network/host/netlink_message.h"

namespace virga::network {
namespace {

constexpr std::uint32_t rule_priority = 1000;

std::uint8_t kernel_type(RouteKind kind) {
  switch (kind) {
    case RouteKind::on_link:
    case RouteKind::via:
      return RTN_UNICAST;
    case RouteKind::unreachable:
      return RTN_UNREACHABLE;
    case RouteKind::blackhole:
      return RTN_BLACKHOLE;
  }
  return RTN_UNREACHABLE;
}

using RouteAttributes = Attributes<rtmsg, RTA_MAX + 1>;

RouteLayout read_route(const rtmsg& header, const RouteAttributes& attributes,
                       const std::map<int, std::string>& devices) {
  RouteLayout route{.table = attributes.has(RTA_TABLE, 4) ? attributes.u32(RTA_TABLE) : header.rtm_table,
                    .destination = {attributes.address(RTA_DST), header.rtm_dst_len},
                    .metric = attributes.u32(RTA_PRIORITY),
                    .device = {},
                    .gateway = attributes.address(RTA_GATEWAY)};
  if (auto device = devices.find(static_cast<int>(attributes.u32(RTA_OIF))); device != devices.end())
    route.device = device->second;
  if (header.rtm_type == RTN_UNICAST) route.kind = attributes.has(RTA_GATEWAY, 4) ? RouteKind::via : RouteKind::on_link;
  if (header.rtm_type == RTN_BLACKHOLE) route.kind = RouteKind::blackhole;
  return route;
}

}  // namespace

Result<std::vector<LinkAddress>> Netlink::addresses() {
  std::vector<LinkAddress> addresses;
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  auto add = [&](const ifaddrmsg& found, const auto& attributes) {
    addresses.push_back({static_cast<int>(found.ifa_index), attributes.address(IFA_LOCAL), found.ifa_prefixlen});
  };
  auto request = list_request(RTM_GETADDR, header);
  TRY_VOID(dump(request.get(), "list addresses", reading<ifaddrmsg, IFA_MAX + 1>(add)));
  return addresses;
}

Result<void> Netlink::send_address(const LinkAddress& address, int type, int flags, int tolerated) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
  header.ifa_index = static_cast<std::uint32_t>(address.index);
  Message message(type, NLM_F_REQUEST | flags, header);
  message.put_address(IFA_LOCAL, address.address);
  message.put_address(IFA_ADDRESS, address.address);
  return send(message.get(), "change address", tolerated);
}

Result<void> Netlink::add_address(const LinkAddress& address) {
  return send_address(address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, EEXIST);
}
Result<void> Netlink::remove_address(const LinkAddress& address) {
  return send_address(address, RTM_DELADDR, 0, EADDRNOTAVAIL);
}

Result<std::vector<RouteLayout>> Netlink::routes(const std::vector<Link>& links) {
  return list_routes(links, [](std::uint32_t table) { return table > RT_TABLE_LOCAL; });
}

Result<std::vector<RouteLayout>> Netlink::main_routes(const std::vector<Link>& links) {
  return list_routes(links, [](std::uint32_t table) { return table == RT_TABLE_MAIN; });
}

Result<std::vector<RouteLayout>> Netlink::list_routes(const std::vector<Link>& links,
                                                      const std::function<bool(std::uint32_t table)>& wanted) {
  std::map<int, std::string> devices;
  for (const auto& link : links) devices[link.index] = link.name;
  std::vector<RouteLayout> routes;
  rtmsg header{};
  header.rtm_family = AF_INET;
  auto add = [&](const rtmsg& found, const RouteAttributes& attributes) {
    auto route = read_route(found, attributes, devices);
    bool of_kernel =
        !wanted(route.table) || found.rtm_protocol == RTPROT_KERNEL || (found.rtm_flags & RTM_F_CLONED) != 0;
    if (!of_kernel) routes.push_back(std::move(route));
  };
  auto request = list_request(RTM_GETROUTE, header);
  TRY_VOID(dump(request.get(), "list routes", reading<rtmsg, RTA_MAX + 1>(add)));
  return routes;
}

Result<void> Netlink::send_route(const RouteLayout& route, int device_index, int type, int flags, int tolerated) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = static_cast<std::uint8_t>(route.destination.length);
  header.rtm_table = RT_TABLE_UNSPEC;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = route.kind == RouteKind::on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.rtm_type = kernel_type(route.kind);
  // The neighbour is on the bridge whatever the other tables say.
  if (route.kind == RouteKind::via) header.rtm_flags = RTNH_F_ONLINK;
  Message message(type, NLM_F_REQUEST | flags, header);
  message.put_u32(RTA_TABLE, route.table);
  if (route.destination.length > 0) message.put_address(RTA_DST, route.destination.base);
  if (route.metric > 0) message.put_u32(RTA_PRIORITY, route.metric);
  if (route.kind == RouteKind::via) message.put_address(RTA_GATEWAY, route.gateway);
  if (!route.device.empty()) message.put_u32(RTA_OIF, static_cast<std::uint32_t>(device_index));
  return send(message.get(), "change route", tolerated);
}

Result<void> Netlink::add_route(const RouteLayout& route, int device_index) {
  return send_route(route, device_index, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, 0);
}
Result<void> Netlink::remove_route(const RouteLayout& route, int device_index) {
  return send_route(route, device_index, RTM_DELROUTE, 0, ESRCH);
}

Result<std::vector<TableRule>> Netlink::table_rules() {
  std::vector<TableRule> rules;
  fib_rule_hdr header{};
  header.family = AF_INET;
  auto add = [&](const fib_rule_hdr&, const auto& attributes) {
    if (attributes.u32(FRA_PRIORITY) == rule_priority)
      rules.push_back({attributes.text(FRA_IIFNAME), attributes.u32(FRA_TABLE)});
  };
  auto request = list_request(RTM_GETRULE, header);
  TRY_VOID(dump(request.get(), "list routing rules", reading<fib_rule_hdr, FRA_MAX + 1>(add)));
  return rules;
}

Result<void> Netlink::send_table_rule(const TableRule& rule, int type, int flags, int tolerated) {
  fib_rule_hdr header{};
  header.family = AF_INET;
  header.action = FR_ACT_TO_TBL;
  Message message(type, NLM_F_REQUEST | flags, header);
  message.put_u32(FRA_PRIORITY, rule_priority);
  message.put_u32(FRA_TABLE, rule.table);
  message.put_text(FRA_IIFNAME, rule.device);
  return send(message.get(), "change routing rule", tolerated);
}

Result<void> Netlink::add_table_rule(const TableRule& rule) {
  return send_table_rule(rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, EEXIST);
}
Result<void> Netlink::remove_table_rule(const TableRule& rule) { return send_table_rule(rule, RTM_DELRULE, 0, ENOENT); }

}  // namespace virga::network
