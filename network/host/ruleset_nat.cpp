#include "network/host/ruleset_nat.h"

namespace virga::network {
namespace {

using namespace nft;
using ruleset::groups;
using ruleset::translation;
using ruleset::Writer;

constexpr const char* edge_table = "vgedge";
constexpr int echoes_per_second = 100;

Json coming() { return is(meta("iifname"), outside_device); }
Json going() { return is(meta("oifname"), outside_device); }
Json begun_by(const char* side) { return is(tracked("direction"), side); }
/// The public address a connection goes by and the private one in the packet belong together.
Json of_a_pair(const char* direction, const char* side) {
  return is(concat({tracked("ip daddr", direction), payload("ip", side)}), "@eip_pairs");
}

/// Behind the groups' chains, which know nothing of addresses outside.
void write_gateway(Writer& out, const VpcLayout& layout) {
  out.set(groups, "eip_src", "ipv4_addr");
  out.set(groups, "eip_pairs", {"ipv4_addr", "ipv4_addr"});
  for (const auto& address : layout.addresses) {
    out.element(groups, "eip_src", address.private_ip.str());
    out.element(groups, "eip_pairs", concat({address.public_ip.str(), address.private_ip.str()}));
  }
  out.base_chain(groups, "gateway", "forward", 5, "drop");
  auto rule = [&](std::vector<Json> expressions) { out.rule(groups, "gateway", std::move(expressions)); };
  rule({is_not(meta("iifname"), outside_device), is_not(meta("oifname"), outside_device), accept()});
  rule({coming(), going(), counter(), drop()});
  // Nobody outside passes for a member of a group or for one of the host's services.
  std::vector<Json> inner{prefix("169.254.0.0", 16)};
  for (const auto& cidr : layout.cidrs) inner.push_back(prefix(cidr.base.str(), cidr.length));
  rule({coming(), is(payload("ip", "saddr"), any_of(std::move(inner))), counter(), drop()});
  rule(
      {going(), beginning(), not_flagged(tracked("status"), "snat"), is(payload("ip", "saddr"), "@eip_src"), accept()});
  rule({going(), begun_by("original"), of_a_pair("reply", "saddr"), accept()});
  rule({going(), begun_by("reply"), of_a_pair("original", "saddr"), accept()});
  rule({coming(), begun_by("original"), of_a_pair("original", "daddr"), accept()});
  rule({coming(), begun_by("reply"), of_a_pair("reply", "daddr"), accept()});
  rule({counter(), drop()});
}

}  // namespace

void write_translation(Writer& out, const VpcLayout& layout) {
  write_gateway(out, layout);
  out.set(translation, "eip_in", "ipv4_addr", "ipv4_addr");
  out.set(translation, "eip_out", "ipv4_addr", "ipv4_addr");
  for (const auto& address : layout.addresses) {
    auto outer = address.public_ip.str();
    auto inner = address.private_ip.str();
    out.element(translation, "eip_in", Json::array({outer, inner}));
    out.element(translation, "eip_out", Json::array({inner, outer}));
  }
  out.translation_chain("pre", "prerouting", -100);
  out.rule(translation, "pre", {coming(), translate("dnat", payload("ip", "daddr"), "@eip_in")});
  out.translation_chain("post", "postrouting", 100);
  out.rule(translation, "post", {going(), translate("snat", payload("ip", "saddr"), "@eip_out")});
}

Ruleset edge_ruleset(const std::string& uplink, const std::string& way_out_prefix) {
  Writer out;
  const std::string ways_out = way_out_prefix + "*";
  auto from = [](const std::string& device) { return is(meta("iifname"), device); };
  auto to = [](const std::string& device) { return is(meta("oifname"), device); };
  // What guests say to each other is tracked in their VPCs. Here it would fill a table that all share.
  out.base_chain(edge_table, "untracked", "prerouting", -300, "accept");
  out.rule(edge_table, "untracked", {from(ways_out), is(destination_device(), ways_out), not_tracked()});
  out.base_chain(edge_table, "between", "forward", 0, "drop");
  auto rule = [&](std::vector<Json> expressions) { out.rule(edge_table, "between", std::move(expressions)); };
  rule({is(payload("icmp", "type"), "redirect"), counter(), drop()});
  rule({from(uplink), to(ways_out), accept()});
  rule({from(ways_out), to(ways_out), accept()});
  rule({from(ways_out), to(uplink), established(), accept()});
  rule({from(ways_out), to(uplink), is(payload("icmp", "type"), "echo-request"), at_most_per_second(echoes_per_second),
        accept()});
  rule({counter(), drop()});
  out.base_chain(edge_table, "input", "input", 0, "drop");
  return std::move(out.ruleset);
}

}  // namespace virga::network
