#include "network/sync.h"

#include "core/json_values.h"

#include <algorithm>

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class Sync : public NetworkTest {
 protected:
  std::optional<WantedVpc> wanted(const VpcId& vpc, const std::string& host) {
    return ask(alice, [&](Scope& s) { return wanted_vpc(s.tx, vpc, host); });
  }
  std::vector<std::string> hosts(const VpcId& vpc) {
    return ask(alice, [&](Scope& s) { return hosts_of_vpc(s.tx, vpc); });
  }
  std::vector<VpcId> placed() {
    return ask(alice, [](Scope& s) { return placed_vpcs(s.tx); });
  }
  std::uint32_t number(const std::string& id) {
    return static_cast<std::uint32_t>(
        ask(alice, [&](Scope& s) { return s.tx.number("SELECT number FROM resource WHERE id = ?", id); }));
  }
};

TEST_F(Sync, HostsHaveTheVpcsOfTheirInterfaces) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id);
  EXPECT_TRUE(hosts(vpc.id).empty());
  EXPECT_TRUE(placed().empty());

  const auto on_one = make_interface(alice, subnet.id, "h1");
  make_interface(alice, subnet.id, "h2");
  make_interface(alice, subnet.id, "h2");

  EXPECT_EQ(hosts(vpc.id), (std::vector<std::string>{"h1", "h2"}));
  EXPECT_EQ(placed(), std::vector{vpc.id});
  ok(alice, [&](Scope& s) { return release_interface(s, on_one.id); });
  EXPECT_EQ(hosts(vpc.id), std::vector<std::string>{"h2"});
}

TEST_F(Sync, DocumentsHoldAllInterfacesOnAllHosts) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id);
  const auto web = make_group(alice, vpc.id, "web");
  ok(alice, [&](Scope& s) {
    return security_group_rules::authorize(
        s, web.id, Direction::ingress,
        {{{.protocol = "tcp", .from_port = 22, .to_port = 22, .cidr = "::/0", .peer = {}}, {}},
         {{.protocol = "icmp", .from_port = 8, .to_port = -1, .cidr = {}, .peer = web.id}, {}}});
  });
  auto request = on_host(subnet.id, InstanceId::generate(ids_), "h1");
  request.groups = {web.id};
  const auto here = make_interface(alice, request);
  request.host = "h2";
  const auto there = make_interface(alice, request);

  const auto document = wanted(vpc.id, "h1");

  ASSERT_TRUE(document);
  EXPECT_EQ(document->number, vpc.number);
  EXPECT_EQ(document->account, alice);
  EXPECT_EQ(document->cidrs, std::vector<std::string>{"10.0.0.0/16"});
  EXPECT_EQ(document->domain_name, "ec2.internal");
  ASSERT_EQ(document->subnets.size(), 1u);
  EXPECT_EQ(document->subnets[0].number, subnet.number);
  ASSERT_EQ(document->interfaces.size(), 2u);
  EXPECT_EQ(document->interfaces[0].private_ips, std::vector<std::string>{here.private_ip});
  EXPECT_EQ(document->interfaces[0].host_name, "ip-10-0-1-4");
  EXPECT_EQ(document->interfaces[0].groups, std::vector<std::uint32_t>{web.number});
  EXPECT_TRUE(document->interfaces[0].local);
  EXPECT_FALSE(document->interfaces[1].local);
  EXPECT_TRUE(wanted(vpc.id, "h2")->interfaces[1].local);
  const auto group = std::ranges::find(document->groups, web.number, &WantedGroup::number);
  ASSERT_NE(group, document->groups.end());
  EXPECT_EQ(group->members, (std::vector<std::string>{here.private_ip, there.private_ip}));
  const nlohmann::json rules = group->rules;
  EXPECT_EQ(
      rules,
      nlohmann::json::array(
          {{{"egress", false},
            {"protocol", "icmp"},
            {"from_port", 8},
            {"to_port", -1},
            {"cidr", ""},
            {"group", web.number}},
           {{"egress", false}, {"protocol", "tcp"}, {"from_port", 22}, {"to_port", 22}, {"cidr", "::/0"}, {"group", 0}},
           {{"egress", true},
            {"protocol", "-1"},
            {"from_port", -1},
            {"to_port", -1},
            {"cidr", "0.0.0.0/0"},
            {"group", 0}}}));
}

