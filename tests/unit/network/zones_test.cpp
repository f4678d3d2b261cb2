#include "network/zones.h"

#include <gtest/gtest.h>

namespace virga::network {
namespace {

TEST(Zones, HaveIdsByRegionAndPlace) {
  Config config;
  EXPECT_EQ(zones(config).size(), 3u);
  EXPECT_EQ(zone_by_name(config, "us-east-1b")->id, "use1-az2");
  EXPECT_EQ(zone_by_id(config, "use1-az3")->name, "us-east-1c");
  EXPECT_FALSE(zone_by_name(config, "us-east-1d"));
  config.region = "lab-1";
  EXPECT_EQ(zone_by_name(config, "lab-1a")->id, "lab-1-az1");
}

TEST(Zones, NameHostsAsEc2Does) {
  EXPECT_EQ(internal_domain("us-east-1"), "ec2.internal");
  EXPECT_EQ(internal_domain("eu-west-1"), "eu-west-1.compute.internal");
  EXPECT_EQ(host_name_of("172.31.0.10"), "ip-172-31-0-10");
}

}  // namespace
}  // namespace virga::network
