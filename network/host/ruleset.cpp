#include "network/host/ruleset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "network/host/nft_words.h"
#include "network/host/ruleset_nat.h"
#include "network/host/ruleset_writer.h"

namespace virga::network {
namespace {

using namespace nft;
using ruleset::groups;
using ruleset::identity;
using ruleset::Writer;

Json port_and_mac() { return concat({meta("iifname"), payload("ether", "saddr")}); }
Json arp_sender() { return concat({meta("iifname"), payload("arp", "saddr ether"), payload("arp", "saddr ip")}); }
Json to_many() { return any_of({prefix("224.0.0.0", 4), "255.255.255.255"}); }
Json ether_is(const char* type) { return is(payload("ether", "type"), type); }
Json arp_request() { return is(payload("arp", "operation"), "request"); }

/// What a frame with the port's own MAC and IPv4 source may be: nothing that plays DHCP server, no multicast, nothing
/// link-local but the host's services.
void write_own_ipv4(Writer& out) {
  out.chain(identity, "ok4");
  out.rule(identity, "ok4", {is(payload("udp", "sport"), 67), counter(), drop()});
  out.rule(identity, "ok4", {is(payload("udp", "dport"), 68), counter(), drop()});
  out.rule(identity, "ok4",
           {is(payload("ip", "daddr"), "255.255.255.255"), is(payload("udp", "sport"), 68),
            is(payload("udp", "dport"), 67), accept()});
  out.rule(identity, "ok4", {is(payload("ip", "daddr"), to_many()), counter(), drop()});
  out.rule(
      identity, "ok4",
      {is(payload("ip", "daddr"), prefix("169.254.0.0", 16)),
       is_not(payload("ip", "daddr"), any_of({metadata_address.str(), link_dns_address.str()})), counter(), drop()});
  out.rule(identity, "ok4", {accept()});
}

void write_arp(Writer& out) {
  out.chain(identity, "arp4");
  out.rule(identity, "arp4", {is_not(payload("arp", "htype"), 1), drop()});
  out.rule(identity, "arp4", {is_not(payload("arp", "ptype"), "ip"), drop()});
  out.rule(identity, "arp4", {is_not(payload("arp", "hlen"), 6), drop()});
  out.rule(identity, "arp4", {is_not(payload("arp", "plen"), 4), drop()});
  out.rule(identity, "arp4", {is(arp_sender(), "@port_ip4"), accept()});
  auto own_mac = is(concat({meta("iifname"), payload("arp", "saddr ether")}), "@port_mac");
  out.rule(identity, "arp4", {arp_request(), is(payload("arp", "saddr ip"), "0.0.0.0"), own_mac, accept()});
  out.rule(identity, "arp4", {arp_request(), is(meta("iifname"), "@nocheck"), own_mac, accept()});
  out.rule(identity, "arp4", {counter(), drop()});
  // An appliance may ask the gateway in foreign names, but must not poison its neighbours' tables.
  out.base_chain(identity, "fwd0", "forward", -200, "accept");
  out.rule(identity, "fwd0",
           {ether_is("arp"), is(meta("iifname"), "@nocheck"), is_not(payload("arp", "saddr ip"), "0.0.0.0"),
            is_not(arp_sender(), "@port_ip4"), counter(), drop()});
}

/// Frames from a port, before anything else sees them.
void write_source_check(Writer& out) {
  auto from_own = concat({meta("iifname"), payload("ether", "saddr"), payload("ip", "saddr")});
  out.base_chain(identity, "pre", "prerouting", -300, "drop");
  // A group MAC around one guest's address would slip past the destination's groups.
  out.rule(identity, "pre",
           {is(masked(payload("ether", "daddr"), "01:00:00:00:00:00"), "01:00:00:00:00:00"), ether_is("ip"),
            is_not(payload("ip", "daddr"), to_many()), counter(), drop()});
  out.rule(identity, "pre", {ether_is("ip"), is(from_own, "@port_ip4"), jump("ok4")});
  out.rule(identity, "pre", {is_not(port_and_mac(), "@port_mac"), counter(), drop()});
  out.rule(identity, "pre", {ether_is("arp"), jump("arp4")});
  out.rule(identity, "pre",
           {is(payload("ip", "saddr"), "0.0.0.0"), is(payload("ip", "daddr"), "255.255.255.255"),
            is(payload("udp", "sport"), 68), is(payload("udp", "dport"), 67), accept()});
  // Even an appliance forwards nothing in the name of the host's services, of no one or of everyone.
  out.rule(identity, "pre",
           {is(payload("ip", "saddr"), any_of({prefix("0.0.0.0", 8), prefix("127.0.0.0", 8), prefix("169.254.0.0", 16),
                                               prefix("224.0.0.0", 3)})),
            counter(), drop()});
  out.rule(identity, "pre", {ether_is("ip"), is(meta("iifname"), "@nocheck"), jump("ok4")});
  out.rule(identity, "pre", {counter(), drop()});
}

/// Frames to a port: its own addresses, ARP, and the broadcast answers of the DHCP server.
void write_destination_check(Writer& out) {
  out.base_chain(identity, "post", "postrouting", 300, "drop");
  out.rule(identity, "post", {ether_is("arp"), accept()});
  out.rule(identity, "post",
           {ether_is("ip"), is(concat({meta("oifname"), payload("ip", "daddr")}), "@dst_ip4"), accept()});
  out.rule(identity, "post", {ether_is("ip"), is(meta("oifname"), "@nocheck"), accept()});
  out.rule(identity, "post",
           {is(payload("ether", "saddr"), router_mac.str()), is(payload("ip", "daddr"), "255.255.255.255"),
            is(payload("udp", "sport"), 67), is(payload("udp", "dport"), 68), accept()});
  out.rule(identity, "post", {counter(), drop()});
}

void write_identity(Writer& out) {
  out.set(identity, "port_mac", {"ifname", "ether_addr"});
  out.set(identity, "port_ip4", {"ifname", "ether_addr", "ipv4_addr"});
  out.set(identity, "dst_ip4", {"ifname", "ipv4_addr"});
  out.set(identity, "nocheck", "ifname");
  write_own_ipv4(out);
  write_arp(out);
  write_source_check(out);
  write_destination_check(out);
}

/// The forward hook sees bridged and routed packets alike. The sender's interface is its MAC; the receiver's is its MAC
/// when bridged and the next hop when routed.
/// What comes from outside or goes there has only one end here, and passes `gateway` besides.
void write_forwarding(Writer& out, const VpcLayout& layout) {
  out.set(groups, "eg_mac", "ether_addr", "verdict");
  out.set(groups, "in_mac", "ether_addr", "verdict");
  out.set(groups, "in_ip4", "ipv4_addr", "verdict");
  out.base_chain(groups, "sg_out", "forward", 0, "drop");
  out.rule(groups, "sg_out", {established(), accept()});
  if (!layout.addresses.empty()) out.rule(groups, "sg_out", {is(meta("iifname"), outside_device), accept()});
  out.rule(groups, "sg_out", {look_up(payload("ether", "saddr"), "@eg_mac")});
  out.rule(groups, "sg_out", {counter(), drop()});
  out.base_chain(groups, "sg_in", "forward", 10, "drop");
  out.rule(groups, "sg_in", {established(), accept()});
  if (!layout.addresses.empty()) out.rule(groups, "sg_in", {is(meta("oifname"), outside_device), accept()});
  out.rule(groups, "sg_in", {look_up(payload("ether", "daddr"), "@in_mac")});
  out.rule(groups, "sg_in", {look_up({{"rt", {{"key", "nexthop"}, {"family", "ip"}}}}, "@in_ip4")});
  out.rule(groups, "sg_in", {counter(), drop()});
}

/// What guests may ask of the host: DHCP, DNS, metadata.
void write_input(Writer& out) {
  out.base_chain(groups, "input", "input", 0, "drop");
  out.rule(groups, "input", {is(meta("iifname"), "lo"), accept()});
  out.rule(groups, "input", {established(), accept()});
  out.rule(groups, "input", {is_not(meta("iifname"), "vb*"), drop()});
  out.rule(groups, "input", {is(payload("udp", "dport"), any_of({53, 67})), accept()});
  out.rule(groups, "input", {is(payload("tcp", "dport"), 53), accept()});
  out.rule(groups, "input",
           {is(payload("ip", "daddr"), metadata_address.str()), is(payload("tcp", "dport"), 80), accept()});
  out.rule(groups, "input", {counter(), drop()});
}

/// The protocol and port part of a group's rule; nothing when no packet can match it.
std::optional<std::vector<Json>> service_of(const GroupRule& rule) {
  if (!rule.protocol) return std::vector<Json>{};
  int protocol = *rule.protocol;
  std::vector<Json> matches{is(meta("l4proto"), protocol)};
  if (protocol == 6 || protocol == 17) {
    if (rule.from < 0 && rule.to < 0) return matches;
    if (rule.from < 0 || rule.to > 65535 || rule.from > rule.to) return std::nullopt;
    auto port = payload(protocol == 6 ? "tcp" : "udp", "dport");
    if (rule.from > 0 || rule.to < 65535)
      matches.push_back(is(port, rule.from == rule.to ? Json(rule.from) : range(rule.from, rule.to)));
  } else if (protocol == 1 || protocol == 58) {
    const char* name = protocol == 1 ? "icmp" : "icmpv6";
    if (rule.from > 255 || rule.to > 255) return std::nullopt;
    if (rule.from >= 0) matches.push_back(is(payload(name, "type"), rule.from));
    if (rule.from >= 0 && rule.to >= 0) matches.push_back(is(payload(name, "code"), rule.to));
  }
  return matches;
}

/// The other end of a group's rule; nothing when it is a group that has no members here.
std::optional<std::vector<Json>> peer_of(const GroupRule& rule, const std::set<std::uint32_t>& known_groups) {
  const char* side = rule.egress ? "daddr" : "saddr";
  if (auto* cidr = std::get_if<Prefix4>(&rule.peer)) {
    if (cidr->length == 0) return std::vector<Json>{is(meta("nfproto"), "ipv4")};
    return std::vector<Json>{is(payload("ip", side), prefix(cidr->base.str(), cidr->length))};
  }
  if (auto* cidr = std::get_if<Prefix6>(&rule.peer)) {
    if (cidr->length == 0) return std::vector<Json>{is(meta("nfproto"), "ipv6")};
    return std::vector<Json>{is(payload("ip6", side), prefix(cidr->address(), cidr->length))};
  }
  std::uint32_t group = std::get<std::uint32_t>(rule.peer);
  if (!known_groups.contains(group)) return std::nullopt;
  return std::vector<Json>{is(payload("ip", side), fmt::format("@m{}", group))};
}

void write_group(Writer& out, const GroupLayout& group, const std::set<std::uint32_t>& known_groups) {
  out.chain(groups, fmt::format("si{}", group.number));
  out.chain(groups, fmt::format("so{}", group.number));
  out.set(groups, fmt::format("m{}", group.number), "ipv4_addr");
  for (Ipv4 member : group.members) out.element(groups, fmt::format("m{}", group.number), member.str());
  for (const auto& rule : group.rules) {
    auto service = service_of(rule);
    auto peer = peer_of(rule, known_groups);
    if (!service || !peer) continue;
    peer->insert(peer->end(), service->begin(), service->end());
    peer->push_back(accept());
    out.rule(groups, fmt::format("{}{}", rule.egress ? "so" : "si", group.number), std::move(*peer));
  }
}

/// The chains of a combination of groups: any of them may accept, else the packet is dropped.
std::string write_combination(Writer& out, const std::set<std::uint32_t>& combination,
                              const std::set<std::uint32_t>& known_groups) {
  std::string name = combination.empty() ? "none" : fmt::format("{}", fmt::join(combination, "_"));
  if (out.ruleset.chains.contains({groups, "ci" + name})) return name;
  for (std::string direction : {"i", "o"}) {
    std::string chain = "c" + direction + name;
    out.chain(groups, chain);
    for (std::uint32_t group : combination)
      if (known_groups.contains(group)) out.rule(groups, chain, {jump(fmt::format("s{}{}", direction, group))});
    out.rule(groups, chain, {counter(), drop()});
  }
  return name;
}

/// Of what the groups let pass, what begins a connection is counted against its sender, whichever way it goes: one
/// guest must not fill the connection table of all. After the groups, since what they drop leaves nothing in the table.
/// The kernel's counter walks through all it has counted, again and again; so a sender has many short counters, by the
/// connection's source port and destination. All that comes from outside has one MAC address; there the sender is the
/// IP address, or one of them could shut the VPC's public addresses to all others.
void write_counting(Writer& out, int connection_limit) {
  Json one_of_16_ports = masked(payload("th", "sport"), 0x1e);  // clients often use every other port only
  Json one_of_16_addresses = masked(payload("ip", "daddr"), "0.0.0.15");
  out.chain(groups, "count");
  auto count = [&](Json senders, const char* name, Json sender) {
    Json counter_of = concat({std::move(sender), one_of_16_ports, one_of_16_addresses});
    out.rule(groups, "count",
             {beginning(), std::move(senders),
              over_limit(name, std::move(counter_of), std::max(1, connection_limit / connection_counters), 1 << 20),
              counter(), drop()});
  };
  count(is_not(meta("iifname"), outside_device), "conns", payload("ether", "saddr"));
  count(is(meta("iifname"), outside_device), "conns_outside", payload("ip", "saddr"));
  for (auto [chain, hook, priority] : {std::tuple{"count_fwd", "forward", 20}, {"count_in", "input", 10}}) {
    out.base_chain(groups, chain, hook, priority, "drop");
    out.rule(groups, chain, {jump("count")});
    out.rule(groups, chain, {accept()});
  }
}

void write_port(Writer& out, const PortLayout& port, const std::string& combination) {
  std::string mac = port.mac.str();
  out.element(identity, "port_mac", concat({port.tap, mac}));
  for (Ipv4 address : port.addresses) {
    out.element(identity, "port_ip4", concat({port.tap, mac, address.str()}));
    out.element(identity, "dst_ip4", concat({port.tap, address.str()}));
    out.element(groups, "in_ip4", Json::array({address.str(), jump("ci" + combination)}));
  }
  if (!port.source_dest_check) out.element(identity, "nocheck", port.tap);
  out.element(groups, "eg_mac", Json::array({mac, jump("co" + combination)}));
  out.element(groups, "in_mac", Json::array({mac, jump("ci" + combination)}));
}

}  // namespace

Ruleset ruleset_of(const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged, int connection_limit) {
  Writer out;
  write_identity(out);
  write_forwarding(out, layout);
  write_input(out);
  if (!layout.addresses.empty()) write_translation(out, layout);
  if (connection_limit > 0) write_counting(out, connection_limit);
  std::set<std::uint32_t> known_groups;
  for (const auto& group : layout.groups) known_groups.insert(group.number);
  for (const auto& group : layout.groups) write_group(out, group, known_groups);
  for (const auto& port : layout.ports) {
    if (!port.local || !plugged.contains(port.id)) continue;
    write_port(out, port, write_combination(out, port.groups, known_groups));
  }
  return std::move(out.ruleset);
}

}  // namespace virga::network
