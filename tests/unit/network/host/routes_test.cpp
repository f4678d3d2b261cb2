#include "network/host/routes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

std::string line(const RouteLayout& route) {
  static const char* kinds[] = {"on_link", "via", "unreachable", "blackhole"};
  return fmt::format("{} {} {} {} {} {}", route.table, route.destination.str(), kinds[static_cast<int>(route.kind)],
                     route.device, route.gateway.str(), route.metric);
}

std::set<std::string> lines(const WantedVpc& vpc) {
  std::set<std::string> text;
  auto layout = *read_layout(vpc, sample_names);
  for (const auto& route : layout.routes) text.insert(line(route));
  return text;
}

TEST(Routes, FollowTheRouteTable) {
  EXPECT_EQ(lines(sample_vpc()), (std::set<std::string>{
                                     "1005 10.9.1.0/24 on_link vbab1200000011 0.0.0.0 0",
                                     "1005 10.9.2.0/24 on_link vbab1200000012 0.0.0.0 0",
                                     "1005 10.9.0.0/16 unreachable  0.0.0.0 4000",
                                     "1005 0.0.0.0/0 unreachable  0.0.0.0 0",
                                     "1005 192.168.0.0/16 via vbab1200000012 10.9.2.10 0",
                                     "1005 192.168.7.0/24 blackhole  0.0.0.0 0",
                                     "1005 198.51.100.0/24 blackhole  0.0.0.0 0",
                                     "1005 0.0.0.0/0 unreachable  0.0.0.0 4000",
                                 }));
}

TEST(Routes, ARouteOfExactlyASubnetsRangeReplacesTheLocalOne) {
  auto vpc = sample_vpc();
  vpc.route_tables[0].routes.push_back({"10.9.1.0/24", "eni:10.9.2.10"});

  auto text = lines(vpc);

  EXPECT_TRUE(text.contains("1005 10.9.1.0/24 via vbab1200000012 10.9.2.10 0"));
  EXPECT_FALSE(text.contains("1005 10.9.1.0/24 on_link vbab1200000011 0.0.0.0 0"));
}

TEST(Routes, ASubnetThatIsTheWholeVpcStaysReachable) {
  auto vpc = sample_vpc();
  vpc.subnets.erase(vpc.subnets.begin() + 1);
  vpc.interfaces.erase(vpc.interfaces.begin() + 1, vpc.interfaces.end());
  vpc.subnets[0].cidr = "10.9.0.0/16";

  EXPECT_TRUE(lines(vpc).contains("1005 10.9.0.0/16 on_link vbab1200000011 0.0.0.0 0"));
}

TEST(Routes, ASubnetWithoutATableReachesNothing) {
  auto vpc = sample_vpc();
  vpc.route_tables.clear();

  EXPECT_EQ(lines(vpc), (std::set<std::string>{"1005 0.0.0.0/0 unreachable  0.0.0.0 4000"}));
}

}  // namespace
}  // namespace virga::network
