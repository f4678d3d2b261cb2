#include "network/host/address.h"

#include <gtest/gtest.h>

namespace virga::network {
namespace {

TEST(Address, ReadsPlainDottedQuadsOnly) {
  EXPECT_EQ(Ipv4::parse("10.0.1.2")->str(), "10.0.1.2");
  for (std::string text : {"", "10.0.1", "10.0.1.2.3", "010.0.0.1", "10.0.0.256", " 10.0.0.1", "10.0.0.1 ",
                           "0x0a.0.0.1", "10.0.0.1\n", "::1", "10.0.0.-1"})
    EXPECT_FALSE(Ipv4::parse(text)) << text;
  EXPECT_FALSE(Ipv4::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST(Prefix4, ClearsTheBitsBehindItsLength) {
  EXPECT_EQ(Prefix4::parse("10.1.2.3/8")->str(), "10.0.0.0/8");
  EXPECT_EQ(Prefix4::parse("10.1.2.3/32")->str(), "10.1.2.3/32");
  EXPECT_EQ(Prefix4::parse("1.2.3.4/0")->str(), "0.0.0.0/0");
}

TEST(Prefix4, RefusesWhatIsNoCidr) {
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/8/8", "/8",
                           "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8; flush ruleset"})
    EXPECT_FALSE(Prefix4::parse(text)) << text;
}

TEST(Prefix4, ContainsItsAddresses) {
  auto prefix = *Prefix4::parse("10.0.16.0/20");

  EXPECT_TRUE(prefix.contains(*Ipv4::parse("10.0.31.255")));
  EXPECT_FALSE(prefix.contains(*Ipv4::parse("10.0.32.0")));
  EXPECT_TRUE(Prefix4{}.contains(*Ipv4::parse("255.255.255.255")));
}

TEST(Prefix6, ClearsTheBitsBehindItsLength) {
  EXPECT_EQ(Prefix6::parse("2001:db8:ffff::1/33")->address(), "2001:db8:8000::");
  EXPECT_FALSE(Prefix6::parse("2001:db8::/129"));
  EXPECT_FALSE(Prefix6::parse("10.0.0.0/8"));
}

TEST(Mac, IsTheAddressOfOneInterface) {
  EXPECT_EQ(Mac::parse("06:0A:00:00:10:01")->str(), "06:0a:00:00:10:01");
  for (const char* text : {"", "06:00:00:00:10", "06-00-00-00-10-01", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff",
                           "00:00:00:00:00:00", "06:00:00:00:10:0g", "06:00:00:00:10:01:02", "6:00:00:00:10:011"})
    EXPECT_FALSE(Mac::parse(text)) << text;
}

}  // namespace
}  // namespace virga::network
