#include "network/host/public_addresses.h"

#include <gtest/gtest.h>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

/// The sample with a gateway, and a public address for each of its interfaces; the last is on another host.
WantedVpc vpc_with_addresses() {
  auto vpc = sample_vpc();
  vpc.internet_gateway = true;
  vpc.addresses = {{"203.0.113.10", "10.9.1.10"}, {"203.0.113.11", "10.9.2.10"}, {"203.0.113.12", "10.9.2.11"}};
  return vpc;
}

std::set<std::string> public_ips(const WantedVpc& vpc) {
  std::set<std::string> text;
  const auto layout = *read_layout(vpc, sample_names);
  for (const auto& address : layout.addresses) text.insert(address.public_ip.str() + " " + address.private_ip.str());
  return text;
}

bool leads_out(const WantedVpc& vpc) {
  const auto layout = *read_layout(vpc, sample_names);
  for (const auto& route : layout.routes)
    if (route.device == outside_device) return true;
  return false;
}

TEST(PublicAddresses, WorkForInterfacesOnThisHost) {
  EXPECT_EQ(public_ips(vpc_with_addresses()),
            (std::set<std::string>{"203.0.113.10 10.9.1.10", "203.0.113.11 10.9.2.10"}));
}

TEST(PublicAddresses, RoutesToTheGatewayLeadOutByTheLinkToTheEdge) {
  auto vpc = vpc_with_addresses();
  const auto layout = *read_layout(vpc, sample_names);

  EXPECT_TRUE(layout.routes.contains({.table = 1005,
                                      .destination = {},
                                      .metric = 0,
                                      .kind = RouteKind::via,
                                      .device = "ext",
                                      .gateway = *Ipv4::parse("169.254.64.1")}));
}

TEST(PublicAddresses, NoneWithoutAGateway) {
  auto vpc = vpc_with_addresses();
  vpc.internet_gateway = false;

  EXPECT_TRUE(public_ips(vpc).empty());
  EXPECT_FALSE(leads_out(vpc));
}

TEST(PublicAddresses, NoneWithoutARouteOfTheSubnetToTheGateway) {
  auto vpc = vpc_with_addresses();
  vpc.subnets[0].route_table = 6;
  vpc.route_tables.push_back(
      {.id = RouteTableId::trusted("rtb-00000000000000006"), .number = 6, .routes = {{"10.9.0.0/16", "local"}}});

  EXPECT_EQ(public_ips(vpc), (std::set<std::string>{"203.0.113.11 10.9.2.10"}));
}

TEST(PublicAddresses, ARouteForIpv6AloneIsNone) {
  auto vpc = vpc_with_addresses();
  vpc.route_tables[0].routes = {{"10.9.0.0/16", "local"}, {"::/0", "igw"}};

  EXPECT_TRUE(public_ips(vpc).empty());
}

TEST(PublicAddresses, RoutesStayUnreachableWhileNoAddressWorks) {
  auto vpc = vpc_with_addresses();
  vpc.addresses.clear();

  EXPECT_FALSE(leads_out(vpc));
}

TEST(PublicAddresses, ADocumentWithAnImpossibleAddressIsRefused) {
  for (const char* address : {"", "203.0.113.300", "0.1.2.3", "127.0.0.1", "169.254.169.254", "224.0.0.1",
                              "255.255.255.255", "203.0.113.10; flush ruleset"}) {
    auto vpc = vpc_with_addresses();
    vpc.addresses[1].public_ip = address;
    EXPECT_FALSE(read_layout(vpc, sample_names)) << address;
  }
}

TEST(PublicAddresses, StandForOneAddressEach) {
  auto twice_public = vpc_with_addresses();
  twice_public.addresses[1].public_ip = "203.0.113.10";
  auto twice_private = vpc_with_addresses();
  twice_private.addresses[1].private_ip = "10.9.1.10";

  EXPECT_FALSE(read_layout(twice_public, sample_names));
  EXPECT_FALSE(read_layout(twice_private, sample_names));
}

}  // namespace
}  // namespace virga::network
