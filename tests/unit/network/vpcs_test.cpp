#include <algorithm>

#include "network/vpcs.h"

#include "network/cidr.h"
#include "network/dhcp_options.h"
#include "network/network_acls.h"
#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class Vpcs : public NetworkTest {};

TEST_F(Vpcs, ComeWithMainTableDefaultGroupAndAcl) {
  const auto vpc = make_vpc(alice, "10.0.7.9/16");

  EXPECT_EQ(vpc.cidr, "10.0.0.0/16");
  EXPECT_EQ(vpc.domain, "ec2.internal");
  const auto main = ok(alice, [&](Scope& scope) { return route_tables::find_main(scope, vpc.id); });
  ASSERT_EQ(main.routes.size(), 1u);
  EXPECT_TRUE(main.routes[0].local);
  EXPECT_EQ(main.routes[0].destination, "10.0.0.0/16");
  const auto group = ok(alice, [&](Scope& s) { return security_groups::find_by_name(s, vpc.id, "default"); });
  ASSERT_EQ(group.rules.size(), 2u);
  EXPECT_EQ(group.rules[0].rule, (Rule{"-1", -1, -1, "", group.id}));
  EXPECT_EQ(group.rules[1].rule, (Rule{"-1", -1, -1, "0.0.0.0/0", {}}));
  EXPECT_EQ(group.rules[1].direction, Direction::egress);
  const auto acls = ok(alice, [](Scope& scope) { return network_acls::list(scope); });
  ASSERT_EQ(acls.size(), 1u);
  EXPECT_EQ(acls[0].vpc, vpc.id);
  EXPECT_EQ(journal(vpc.id.str()), "+");
  EXPECT_TRUE(touched(vpc.id));
}

TEST_F(Vpcs, ShareTheAccountsDhcpOptions) {
  const auto first = make_vpc(alice);
  const auto second = make_vpc(alice);
  const auto foreign = make_vpc(bob);

  EXPECT_EQ(first.dhcp_options, second.dhcp_options);
  EXPECT_NE(first.dhcp_options, foreign.dhcp_options);
  EXPECT_EQ(code(bob, [&](Scope& s) { return dhcp_options::find(s, first.dhcp_options); }),
            Code::invalid_dhcp_option_id_not_found);
}

TEST_F(Vpcs, RefuseBlocksThatCannotBe) {
  const auto refused = [&](const std::string& cidr) {
    return code(alice, [&](Scope& scope) { return vpcs::create(scope, config_, {.cidr = cidr}); });
  };
  EXPECT_EQ(refused("10.0.0.0/15"), Code::invalid_vpc_range);
  EXPECT_EQ(refused("10.0.0.0/29"), Code::invalid_vpc_range);
  EXPECT_EQ(refused("169.254.0.0/16"), Code::invalid_vpc_range);
  EXPECT_EQ(refused("127.1.0.0/16"), Code::invalid_vpc_range);
  EXPECT_EQ(refused("224.0.0.0/24"), Code::invalid_vpc_range);
  EXPECT_EQ(refused("ten/16"), Code::invalid_parameter_value);
  EXPECT_EQ(used(alice, quota::Name::vpcs), 0);
  EXPECT_EQ(rows_left(alice), 0);
}

TEST_F(Vpcs, KeepToTheQuota) {
  limit(alice, quota::Name::vpcs, 1);
  make_vpc(alice);

  EXPECT_EQ(code(alice, [&](Scope& s) { return vpcs::create(s, config_, {.cidr = "10.1.0.0/16"}); }),
            Code::vpc_limit_exceeded);
  make_vpc(bob);
}

TEST_F(Vpcs, ChangeTheirAttributes) {
  const auto vpc = make_vpc(alice);
  touched(vpc.id);

  ok(alice, [&](Scope& s) {
    return vpcs::modify(s, vpc.id, {.dns_support = false, .dns_hostnames = true, .usage_metrics = {}});
  });

  const auto changed = ok(alice, [&](Scope& s) { return vpcs::find(s, vpc.id); });
  EXPECT_FALSE(changed.dns_support);
  EXPECT_TRUE(changed.dns_hostnames);
  EXPECT_FALSE(changed.usage_metrics);
  EXPECT_EQ(journal(vpc.id.str()), "+~");
  EXPECT_TRUE(touched(vpc.id));
}

TEST_F(Vpcs, LeaveNothingBehind) {
  const auto vpc = make_vpc(alice);

  ok(alice, [&](Scope& s) { return vpcs::remove(s, vpc.id); });

  EXPECT_EQ(rows_left(alice), 0);
  EXPECT_EQ(used(alice, quota::Name::vpcs), 0);
  EXPECT_EQ(used(alice, quota::Name::security_groups), 0);
  EXPECT_EQ(journal(vpc.id.str()), "+-");
  EXPECT_EQ(code(alice, [&](Scope& s) { return vpcs::find(s, vpc.id); }), Code::invalid_vpc_id_not_found);
}

