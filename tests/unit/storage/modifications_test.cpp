#include "storage/modifications.h"

#include <gtest/gtest.h>

namespace virga::storage {
namespace {

VolumeShape shape(int size, std::string type, std::optional<int> iops = {}, std::optional<int> throughput = {}) {
  return {size, std::move(type), iops, throughput};
}
Change to_type(std::string type) {
  Change change;
  change.type = std::move(type);
  return change;
}
Change to_size(int size) {
  Change change;
  change.size_gib = size;
  return change;
}
Code code_of(const VolumeShape& now, const Change& change) {
  const auto result = changed_shape(now, change);
  return result ? Code::internal : result.error().code;
}

TEST(ChangedShape, NeverShrinks) {
  EXPECT_EQ(changed_shape(shape(8, "gp2", 100), to_size(9))->size_gib, 9);
  EXPECT_EQ(changed_shape(shape(8, "gp2", 100), to_size(8))->size_gib, 8);
  EXPECT_EQ(code_of(shape(8, "gp2", 100), to_size(7)), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(8, "gp2", 100), to_size(0)), Code::invalid_parameter_value);
}

TEST(ChangedShape, KeepsWhatTheTypeAllowsAndIsNotNamed) {
  const auto gp3 = changed_shape(shape(8, "gp3", 4000, 500), to_size(100));
  ASSERT_TRUE(gp3);
  EXPECT_EQ(gp3->iops, 4000);
  EXPECT_EQ(gp3->throughput, 500);
  EXPECT_EQ(changed_shape(shape(8, "io1", 400), to_size(9))->iops, 400);
  EXPECT_EQ(changed_shape(shape(8, "gp2", 100), to_size(1000))->iops, 3000) << "gp2's follows from its size";
}

TEST(ChangedShape, AnotherTypeHasItsOwnDefaults) {
  const auto gp3 = changed_shape(shape(100, "gp2", 300), to_type("gp3"));
  ASSERT_TRUE(gp3);
  EXPECT_EQ(gp3->iops, 3000);
  EXPECT_EQ(gp3->throughput, 125);
  EXPECT_EQ(changed_shape(shape(100, "gp3", 5000, 700), to_type("io2"))->iops, 3000);
  EXPECT_EQ(changed_shape(shape(100, "gp3", 5000, 700), to_type("io2"))->throughput, std::nullopt);
  EXPECT_EQ(changed_shape(shape(200, "gp3", 5000, 700), to_type("st1"))->iops, std::nullopt);
  EXPECT_EQ(changed_shape(shape(100, "io1", 5000), to_type("gp2"))->iops, 300);
}

TEST(ChangedShape, HoldsToTheRulesOfTheNewType) {
  EXPECT_EQ(code_of(shape(8, "gp2", 100), to_type("st1")), Code::invalid_parameter_value) << "too small for it";
  EXPECT_EQ(code_of(shape(2000, "gp2", 6000), to_type("standard")), Code::invalid_parameter_value) << "too large";
  EXPECT_EQ(code_of(shape(8, "gp2", 100), to_type("io1")), Code::invalid_parameter_value)
      << "3000 is too much for 8 GiB";
  EXPECT_EQ(code_of(shape(8, "gp2", 100), to_type("gp9")), Code::invalid_parameter_value);
  EXPECT_EQ(code_of(shape(8, "gp2", 100), to_size(16385)), Code::invalid_parameter_value);
  Change change;
  change.iops = 500;
  EXPECT_EQ(code_of(shape(8, "gp2", 100), change), Code::invalid_parameter_combination);
  change = {};
  change.throughput = 200;
  EXPECT_EQ(code_of(shape(8, "io1", 400), change), Code::invalid_parameter_combination);
  EXPECT_EQ(changed_shape(shape(8, "gp3", 3000, 125), change)->throughput, 200);
}

}  // namespace
}  // namespace virga::storage
