#include "network/internet_gateways.h"

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class InternetGateways : public NetworkTest {};

TEST_F(InternetGateways, BelongToOneVpcAtATime) {
  const auto vpc = make_vpc(alice);
  const auto other = make_vpc(alice);
  const auto gateway = make_gateway(alice, vpc.id);
  const auto spare = ok(alice, [](Scope& s) { return internet_gateways::create(s); });

  EXPECT_EQ(code(alice, [&](Scope& s) { return internet_gateways::attach(s, gateway.id, other.id); }),
            Code::resource_already_associated);
  EXPECT_EQ(code(alice, [&](Scope& s) { return internet_gateways::attach(s, spare.id, vpc.id); }),
            Code::invalid_parameter_value);
  EXPECT_EQ(code(alice, [&](Scope& s) { return internet_gateways::detach(s, gateway.id, other.id); }),
            Code::gateway_not_attached);
  EXPECT_EQ(code(alice, [&](Scope& s) { return internet_gateways::remove(s, gateway.id); }),
            Code::dependency_violation);
  touched(vpc.id);
  ok(alice, [&](Scope& s) { return internet_gateways::detach(s, gateway.id, vpc.id); });
  EXPECT_TRUE(touched(vpc.id));
  ok(alice, [&](Scope& s) { return internet_gateways::attach(s, spare.id, vpc.id); });
  ok(alice, [&](Scope& s) { return internet_gateways::remove(s, gateway.id); });
  EXPECT_EQ(used(alice, quota::Name::internet_gateways), 1);
  EXPECT_EQ(journal(gateway.id.str()), "+~~-");
}

TEST_F(InternetGateways, KeepToTheQuota) {
  limit(alice, quota::Name::internet_gateways, 0);
  EXPECT_EQ(code(alice, [](Scope& s) { return internet_gateways::create(s); }), Code::internet_gateway_limit_exceeded);
}

TEST_F(InternetGateways, AreInvisibleToOthers) {
  const auto vpc = make_vpc(bob);
  const auto gateway = ok(alice, [](Scope& s) { return internet_gateways::create(s); });
  EXPECT_EQ(code(bob, [&](Scope& s) { return internet_gateways::attach(s, gateway.id, vpc.id); }),
            Code::invalid_internet_gateway_id_not_found);
  EXPECT_EQ(code(alice, [&](Scope& s) { return internet_gateways::attach(s, gateway.id, vpc.id); }),
            Code::invalid_vpc_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return internet_gateways::list(s, {gateway.id}); }),
            Code::invalid_internet_gateway_id_not_found);
}

}  // namespace
}  // namespace virga::network
