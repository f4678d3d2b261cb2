#include "network/host/ruleset.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

constexpr int limit = 65'536;
const std::set<NetworkInterfaceId> nobody;
std::set<NetworkInterfaceId> everybody() {
  std::set<NetworkInterfaceId> all;
  for (const auto& port : sample_layout().ports) all.insert(port.id);
  return all;
}

std::string one_command_a_line(const nlohmann::json& commands) {
  std::string text;
  for (const auto& command : commands["nftables"]) text += command.dump() + "\n";
  return text;
}

/// Compares with golden/<name>; with VIRGA_UPDATE_GOLDEN in the environment writes it instead.
void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(VIRGA_SOURCE_DIR) / "tests/unit/network/host/golden" / name;
  if (std::getenv("VIRGA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::string golden((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, golden) << "if this change is meant, run again with VIRGA_UPDATE_GOLDEN=1 and read the difference";
}

TEST(Ruleset, LoadsAsTheGoldenFileSays) {
  expect_golden("load.jsonl", one_command_a_line(load_commands(ruleset_of(sample_layout(), everybody(), limit))));
}

TEST(Ruleset, PluggingAnInterfaceChangesOnlyItsElements) {
  auto before = ruleset_of(sample_layout(), nobody, limit);
  auto after = ruleset_of(sample_layout(), {sample_layout().ports[0].id}, limit);

  expect_golden("plug.jsonl", one_command_a_line(update_commands(before, after)));
  expect_golden("unplug.jsonl", one_command_a_line(update_commands(after, before)));
}

TEST(Ruleset, NothingChangesWhenNothingChanged) {
  auto rules = ruleset_of(sample_layout(), everybody(), limit);

  EXPECT_TRUE(update_commands(rules, rules)["nftables"].empty());
}

TEST(Ruleset, GivesNoRightsToAnInterfaceThatIsNotHere) {
  auto rules = ruleset_of(sample_layout(), everybody(), limit);

  for (const auto& [name, set] : rules.sets)
    for (const auto& element : set.elements)
      EXPECT_EQ(element.dump().find("06:00:00:00:10:03"), std::string::npos) << name.second;
}

TEST(Ruleset, EveryChainOfAHookEndsClosed) {
  auto rules = ruleset_of(sample_layout(), everybody(), limit);

  for (const auto& [name, chain] : rules.chains) {
    if (!chain.header.contains("hook") || name.second == "fwd0") continue;
    EXPECT_EQ(chain.header["policy"], "drop") << name.second;
  }
}

TEST(Ruleset, Threat_N10_CountsWhatBeginsInForwardingAndInput) {
  auto rules = ruleset_of(sample_layout(), everybody(), 100 * connection_counters);

  const auto& counting = rules.chains.at({"vgsg", "count"}).rules;
  ASSERT_EQ(counting.size(), 2U);
  const std::pair<const char*, const char*> senders[] = {{"!=", "ether"}, {"==", "ip"}};  // guests, and outside
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& count = counting[i]["expr"];
    EXPECT_EQ(count[0]["match"]["right"], "new");
    EXPECT_EQ(count[1]["match"]["op"], senders[i].first);
    EXPECT_EQ(count[1]["match"]["right"], "ext");
    EXPECT_EQ(count[2]["meter"]["key"]["concat"][0]["payload"]["protocol"], senders[i].second);
    EXPECT_EQ(count[2]["meter"]["stmt"].dump(), R"({"ct count":{"inv":true,"val":100}})");
    EXPECT_TRUE(count.back().contains("drop"));
  }
  for (const char* chain : {"count_fwd", "count_in"})
    EXPECT_EQ(rules.chains.at({"vgsg", chain}).rules.at(0)["expr"][0]["jump"]["target"], "count");
}

TEST(Ruleset, CountsNothingOnAKernelThatCannot) {
  auto rules = ruleset_of(sample_layout(), everybody(), 0);

  EXPECT_FALSE(rules.chains.contains({"vgsg", "count"}));
  EXPECT_FALSE(rules.chains.contains({"vgsg", "count_fwd"}));
}

TEST(Ruleset, AnInterfaceWithoutGroupsIsClosed) {
  auto vpc = sample_vpc();
  vpc.interfaces[0].groups.clear();
  auto layout = *read_layout(vpc, sample_names);

  auto rules = ruleset_of(layout, {vpc.interfaces[0].id}, limit);

  EXPECT_EQ(rules.chains.at({"vgsg", "cinone"}).rules.size(), 1U);
}

TEST(Ruleset, ARuleThatNoPacketCanMatchIsLeftOut) {
  auto vpc = sample_vpc();
  auto rules_with = [&](const char* protocol, int from, int to) {
    vpc.groups[1].rules = {
        {.egress = false, .protocol = protocol, .from_port = from, .to_port = to, .cidr = "0.0.0.0/0"}};
    return ruleset_of(*read_layout(vpc, sample_names), nobody, limit).chains.at({"vgsg", "si9"}).rules.size();
  };

  EXPECT_EQ(rules_with("tcp", 80, 22), 0U);
  EXPECT_EQ(rules_with("udp", 70000, 70001), 0U);
  EXPECT_EQ(rules_with("icmp", 300, -1), 0U);
  EXPECT_EQ(rules_with("47", 80, 22), 1U);
  EXPECT_EQ(rules_with("-1", 80, 22), 1U);
  EXPECT_EQ(rules_with("tcp", -1, -1), 1U);
  EXPECT_EQ(rules_with("tcp", 0, 65535), 1U);
}

}  // namespace
}  // namespace virga::network
