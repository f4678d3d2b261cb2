#include "network/host/ruleset_nat.h"

#include <gtest/gtest.h>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

using nlohmann::json;

VpcLayout layout_with(std::vector<WantedAddress> addresses) {
  auto vpc = sample_vpc();
  vpc.internet_gateway = true;
  vpc.addresses = std::move(addresses);
  return *read_layout(vpc, sample_names);
}

Ruleset rules_with(std::vector<WantedAddress> addresses) {
  return ruleset_of(layout_with(std::move(addresses)), {}, 0);
}

/// Names of the objects of a kind that the commands act on by `verb`.
std::set<std::string> named(const json& commands, const char* verb, const char* kind) {
  std::set<std::string> names;
  for (const auto& command : commands["nftables"])
    if (command.contains(verb) && command[verb].contains(kind)) names.insert(command[verb][kind]["name"]);
  return names;
}

TEST(RulesetNat, IsThereOnlyForAVpcWithAWayOut) {
  auto without = rules_with({});
  auto with = rules_with({{"203.0.113.10", "10.9.1.10"}});

  EXPECT_FALSE(without.chains.contains({"vgsg", "gateway"}));
  EXPECT_FALSE(without.chains.contains({"vgnat", "pre"}));
  EXPECT_TRUE(with.chains.contains({"vgsg", "gateway"}));
  EXPECT_TRUE(with.chains.contains({"vgnat", "pre"}));
  EXPECT_TRUE(with.chains.contains({"vgnat", "post"}));
}

TEST(RulesetNat, TheBorderIsClosedToWhatNoRuleAccepts) {
  auto rules = rules_with({{"203.0.113.10", "10.9.1.10"}});

  const auto& gateway = rules.chains.at({"vgsg", "gateway"});
  EXPECT_EQ(gateway.header["policy"], "drop");
  EXPECT_TRUE(gateway.rules.back()["expr"].back().contains("drop"));
}

TEST(RulesetNat, TranslatesBothWays) {
  auto rules = rules_with({{"203.0.113.10", "10.9.1.10"}});

  EXPECT_EQ(rules.sets.at({"vgnat", "eip_in"}).elements, (std::set<json>{json::array({"203.0.113.10", "10.9.1.10"})}));
  EXPECT_EQ(rules.sets.at({"vgnat", "eip_out"}).elements, (std::set<json>{json::array({"10.9.1.10", "203.0.113.10"})}));
  EXPECT_EQ(rules.sets.at({"vgsg", "eip_src"}).elements, (std::set<json>{"10.9.1.10"}));
}

TEST(RulesetNat, AnotherAddressChangesElementsOnly) {
  auto before = rules_with({{"203.0.113.10", "10.9.1.10"}});
  auto after = rules_with({{"203.0.113.10", "10.9.1.10"}, {"203.0.113.11", "10.9.2.10"}});

  auto commands = update_commands(before, after);

  for (const auto& command : commands["nftables"]) EXPECT_TRUE(command["add"].contains("element")) << command.dump();
  EXPECT_FALSE(commands["nftables"].empty());
}

TEST(RulesetNat, TheFirstAddressBringsTheTable) {
  auto commands = update_commands(rules_with({}), rules_with({{"203.0.113.10", "10.9.1.10"}}));

  EXPECT_EQ(named(commands, "add", "table"), (std::set<std::string>{"vgnat"}));
  EXPECT_EQ(named(commands, "add", "map"), (std::set<std::string>{"eip_in", "eip_out"}));
}

TEST(RulesetNat, LoadingAfreshRemovesATranslationThatIsNoLongerWanted) {
  auto commands = load_commands(rules_with({}));

  EXPECT_TRUE(named(commands, "delete", "table").contains("vgnat"));
}

TEST(EdgeRuleset, Threat_N09_LetsNothingIntoTheEdgeItself) {
  auto rules = edge_ruleset("up", "veab12");

  EXPECT_EQ(rules.chains.at({"vgedge", "input"}).header["policy"], "drop");
  EXPECT_TRUE(rules.chains.at({"vgedge", "input"}).rules.empty());
  EXPECT_EQ(rules.chains.at({"vgedge", "between"}).header["policy"], "drop");
}

}  // namespace
}  // namespace virga::network
