#include "network/subnets.h"

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class Subnets : public NetworkTest {
 protected:
  Code refused(const VpcId& vpc, const std::string& cidr, const std::string& zone = {}) {
    return code(alice, [&](Scope& s) { return subnets::create(s, config_, {.vpc = vpc, .cidr = cidr, .zone = zone}); });
  }
};

TEST_F(Subnets, LieInTheirVpcAndApart) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id, "10.0.1.77/24");

  EXPECT_EQ(subnet.cidr, "10.0.1.0/24");
  EXPECT_EQ(subnet.zone, "us-east-1a");
  EXPECT_EQ(subnet.zone_id, "use1-az1");
  EXPECT_EQ(subnet.available(), 251);
  EXPECT_EQ(refused(vpc.id, "10.0.1.128/25"), Code::invalid_subnet_conflict);
  EXPECT_EQ(refused(vpc.id, "10.0.0.0/16"), Code::invalid_subnet_conflict);
  EXPECT_EQ(refused(vpc.id, "10.1.0.0/24"), Code::invalid_subnet_range);
  EXPECT_EQ(refused(vpc.id, "10.0.2.0/29"), Code::invalid_subnet_range);
  EXPECT_EQ(refused(vpc.id, "10.0.0.0/15"), Code::invalid_subnet_range);
  EXPECT_EQ(refused(vpc.id, "10.0.2.0"), Code::invalid_parameter_value);
  EXPECT_EQ(refused(vpc.id, "10.0.2.0/24", "us-east-1z"), Code::invalid_parameter_value);
  EXPECT_EQ(journal(subnet.id.str()), "+");
  EXPECT_TRUE(touched(vpc.id));
}

TEST_F(Subnets, MayHaveAnotherVpcsBlock) {
  make_subnet(alice, make_vpc(alice).id);
  make_subnet(alice, make_vpc(alice).id);
  make_subnet(bob, make_vpc(bob).id);
}

TEST_F(Subnets, AreLimitedPerVpc) {
  limit(alice, quota::Name::subnets_per_vpc, 1);
  const auto vpc = make_vpc(alice);
  make_subnet(alice, vpc.id);

  EXPECT_EQ(refused(vpc.id, "10.0.2.0/24"), Code::subnet_limit_exceeded);
  make_subnet(alice, make_vpc(alice).id);
}

TEST_F(Subnets, StayWhileInterfacesAreInThem) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id);
  const auto interface = make_interface(alice, subnet.id);

  const auto seen = error(alice, [&](Scope& s) { return subnets::remove(s, subnet.id); });
  EXPECT_EQ(seen.code, Code::dependency_violation);
  EXPECT_NE(seen.message.find(interface.id.str()), std::string::npos);
  EXPECT_EQ(ok(alice, [&](Scope& s) { return subnets::find(s, subnet.id); }).available(), 250);
  ok(alice, [&](Scope& s) { return release_interface(s, interface.id); });
  ok(alice, [&](Scope& s) { return subnets::remove(s, subnet.id); });
  EXPECT_EQ(journal(subnet.id.str()), "+-");
}

TEST_F(Subnets, TakeTheirAssociationWithThem) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id);
  const auto table = ok(alice, [&](Scope& s) { return route_tables::create(s, vpc.id); });
  ok(alice, [&](Scope& s) { return route_tables::associate(s, table.id, subnet.id); });

  ok(alice, [&](Scope& s) { return subnets::remove(s, subnet.id); });

  EXPECT_TRUE(ok(alice, [&](Scope& s) { return route_tables::find(s, table.id); }).associations.empty());
}

TEST_F(Subnets, DefaultOnesServeInstancesWithoutASubnet) {
  EXPECT_EQ(code(alice, [](Scope& s) { return default_subnet(s, ""); }), Code::missing_input);
  ok(alice, [&](Scope& s) { return create_default_vpc(s, config_); });

  const auto in_b = ok(alice, [](Scope& s) { return default_subnet(s, "us-east-1b"); });
  EXPECT_EQ(ok(alice, [&](Scope& s) { return subnet_place(s, in_b); }).zone, "us-east-1b");
  const auto any = ok(alice, [](Scope& s) { return default_subnet(s, ""); });
  EXPECT_EQ(ok(alice, [&](Scope& s) { return subnet_place(s, any); }).zone, "us-east-1a");
  EXPECT_EQ(code(alice, [](Scope& s) { return default_subnet(s, "nowhere"); }), Code::invalid_parameter_value);
  EXPECT_EQ(code(bob, [&](Scope& s) { return subnet_place(s, any); }), Code::invalid_subnet_id_not_found);
}

TEST_F(Subnets, DefaultZoneWithoutRoomIsPassedOver) {
  const auto vpc = ok(alice, [&](Scope& s) { return create_default_vpc(s, config_); });
  const auto small = ok(alice, [&](Scope& s) -> Result<SubnetId> {
    const auto first = TRY(default_subnet(s, "us-east-1a"));
    TRY_VOID(subnets::remove(s, first));
    const auto made = TRY(subnets::create(
        s, config_, {.vpc = vpc.id, .cidr = "172.31.0.0/28", .zone = "us-east-1a", .is_default = true}));
    return made.id;
  });
  for (int i = 0; i < 11; ++i) make_interface(alice, small);

  const auto chosen = ok(alice, [](Scope& s) { return default_subnet(s, ""); });

  EXPECT_EQ(ok(alice, [&](Scope& s) { return subnet_place(s, chosen); }).zone, "us-east-1b");
}

TEST_F(Subnets, AreInvisibleToOthers) {
  const auto subnet = make_subnet(alice, make_vpc(alice).id);
  EXPECT_EQ(code(bob, [&](Scope& s) { return subnets::find(s, subnet.id); }), Code::invalid_subnet_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return subnets::remove(s, subnet.id); }), Code::invalid_subnet_id_not_found);
  EXPECT_TRUE(ok(bob, [](Scope& s) { return subnets::list(s); }).empty());
}

}  // namespace
}  // namespace virga::network
