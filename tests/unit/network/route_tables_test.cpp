#include "network/route_tables.h"

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class RouteTables : public NetworkTest {
 protected:
  RouteTable make_table(const VpcId& vpc) {
    return ok(alice, [&](Scope& s) { return route_tables::create(s, vpc); });
  }
  RouteTable find(const RouteTableId& id) {
    return ok(alice, [&](Scope& s) { return route_tables::find(s, id); });
  }
  void add(const RouteTableId& table, const std::string& destination, const RouteTarget& target) {
    ok(alice, [&](Scope& s) { return routes::create(s, table, destination, target); });
  }
  Code refused(const RouteTableId& table, const std::string& destination, const RouteTarget& target) {
    return code(alice, [&](Scope& s) { return routes::create(s, table, destination, target); });
  }
};

TEST_F(RouteTables, HoldRoutesToGatewaysAndInterfaces) {
  const auto vpc = make_vpc(alice);
  const auto table = make_table(vpc.id);
  const auto gateway = make_gateway(alice, vpc.id);
  const auto interface = make_interface(alice, make_subnet(alice, vpc.id).id);
  touched(vpc.id);

  add(table.id, "0.0.0.0/0", {.gateway = gateway.id.str()});
  add(table.id, "192.168.1.9/24", {.interface = interface.id.str()});
  add(table.id, "192.168.2.0/24", {.instance = interface.instance.str()});

  const auto routes = find(table.id).routes;
  ASSERT_EQ(routes.size(), 4u);
  EXPECT_TRUE(routes[0].local);
  EXPECT_EQ(routes[1].gateway, gateway.id);
  EXPECT_EQ(routes[2].destination, "192.168.1.0/24");
  EXPECT_EQ(routes[2].interface, interface.id);
  EXPECT_EQ(routes[3].instance, interface.instance);
  for (const auto& route : routes) EXPECT_TRUE(route.active);
  EXPECT_TRUE(touched(vpc.id));
  EXPECT_EQ(journal(table.id.str()), "++++");
}

TEST_F(RouteTables, RefuseTargetsThatCannotBe) {
  const auto vpc = make_vpc(alice);
  const auto other = make_vpc(alice);
  const auto table = make_table(vpc.id);
  const auto there = make_gateway(alice, other.id);
  const auto elsewhere = make_interface(alice, make_subnet(alice, other.id).id);
  const auto foreign = make_gateway(bob, make_vpc(bob).id);

  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.gateway = there.id.str()}), Code::invalid_parameter_value);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.gateway = foreign.id.str()}), Code::invalid_gateway_id_not_found);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.gateway = "vgw-12345678"}), Code::invalid_gateway_id_not_found);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.interface = elsewhere.id.str()}), Code::invalid_parameter_value);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.interface = "eni-12345678"}),
            Code::invalid_network_interface_id_not_found);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.instance = "i-12345678"}), Code::invalid_instance_id_not_found);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {}), Code::missing_parameter);
  EXPECT_EQ(refused(table.id, "0.0.0.0/0", {.gateway = there.id.str(), .instance = "i-12345678"}),
            Code::invalid_parameter_combination);
}

TEST_F(RouteTables, RefuseDestinationsThatCannotBe) {
  const auto vpc = make_vpc(alice);
  const auto table = make_table(vpc.id);
  const RouteTarget target{.gateway = make_gateway(alice, vpc.id).id.str()};
  add(table.id, "0.0.0.0/0", target);

  EXPECT_EQ(refused(table.id, "0.0.0.0/0", target), Code::route_already_exists);
  EXPECT_EQ(refused(table.id, "10.0.0.0/16", target), Code::route_already_exists);
  EXPECT_EQ(refused(table.id, "10.0.5.0/24", target), Code::unsupported_operation);
  EXPECT_EQ(refused(table.id, "everything", target), Code::invalid_parameter_value);
  limit(alice, quota::Name::routes_per_table, 2);
  EXPECT_EQ(refused(table.id, "192.168.0.0/16", target), Code::route_limit_exceeded);
}

TEST_F(RouteTables, KeepRoutesWithoutTargetAsBlackHoles) {
  const auto vpc = make_vpc(alice);
  const auto table = make_table(vpc.id);
  const auto gateway = make_gateway(alice, vpc.id);
  const auto interface = make_interface(alice, make_subnet(alice, vpc.id).id);
  add(table.id, "0.0.0.0/0", {.gateway = gateway.id.str()});
  add(table.id, "192.168.0.0/16", {.interface = interface.id.str()});

  ok(alice, [&](Scope& s) { return internet_gateways::detach(s, gateway.id, vpc.id); });
  ok(alice, [&](Scope& s) { return release_interface(s, interface.id); });

  const auto routes = find(table.id).routes;
  ASSERT_EQ(routes.size(), 3u);
  EXPECT_FALSE(routes[1].active);
  EXPECT_FALSE(routes[2].active);
}

