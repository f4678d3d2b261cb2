#include "network/cidr.h"

#include <gtest/gtest.h>

namespace virga::network {
namespace {

TEST(Cidr, ReadsBlocksAndMasksHostBits) {
  EXPECT_EQ(Cidr4::parse("10.0.0.0/16")->str(), "10.0.0.0/16");
  EXPECT_EQ(Cidr4::parse("100.68.0.18/18")->str(), "100.68.0.0/18");
  EXPECT_EQ(Cidr4::parse("255.255.255.255/0")->str(), "0.0.0.0/0");
  EXPECT_EQ(Cidr4::parse("1.2.3.4/32")->str(), "1.2.3.4/32");
}

TEST(Cidr, RefusesEverythingButThePlainForm) {
  for (const char* text : {"",
                           "/",
                           "10.0.0.0",
                           "10.0.0.0/",
                           "/16",
                           "10.0.0/16",
                           "10.0.0.0.0/16",
                           "10.0.0.256/16",
                           "010.0.0.0/16",
                           "10.0.0.0/016",
                           "10.0.0.0/33",
                           "10.0.0.0/-1",
                           "10.0.0.0/+8",
                           "10.0.0.0/8 ",
                           " 10.0.0.0/8",
                           "10.0.0.0 /8",
                           "0x0a.0.0.0/8",
                           "167772160/8",
                           "10.0.0.0/8/8",
                           "10.0.0.0/1e1",
                           "::/0",
                           "10.0.0.0/255.0.0.0"})
    EXPECT_FALSE(Cidr4::parse(text)) << text;
  EXPECT_FALSE(Cidr4::parse(std::string_view("10.0.0.0\0/8", 11)));
  EXPECT_FALSE(Cidr4::parse(std::string(1000, '1') + "/8"));
}

TEST(Cidr, KnowsSizeAndOverlap) {
  const auto block = *Cidr4::parse("10.0.0.0/24");
  EXPECT_EQ(block.size(), 256u);
  EXPECT_EQ(to_string(block.last()), "10.0.0.255");
  EXPECT_TRUE(block.contains(*Cidr4::parse("10.0.0.128/25")));
  EXPECT_FALSE(block.contains(*Cidr4::parse("10.0.0.0/23")));
  EXPECT_TRUE(block.overlaps(*Cidr4::parse("10.0.0.0/8")));
  EXPECT_FALSE(block.overlaps(*Cidr4::parse("10.0.1.0/24")));
  const auto all = *Cidr4::parse("0.0.0.0/0");
  EXPECT_EQ(all.size(), std::uint64_t{1} << 32);
  EXPECT_EQ(to_string(all.last()), "255.255.255.255");
}

TEST(Cidr, WritesIpv6Canonically) {
  EXPECT_EQ(canonical_cidr6("::/0"), "::/0");
  EXPECT_EQ(canonical_cidr6("2001:DB8:0:0:0:0:0:1/32"), "2001:db8::/32");
  EXPECT_EQ(canonical_cidr6("2001:db8::ffff/127"), "2001:db8::fffe/127");
  EXPECT_EQ(canonical_cidr6("fe80::1/128"), "fe80::1/128");
  for (const char* text : {"", "::", "::/129", "::/01", "fe80::1%eth0/64", "1.2.3.4/32", ":::/0", "g::/16", " ::/0"})
    EXPECT_FALSE(canonical_cidr6(text)) << text;
}

}  // namespace
}  // namespace virga::network
