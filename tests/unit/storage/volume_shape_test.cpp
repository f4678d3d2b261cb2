#include <gtest/gtest.h>

#include "storage/volumes.h"

namespace virga::storage {
namespace {

Code code_of(const VolumeShape& wish) {
  const auto result = check_shape(wish);
  return result ? Code::internal : result.error().code;
}
VolumeShape shape(int size, std::string type, std::optional<int> iops = {}, std::optional<int> throughput = {}) {
  return {size, std::move(type), iops, throughput};
}

TEST(VolumeShape, CompletesWhatTheTypeImplies) {
  EXPECT_EQ(check_shape(shape(1, ""))->type, "gp2");
  EXPECT_EQ(check_shape(shape(1, "gp2"))->iops, 100);
  EXPECT_EQ(check_shape(shape(1000, "gp2"))->iops, 3000);
  EXPECT_EQ(check_shape(shape(10000, "gp2"))->iops, 16000);
  EXPECT_EQ(check_shape(shape(1, "gp3"))->iops, 3000);
  EXPECT_EQ(check_shape(shape(1, "gp3"))->throughput, 125);
  EXPECT_EQ(check_shape(shape(1, "standard"))->iops, std::nullopt);
}

TEST(VolumeShape, HoldsSizesToTheirBounds) {
  EXPECT_EQ(code_of(shape(0, "gp2")), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(-1, "gp2")), Code::invalid_parameter_value);
  EXPECT_TRUE(check_shape(shape(16384, "gp2")));
  EXPECT_EQ(code_of(shape(16385, "gp2")), Code::invalid_parameter_value);
  EXPECT_TRUE(check_shape(shape(65536, "gp3")));
  EXPECT_EQ(code_of(shape(65537, "gp3")), Code::invalid_parameter_value);
  EXPECT_TRUE(check_shape(shape(65536, "io2", 100)));
  EXPECT_EQ(code_of(shape(65537, "io2", 100)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(16385, "io1", 100)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(1025, "standard")), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(124, "st1")), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(1, "gp9")), Code::invalid_parameter_value);
}

TEST(VolumeShape, HoldsPerformanceToTheRulesOfTheType) {
  EXPECT_EQ(code_of(shape(8, "gp2", 500)), Code::invalid_parameter_combination);
  EXPECT_EQ(code_of(shape(8, "io1")), Code::missing_parameter);
  EXPECT_TRUE(check_shape(shape(8, "io1", 400)));
  EXPECT_EQ(code_of(shape(8, "io1", 401)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(8, "gp3", 2999)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(8, "gp3", 4001)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(8, "gp2", {}, 200)), Code::invalid_parameter_combination);
  EXPECT_TRUE(check_shape(shape(8, "io2", 8000)));
  EXPECT_EQ(code_of(shape(8, "io2", 8001)), Code::invalid_parameter_value);
  EXPECT_TRUE(check_shape(shape(256, "io2", 256000)));
  EXPECT_EQ(code_of(shape(257, "io2", 256001)), Code::invalid_parameter_value);
  EXPECT_TRUE(check_shape(shape(160, "gp3", 80000, 2000)));
  EXPECT_EQ(code_of(shape(161, "gp3", 80001)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(160, "gp3", 80000, 2001)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(8, "gp3", {}, 751)), Code::invalid_parameter_value);
  EXPECT_TRUE(check_shape(shape(8, "gp3", 4000, 1000)));
}

TEST(DeviceNames, AreThoseOfEc2) {
  for (const auto* good : {"/dev/sdb", "/dev/sdf", "/dev/sdz", "/dev/sdf1", "/dev/sdf15", "/dev/xvdf", "/dev/xvdba"})
    EXPECT_TRUE(check_data_device(good)) << good;
  for (const auto* bad :
       {"", "/dev/sda", "/dev/sda1", "/dev/xvda", "sdf", "/dev/sd", "/dev/sdf0", "/dev/sdf16", "/dev/sdf01", "/dev/sdF",
        "/dev/xvd", "/dev/xvdea", "/dev/xvdaaa", "/dev/nvme1n1", "/dev/sdf/../sdg"})
    EXPECT_FALSE(check_data_device(bad)) << bad;
}

}  // namespace
}  // namespace virga::storage
