#include "network/host/layout.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

TEST(Names, FitTheKernelAndLeadBack) {
  EXPECT_EQ(sample_names.tap(1), "vtab1200000001");
  EXPECT_EQ(sample_names.tap(0xffffffff).size(), 14U);
  EXPECT_EQ(sample_names.vpc_of("vg-ab12-00000010"), 16U);
  for (const char* other : {"vg-ab13-00000010", "vg-ab12-0000010", "vg-ab12-000000010", "vg-ab12-0000001G",
                            "vg-ab12--0000001", "vg-ab12-0000001A", "other"})
    EXPECT_FALSE(sample_names.vpc_of(other)) << other;
}

TEST(Layout, NamesWhatTheKernelWillHave) {
  auto layout = sample_layout();

  EXPECT_EQ(layout.name_space, "vg-ab12-00000010");
  EXPECT_EQ(layout.resolver.str(), "10.9.0.2");
  EXPECT_EQ(layout.subnets[0].bridge, "vbab1200000011");
  EXPECT_EQ(layout.subnets[0].gateway().str(), "10.9.1.1");
  EXPECT_EQ(layout.ports[0].bridge, layout.subnets[0].bridge);
}

struct Damage {
  const char* name;
  std::function<void(WantedVpc&)> doing;
};
void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

class DamagedDocument : public testing::TestWithParam<Damage> {};

TEST_P(DamagedDocument, IsRefusedAsAWhole) {
  auto vpc = sample_vpc();
  GetParam().doing(vpc);

  auto layout = read_layout(vpc, sample_names);

  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().code, Code::invalid_parameter_value);
}

const Damage damages[] = {
    {"NoCidr", [](WantedVpc& vpc) { vpc.cidrs.clear(); }},
    {"BadCidr", [](WantedVpc& vpc) { vpc.cidrs.front() = "10.9.0.0"; }},
    {"DomainWithNewline", [](WantedVpc& vpc) { vpc.domain_name = "a\ndhcp-script=/bin/sh"; }},
    {"DomainWithComma", [](WantedVpc& vpc) { vpc.domain_name = "a,b"; }},
    {"EmptyDomain", [](WantedVpc& vpc) { vpc.domain_name = ""; }},
    {"LongLabel", [](WantedVpc& vpc) { vpc.domain_name = std::string(64, 'a'); }},
    {"HostNameWithTag", [](WantedVpc& vpc) { vpc.interfaces[0].host_name = "tag:x"; }},
    {"HostNameWithDot", [](WantedVpc& vpc) { vpc.interfaces[0].host_name = "a.b"; }},
    {"HostNameWithHash", [](WantedVpc& vpc) { vpc.interfaces[0].host_name = "a#b"; }},
    {"UnknownSubnet", [](WantedVpc& vpc) { vpc.interfaces[0].subnet = SubnetId(); }},
    {"NoAddress", [](WantedVpc& vpc) { vpc.interfaces[0].private_ips.clear(); }},
    {"AddressOfTheGateway", [](WantedVpc& vpc) { vpc.interfaces[0].private_ips = {"10.9.1.1"}; }},
    {"BroadcastAddress", [](WantedVpc& vpc) { vpc.interfaces[0].private_ips = {"10.9.1.255"}; }},
    {"AddressOfAnotherSubnet", [](WantedVpc& vpc) { vpc.interfaces[0].private_ips = {"10.9.2.12"}; }},
    {"AddressTwice", [](WantedVpc& vpc) { vpc.interfaces[1].private_ips = {"10.9.2.11"}; }},
    {"MacTwice", [](WantedVpc& vpc) { vpc.interfaces[1].mac = vpc.interfaces[0].mac; }},
    {"TheRoutersMac", [](WantedVpc& vpc) { vpc.interfaces[0].mac = "02:00:00:00:00:01"; }},
    {"BadMac", [](WantedVpc& vpc) { vpc.interfaces[0].mac = "06:00"; }},
    {"BadMember", [](WantedVpc& vpc) { vpc.groups[0].members = {"10.9.1.10/32"}; }},
    {"BadProtocol", [](WantedVpc& vpc) { vpc.groups[0].rules[0].protocol = "TCP"; }},
    {"ProtocolTooLarge", [](WantedVpc& vpc) { vpc.groups[0].rules[0].protocol = "256"; }},
    {"BadRuleCidr", [](WantedVpc& vpc) { vpc.groups[0].rules[0].cidr = "10.0.0.0/8; flush ruleset"; }},
    {"BadRouteTarget", [](WantedVpc& vpc) { vpc.route_tables[0].routes[0].target = "nat"; }},
    {"BadRouteAddress", [](WantedVpc& vpc) { vpc.route_tables[0].routes[0].target = "eni:x"; }},
    {"SubnetTooSmall", [](WantedVpc& vpc) { vpc.subnets[0].cidr = "10.9.1.0/29"; }},
};
INSTANTIATE_TEST_SUITE_P(Layout, DamagedDocument, testing::ValuesIn(damages),
                         [](const auto& damage) { return damage.param.name; });

}  // namespace
}  // namespace virga::network
