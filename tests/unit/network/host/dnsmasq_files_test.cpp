#include "network/host/dnsmasq_files.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

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

/// Texts with which a field could become something else in a configuration, a reservation or a hosts file.
std::vector<std::string> hostile_texts() {
  std::vector<std::string> texts{"",
                                 "-a",
                                 "a-",
                                 "a..b",
                                 ".a",
                                 "a.",
                                 "tag:x",
                                 "set:x",
                                 "id:*",

                                 "a b",
                                 "a\tb",
                                 "a\nuser=root",
                                 "a\r\ndhcp-script=/bin/sh",
                                 "a,10.9.1.99",
                                 "a,ignore",
                                 "a#",
                                 "\"a\"",
                                 "'a'",
                                 "a\\",
                                 "a=b",
                                 "a/b",
                                 "../a",
                                 "a;b",
                                 "$(id)",
                                 "`id`",
                                 "a*",
                                 "a?",
                                 "[a]",
                                 "a_b",
                                 "\xc3\xa4",
                                 std::string("a\0b", 3),
                                 std::string(64, 'a'),
                                 std::string(255, 'a')};
  std::string long_name;
  while (long_name.size() < 255) long_name += "abc.";
  texts.push_back(long_name + "d");
  return texts;
}

TEST(DnsmasqFiles, Threat_M06_HostileTextIsRefusedBeforeAnyFileIsWritten) {
  for (const auto& text : hostile_texts()) {
    auto with_domain = sample_vpc();
    with_domain.domain_name = text;
    EXPECT_FALSE(read_layout(with_domain, sample_names)) << text;
    if (text.empty()) continue;  // no host name of its own: the address names it
    auto with_host_name = sample_vpc();
    with_host_name.interfaces[0].host_name = text;
    EXPECT_FALSE(read_layout(with_host_name, sample_names)) << text;
  }
}

TEST(DnsmasqFiles, Threat_M06_WordsThatMeanSomethingInAReservationAreNoHostNames) {
  for (const char* word : {"ignore", "infinite", "86400", "12h", "1d", "1w", "0"}) {
    auto vpc = sample_vpc();
    vpc.interfaces[0].host_name = word;
    EXPECT_FALSE(read_layout(vpc, sample_names)) << word;
  }
}

TEST(DnsmasqFiles, Threat_M06_EveryLineIsOneOfOurs) {
  auto vpc = sample_vpc();
  vpc.domain_name = "ignore.infinite.12h";
  auto layout = *read_layout(vpc, sample_names);

  std::istringstream text(dnsmasq_configuration(layout, settings));
  std::set<std::string> keys;
  for (std::string line; std::getline(text, line);) keys.insert(line.substr(0, line.find('=')));

  EXPECT_EQ(keys,
            (std::set<std::string>{
                "user",           "group",      "pid-file",   "leasefile-ro", "dhcp-hostsdir",      "bind-dynamic",
                "no-hosts",       "no-poll",    "no-resolv",  "no-ping",      "dhcp-authoritative", "dhcp-ignore-names",
                "dhcp-lease-max", "hostsdir",   "domain",     "local",        "domain-needed",      "bogus-priv",
                "cache-size",     "dhcp-range", "dhcp-option"}));
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
