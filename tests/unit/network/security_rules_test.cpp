#include "network/security_rules.h"

#include <gtest/gtest.h>

namespace virga::network {
namespace {

std::string canonical(std::string_view protocol, std::optional<int> from = {}, std::optional<int> to = {}) {
  const auto range = canonical_ports(protocol, from, to);
  if (!range) return "refused";
  return range->protocol + " " + std::to_string(range->from_port) + " " + std::to_string(range->to_port);
}

TEST(Threat_C09, ProtocolsHaveOneSpelling) {
  EXPECT_EQ(canonical("TCP", 22, 22), "tcp 22 22");
  EXPECT_EQ(canonical("6", 22, 80), "tcp 22 80");
  EXPECT_EQ(canonical("Udp", 0, 65535), "udp 0 65535");
  EXPECT_EQ(canonical("17", 53, 53), "udp 53 53");
  EXPECT_EQ(canonical("1", 8, -1), "icmp 8 -1");
  EXPECT_EQ(canonical("58"), "icmpv6 -1 -1");
  EXPECT_EQ(canonical("all", 1, 2), "-1 -1 -1");
  EXPECT_EQ(canonical("-1", 0, 0), "-1 -1 -1");
  EXPECT_EQ(canonical("50", 7, 7), "50 -1 -1");
  EXPECT_EQ(canonical("0"), "0 -1 -1");
}

TEST(Threat_C09, OddProtocolsAndPortsAreRefused) {
  for (const char* protocol : {"", "tcpx", "256", "-2", "06", "+6", "6 ", " tcp", "1e1", "0x6", "ip", "t\ncp"})
    EXPECT_EQ(canonical(protocol, 1, 1), "refused") << protocol;
  EXPECT_EQ(canonical("tcp"), "refused");
  EXPECT_EQ(canonical("tcp", 22), "refused");
  EXPECT_EQ(canonical("tcp", -1, -1), "refused");
  EXPECT_EQ(canonical("tcp", 0, 65536), "refused");
  EXPECT_EQ(canonical("udp", 80, 22), "refused");
  EXPECT_EQ(canonical("icmp", 256, 0), "refused");
  EXPECT_EQ(canonical("icmp", 8, 256), "refused");
  EXPECT_EQ(canonical("icmp", -1, 3), "refused");
  EXPECT_EQ(canonical("icmp", -2, -1), "refused");
  EXPECT_EQ(canonical("icmp"), "refused");
}

TEST(Threat_C09, AddressesAreMasked) {
  EXPECT_EQ(canonical_ipv4_range("10.1.2.3/8").value(), "10.0.0.0/8");
  EXPECT_EQ(canonical_ipv6_range("2001:DB8::1/64").value(), "2001:db8::/64");
  EXPECT_EQ(canonical_ipv4_range("10.1.2.3").error().code, Code::invalid_parameter_value);
  EXPECT_EQ(canonical_ipv4_range("::/0").error().code, Code::invalid_parameter_value);
  EXPECT_EQ(canonical_ipv6_range("0.0.0.0/0").error().code, Code::invalid_parameter_value);
}

TEST(SecurityRules, TextsAreShortAndOfTheAllowedSet) {
  EXPECT_TRUE(check_text("rule description", "SSH from office, 2nd floor (#4) $*"));
  EXPECT_TRUE(check_text("rule description", std::string(255, 'a')));
  EXPECT_FALSE(check_text("rule description", std::string(256, 'a')));
  for (const char* text : {"a<b", "a\nb", "caf\xc3\xa9", "a\"b", "a'b"}) EXPECT_FALSE(check_text("name", text)) << text;
}

}  // namespace
}  // namespace virga::network
