#include "tests/unit/api/actions/network_wire.h"

namespace virga::api {
namespace {

using NetworkRouting = NetworkWire;

TEST_F(NetworkRouting, GatewaysAttachAndDetach) {
  const auto vpc = make_vpc();
  const auto made = ok("CreateInternetGateway");
  const auto gateway = made.text("internetGatewayId");
  EXPECT_TRUE(made.has("<attachmentSet/>"));
  EXPECT_EQ(code("DetachInternetGateway", {{"InternetGatewayId", gateway}, {"VpcId", vpc}}), "Gateway.NotAttached");
  ok("AttachInternetGateway", {{"InternetGatewayId", gateway}, {"VpcId", vpc}});
  EXPECT_EQ(code("AttachInternetGateway", {{"InternetGatewayId", gateway}, {"VpcId", vpc}}),
            "Resource.AlreadyAssociated");
  EXPECT_TRUE(ok("DescribeInternetGateways", {{"Filter.1.Name", "attachment.vpc-id"}, {"Filter.1.Value.1", vpc}})
                  .has("<state>available</state>"));
  EXPECT_EQ(code("DeleteInternetGateway", {{"InternetGatewayId", gateway}}), "DependencyViolation");
  ok("DetachInternetGateway", {{"InternetGatewayId", gateway}, {"VpcId", vpc}});
  ok("DeleteInternetGateway", {{"InternetGatewayId", gateway}});
  EXPECT_EQ(code("DescribeInternetGateways", {{"InternetGatewayId.1", gateway}}), "InvalidInternetGatewayID.NotFound");
}

TEST_F(NetworkRouting, TablesHoldRoutesAndSubnets) {
  const auto vpc = make_vpc();
  const auto subnet = make_subnet(vpc);
  const auto gateway = ok("CreateInternetGateway").text("internetGatewayId");
  ok("AttachInternetGateway", {{"InternetGatewayId", gateway}, {"VpcId", vpc}});
  const auto made = ok("CreateRouteTable", {{"VpcId", vpc}, {"ClientToken", "t-1"}});
  const auto table = made.text("routeTableId");
  EXPECT_EQ(made.text("gatewayId"), "local");
  EXPECT_EQ(made.text("origin"), "CreateRouteTable");
  EXPECT_EQ(made.text("clientToken"), "t-1");
  EXPECT_EQ(ok("CreateRouteTable", {{"VpcId", vpc}, {"ClientToken", "t-1"}}).text("routeTableId"), table);

  const Parameters route = {{"RouteTableId", table}, {"DestinationCidrBlock", "0.0.0.0/0"}, {"GatewayId", gateway}};
  EXPECT_EQ(ok("CreateRoute", route).text("return"), "true");
  EXPECT_EQ(code("CreateRoute", route), "RouteAlreadyExists");
  const auto association = ok("AssociateRouteTable", {{"RouteTableId", table}, {"SubnetId", subnet}});
  EXPECT_EQ(association.text("state"), "associated");
  const auto seen = ok("DescribeRouteTables", {{"Filter.1.Name", "association.route-table-association-id"},
                                               {"Filter.1.Value.1", association.text("associationId")}});
  EXPECT_EQ(seen.count("<routeTableAssociationId>"), 1);
  EXPECT_TRUE(seen.has("<gatewayId>" + gateway + "</gatewayId>"));
  EXPECT_TRUE(seen.has("<main>false</main>"));
  EXPECT_EQ(code("DeleteRouteTable", {{"RouteTableId", table}}), "DependencyViolation");
  ok("DisassociateRouteTable", {{"AssociationId", association.text("associationId")}});
  ok("DeleteRoute", {{"RouteTableId", table}, {"DestinationCidrBlock", "0.0.0.0/0"}});
  EXPECT_EQ(code("DeleteRoute", {{"RouteTableId", table}, {"DestinationCidrBlock", "0.0.0.0/0"}}),
            "InvalidRoute.NotFound");
  ok("DeleteRouteTable", {{"RouteTableId", table}});
  EXPECT_EQ(code("DescribeRouteTables", {{"RouteTableId.1", table}}), "InvalidRouteTableID.NotFound");
}

TEST_F(NetworkRouting, MainTableIsFoundByFilter) {
  const auto vpc = make_vpc();
  const auto main = ok("DescribeRouteTables", {{"Filter.1.Name", "association.main"},
                                               {"Filter.1.Value.1", "true"},
                                               {"Filter.2.Name", "vpc-id"},
                                               {"Filter.2.Value.1", vpc}});
  EXPECT_EQ(main.count("<routeSet>"), 1);
  EXPECT_EQ(code("DisassociateRouteTable", {{"AssociationId", main.text("routeTableAssociationId")}}),
            "InvalidParameterValue");
  const auto table = ok("CreateRouteTable", {{"VpcId", vpc}}).text("routeTableId");
  const auto replaced = ok("ReplaceRouteTableAssociation",
                           {{"AssociationId", main.text("routeTableAssociationId")}, {"RouteTableId", table}});
  EXPECT_TRUE(replaced.text("newAssociationId").starts_with("rtbassoc-"));
}

TEST_F(NetworkRouting, OtherTargetsAndDestinationsAreRefused) {
  const auto table = ok("CreateRouteTable", {{"VpcId", make_vpc()}}).text("routeTableId");
  EXPECT_EQ(code("CreateRoute",
                 {{"RouteTableId", table}, {"DestinationCidrBlock", "0.0.0.0/0"}, {"NatGatewayId", "nat-12345678"}}),
            "UnsupportedOperation");
  EXPECT_EQ(code("CreateRoute",
                 {{"RouteTableId", table}, {"DestinationIpv6CidrBlock", "::/0"}, {"GatewayId", "igw-12345678"}}),
            "UnsupportedOperation");
  EXPECT_EQ(code("CreateRoute",
                 {{"RouteTableId", table}, {"DestinationCidrBlock", "0.0.0.0/0"}, {"GatewayId", "igw-12345678"}}),
            "InvalidGatewayID.NotFound");
  EXPECT_EQ(code("CreateRoute", {{"RouteTableId", table}, {"GatewayId", "igw-12345678"}}), "MissingParameter");
}

}  // namespace
}  // namespace virga::api
