#include "network/host/dnsmasq_files.h"

#include <gtest/gtest.h>

#include "tests/unit/network/host/sample_vpc.h"

namespace virga::network {
namespace {

const DnsmasqSettings settings{.directory = "/run/x/00000010", .user = "virga-dns", .group = "nogroup"};

TEST(DnsmasqFiles, ReserveTheAddressOfPluggedInterfacesOnly) {
  auto layout = sample_layout();

  auto files = dhcp_host_files(layout, {layout.ports[0].id});

  EXPECT_EQ(files,
            (std::map<std::string, std::string>{{"00000001", "06:00:00:00:10:01,10.9.1.10,ip-10-9-1-10,86400\n"}}));
}

TEST(DnsmasqFiles, NameEveryInterfaceOfTheVpc) {
  auto files = dns_host_files(sample_layout());

  EXPECT_EQ(files.size(), 3U);
  EXPECT_EQ(files["00000003"], "10.9.2.11 ip-10-9-2-11.ec2.internal\n");
}

TEST(DnsmasqFiles, ServeEachSubnetStatically) {
  auto text = dnsmasq_configuration(sample_layout(), settings);

  for (const char* line : {"user=virga-dns\n", "dhcp-range=set:s17,10.9.1.0,static,255.255.255.0,86400\n",
                           "dhcp-option=tag:s18,3,10.9.2.1\n", "dhcp-option=6,10.9.0.2\n", "domain=ec2.internal\n",
                           "dhcp-option=26,1500\n", "no-resolv\n", "leasefile-ro\n", "dhcp-authoritative\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
  for (const char* unwanted : {"tftp", "script", "dnssec", "server="})
    EXPECT_EQ(text.find(unwanted), std::string::npos);
}

TEST(DnsmasqFiles, WithoutDnsSupportNothingResolves) {
  auto vpc = sample_vpc();
  vpc.dns_support = false;
  auto layout = *read_layout(vpc, sample_names);

  EXPECT_TRUE(dns_host_files(layout).empty());
  auto text = dnsmasq_configuration(layout, settings);
  EXPECT_NE(text.find("port=0\n"), std::string::npos);
  EXPECT_EQ(text.find("dhcp-option=6,"), std::string::npos);
}

}  // namespace
}  // namespace virga::network