TEST_F(Vpcs, StayWhileSomethingIsInThem) {
  const auto vpc = make_vpc(alice);
  const auto refused = [&] { return error(alice, [&](Scope& s) { return vpcs::remove(s, vpc.id); }); };
  const auto names = [&](const std::string& id) {
    const auto seen = refused();
    return seen.code == Code::dependency_violation && seen.message.find(id) != std::string::npos;
  };

  const auto subnet = make_subnet(alice, vpc.id);
  EXPECT_TRUE(names(subnet.id.str()));
  ok(alice, [&](Scope& s) { return subnets::remove(s, subnet.id); });
  const auto gateway = make_gateway(alice, vpc.id);
  EXPECT_TRUE(names(gateway.id.str()));
  ok(alice, [&](Scope& s) { return internet_gateways::detach(s, gateway.id, vpc.id); });
  const auto group = make_group(alice, vpc.id);
  EXPECT_TRUE(names(group.id.str()));
  ok(alice, [&](Scope& s) { return security_groups::remove(s, group.id); });
  const auto table = ok(alice, [&](Scope& s) { return route_tables::create(s, vpc.id); });
  EXPECT_TRUE(names(table.id.str()));
  ok(alice, [&](Scope& s) { return route_tables::remove(s, table.id); });
  ok(alice, [&](Scope& s) { return vpcs::remove(s, vpc.id); });
}

TEST_F(Vpcs, ListsAnswerWhollyOrNotAtAll) {
  const auto one = make_vpc(alice);
  const auto two = make_vpc(alice);
  const auto foreign = make_vpc(bob);

  EXPECT_EQ(ok(alice, [](Scope& s) { return vpcs::list(s); }).size(), 2u);
  EXPECT_EQ(ok(alice, [&](Scope& s) { return vpcs::list(s, {two.id, one.id, one.id}); }).size(), 2u);
  EXPECT_EQ(code(alice, [&](Scope& s) { return vpcs::list(s, {one.id, foreign.id}); }), Code::invalid_vpc_id_not_found);
}

TEST_F(Vpcs, DefaultOneHasSubnetsGatewayAndRoute) {
  const auto vpc = ok(alice, [&](Scope& s) { return create_default_vpc(s, config_); });

  EXPECT_EQ(vpc.cidr, "172.31.0.0/16");
  EXPECT_TRUE(vpc.is_default);
  EXPECT_TRUE(vpc.dns_hostnames);
  auto subnets = ok(alice, [](Scope& s) { return subnets::list(s); });
  std::ranges::sort(subnets, {}, &Subnet::zone);
  ASSERT_EQ(subnets.size(), 3u);
  EXPECT_EQ(subnets[1].cidr, "172.31.16.0/20");
  EXPECT_EQ(subnets[1].zone, "us-east-1b");
  EXPECT_EQ(subnets[1].available(), 4091);
  const auto main = ok(alice, [&](Scope& s) { return route_tables::find_main(s, vpc.id); });
  ASSERT_EQ(main.routes.size(), 2u);
  EXPECT_EQ(main.routes[1].destination, "0.0.0.0/0");
  EXPECT_FALSE(main.routes[1].gateway.empty());
  EXPECT_TRUE(main.routes[1].active);
  EXPECT_EQ(code(alice, [&](Scope& s) { return create_default_vpc(s, config_); }), Code::default_vpc_already_exists);
  ok(bob, [&](Scope& s) { return create_default_vpc(s, config_); });
}

using Threat_B01 = Vpcs;
TEST_F(Threat_B01, ForeignAndAbsentVpcsAreOneAndTheSame) {
  const auto vpc = make_vpc(alice);
  const auto absent = VpcId::generate(ids_);
  const auto about = [&](const VpcId& id) {
    std::vector<std::string> said;
    const auto add = [&](const Error& e) {
      EXPECT_EQ(e.code, Code::invalid_vpc_id_not_found);
      auto text = e.message;
      text.replace(text.find(id.str()), id.str().size(), "ID");
      said.push_back(text);
    };
    add(error(bob, [&](Scope& s) { return vpcs::find(s, id); }));
    add(error(bob, [&](Scope& s) { return vpcs::remove(s, id); }));
    add(error(bob, [&](Scope& s) {
      return vpcs::modify(s, id, {.dns_support = false, .dns_hostnames = {}, .usage_metrics = {}});
    }));
    add(error(bob,
              [&](Scope& s) { return subnets::create(s, config_, {.vpc = id, .cidr = "10.0.0.0/24", .zone = {}}); }));
    add(error(bob, [&](Scope& s) { return route_tables::create(s, id); }));
    add(error(bob, [&](Scope& s) { return route_tables::find_main(s, id); }));
    add(error(bob, [&](Scope& s) { return security_groups::create(s, {.vpc = id, .name = "g", .description = "d"}); }));
    return said;
  };
  EXPECT_EQ(about(vpc.id), about(absent));
  EXPECT_TRUE(ok(alice, [&](Scope& s) { return vpcs::find(s, vpc.id); }).dns_support);
}

}  // namespace
}  // namespace virga::network
