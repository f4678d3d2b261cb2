#include "compute/state.h"

#include <gtest/gtest.h>

#include "compute/instance_types.h"

namespace virga::compute {
namespace {

TEST(InstanceStates, HaveTheNamesAndCodesOfEc2) {
  EXPECT_EQ(to_string(InstanceState::shutting_down), "shutting-down");
  EXPECT_EQ(state_code(InstanceState::pending), 0);
  EXPECT_EQ(state_code(InstanceState::running), 16);
  EXPECT_EQ(state_code(InstanceState::shutting_down), 32);
  EXPECT_EQ(state_code(InstanceState::terminated), 48);
  EXPECT_EQ(state_code(InstanceState::stopping), 64);
  EXPECT_EQ(state_code(InstanceState::stopped), 80);
  for (const auto& row : state_names) EXPECT_EQ(parse_instance_state(row.name), row.state);
  EXPECT_FALSE(parse_instance_state("rebooting"));
}

TEST(InstanceStates, NothingLeavesTerminatedAndOnlyEndFollowsShuttingDown) {
  for (const auto& row : state_names) {
    EXPECT_FALSE(may_become(InstanceState::terminated, row.state));
    EXPECT_EQ(may_become(InstanceState::shutting_down, row.state), row.state == InstanceState::terminated);
  }
}

TEST(InstanceStates, EveryLivingStateMayEnd) {
  for (const auto& row : state_names) {
    EXPECT_EQ(may_become(row.state, InstanceState::shutting_down), is_alive(row.state)) << row.name;
  }
}

TEST(InstanceTypes, KnowTheNamesClientsUse) {
  for (const auto* name : {"t1.micro", "t2.nano",   "t2.micro",  "t2.small", "t2.medium", "t2.large", "t3.nano",
                           "t3.micro", "t3.small",  "t3.medium", "t3.large", "t3.xlarge", "m1.small", "m1.medium",
                           "m5.large", "m5.xlarge", "c5.large",  "lab.tiny", "lab.nano",  "lab.small"})
    EXPECT_TRUE(find_instance_type(name)) << name;
  EXPECT_EQ(find_instance_type("lab.tiny")->memory_mib, 128);
  EXPECT_EQ(find_instance_type("T3.micro").error().code, Code::invalid_instance_type);
  EXPECT_TRUE(find_instance_type(default_instance_type));
}

TEST(InstanceTypes, OnlyBurstableOnesHaveCredits) {
  EXPECT_EQ(default_cpu_credits(*find_instance_type("t2.micro")), "standard");
  EXPECT_EQ(default_cpu_credits(*find_instance_type("t3.micro")), "unlimited");
  EXPECT_EQ(default_cpu_credits(*find_instance_type("m5.large")), "");
}

}  // namespace
}  // namespace virga::compute