TEST_F(RouteTables, LoseAndReplaceRoutes) {
  const auto vpc = make_vpc(alice);
  const auto table = make_table(vpc.id);
  const auto gateway = make_gateway(alice, vpc.id);
  const auto interface = make_interface(alice, make_subnet(alice, vpc.id).id);
  add(table.id, "0.0.0.0/0", {.gateway = gateway.id.str()});

  ok(alice, [&](Scope& s) { return routes::replace(s, table.id, "0.0.0.0/0", {.interface = interface.id.str()}); });
  EXPECT_EQ(find(table.id).routes[1].interface, interface.id);
  EXPECT_EQ(
      code(alice,
           [&](Scope& s) { return routes::replace(s, table.id, "9.0.0.0/8", {.interface = interface.id.str()}); }),
      Code::invalid_parameter_value);
  ok(alice, [&](Scope& s) { return routes::remove(s, table.id, "0.0.0.0/0"); });
  EXPECT_EQ(code(alice, [&](Scope& s) { return routes::remove(s, table.id, "0.0.0.0/0"); }),
            Code::invalid_route_not_found);
  EXPECT_EQ(code(alice, [&](Scope& s) { return routes::remove(s, table.id, "10.0.0.0/16"); }),
            Code::invalid_parameter_value);
  EXPECT_EQ(journal(table.id.str()), "++~-");
}

TEST_F(RouteTables, GovernSubnets) {
  const auto vpc = make_vpc(alice);
  const auto subnet = make_subnet(alice, vpc.id);
  const auto table = make_table(vpc.id);
  const auto foreign_subnet = make_subnet(alice, make_vpc(alice).id);

  const auto id = ok(alice, [&](Scope& s) { return route_tables::associate(s, table.id, subnet.id); });

  ASSERT_EQ(find(table.id).associations.size(), 1u);
  EXPECT_EQ(find(table.id).associations[0].subnet, subnet.id);
  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::associate(s, table.id, subnet.id); }),
            Code::resource_already_associated);
  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::associate(s, table.id, foreign_subnet.id); }),
            Code::invalid_parameter_value);
  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::remove(s, table.id); }), Code::dependency_violation);
  EXPECT_EQ(code(bob, [&](Scope& s) { return route_tables::disassociate(s, id); }),
            Code::invalid_association_id_not_found);
  ok(alice, [&](Scope& s) { return route_tables::disassociate(s, id); });
  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::disassociate(s, id); }),
            Code::invalid_association_id_not_found);
  ok(alice, [&](Scope& s) { return route_tables::remove(s, table.id); });
  EXPECT_EQ(journal(id.str()), "+-");
}

TEST_F(RouteTables, MainOneIsReplacedButNeverMissing) {
  const auto vpc = make_vpc(alice);
  const auto main = ok(alice, [&](Scope& s) { return route_tables::find_main(s, vpc.id); });
  const auto table = make_table(vpc.id);
  const auto association = main.associations.at(0).id;

  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::disassociate(s, association); }),
            Code::invalid_parameter_value);
  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::remove(s, main.id); }), Code::dependency_violation);
  ok(alice, [&](Scope& s) { return route_tables::replace_association(s, association, table.id); });
  EXPECT_EQ(ok(alice, [&](Scope& s) { return route_tables::find_main(s, vpc.id); }).id, table.id);
  ok(alice, [&](Scope& s) { return route_tables::remove(s, main.id); });
  ok(alice, [&](Scope& s) { return vpcs::remove(s, vpc.id); });
  EXPECT_EQ(rows_left(alice), 0);
}

TEST_F(RouteTables, AreLimitedPerVpc) {
  limit(alice, quota::Name::route_tables_per_vpc, 1);
  const auto vpc = make_vpc(alice);
  EXPECT_EQ(code(alice, [&](Scope& s) { return route_tables::create(s, vpc.id); }), Code::route_table_limit_exceeded);
}

TEST_F(RouteTables, AreInvisibleToOthers) {
  const auto table = make_table(make_vpc(alice).id);
  EXPECT_EQ(code(bob, [&](Scope& s) { return route_tables::find(s, table.id); }),
            Code::invalid_route_table_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return routes::remove(s, table.id, "0.0.0.0/0"); }),
            Code::invalid_route_table_id_not_found);
}

}  // namespace
}  // namespace virga::network