TEST_F(Sync, DocumentsSayWhereRoutesLead) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id);
  const auto other = make_subnet(alice, vpc.id, "10.0.2.0/24");
  const auto gateway = make_gateway(alice, vpc.id);
  const auto router = make_interface(alice, subnet.id);
  const auto table = ok(alice, [&](Scope& s) { return route_tables::create(s, vpc.id); });
  ok(alice, [&](Scope& s) -> Result<void> {
    TRY_VOID(route_tables::associate(s, table.id, other.id));
    TRY_VOID(routes::create(s, table.id, "0.0.0.0/0", {.gateway = gateway.id.str()}));
    return routes::create(s, table.id, "192.168.0.0/16", {.interface = router.id.str()});
  });
  const auto targets = [&] {
    const auto document = wanted(vpc.id, "h1");
    const auto found = std::ranges::find(document->route_tables, table.number, &WantedRouteTable::number);
    std::string text;
    for (const auto& route : found->routes) text += route.destination + " " + route.target + "; ";
    return text;
  };

  const auto document = wanted(vpc.id, "h1");
  ASSERT_EQ(document->subnets.size(), 2u);
  EXPECT_EQ(document->subnets[1].route_table, table.number);
  EXPECT_NE(document->subnets[0].route_table, table.number);
  EXPECT_EQ(targets(), "10.0.0.0/16 local; 0.0.0.0/0 igw; 192.168.0.0/16 eni:10.0.1.4; ");
  ok(alice, [&](Scope& s) { return internet_gateways::detach(s, gateway.id, vpc.id); });
  ok(alice, [&](Scope& s) { return release_interface(s, router.id); });
  EXPECT_EQ(targets(), "10.0.0.0/16 local; 0.0.0.0/0 blackhole; 192.168.0.0/16 blackhole; ");
}

TEST_F(Sync, NumbersAreThoseOfTheResources) {
  const auto vpc = make_vpc(alice);
  const auto interface = make_interface(alice, make_subnet(alice, vpc.id).id);
  const auto document = wanted(vpc.id, "h1");
  EXPECT_EQ(document->number, number(vpc.id.str()));
  EXPECT_EQ(document->interfaces[0].number, number(interface.id.str()));
  EXPECT_EQ(document->groups[0].number, number(document->groups[0].id.str()));
  EXPECT_EQ(document->route_tables[0].number, number(document->route_tables[0].id.str()));
}

TEST_F(Sync, AVpcThatIsGoneHasNoDocument) {
  const auto vpc = make_vpc(alice);
  ok(alice, [&](Scope& s) { return vpcs::remove(s, vpc.id); });
  EXPECT_FALSE(wanted(vpc.id, "h1"));
}

using Threat_B01_Documents = Sync;
TEST_F(Threat_B01_Documents, AVpcsDocumentHoldsNothingOfOthers) {
  const auto vpc = make_vpc(alice);
  make_interface(alice, make_subnet(alice, vpc.id).id);
  const auto foreign = make_vpc(bob);
  make_interface(bob, make_subnet(bob, foreign.id).id);

  const auto document = wanted(vpc.id, "h1");

  EXPECT_EQ(document->interfaces.size(), 1u);
  EXPECT_EQ(document->subnets.size(), 1u);
  EXPECT_EQ(document->groups.size(), 1u);
  EXPECT_EQ(document->route_tables.size(), 1u);
}

}  // namespace
}  // namespace virga::network
