// One VPC's trouble stays its own.

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::GuestState;
using Threat_N06 = AgentTest;

TEST_F(Threat_N06, AVpcThatCannotBeAppliedHoldsUpNoOther) {
  ASSERT_TRUE(
      faults_->inject({.kind = FaultKind::fail, .object = id<VpcId>(1).str(), .count = 1'000'000, .delay = {}}));
  put_all(1);
  ASSERT_TRUE(agent_->put(wanted_volume(2)));
  auto elsewhere = wanted_instance(2);
  elsewhere.nics.front().vpc = id<VpcId>(2);
  elsewhere.nics.front().vpc_number = 2;
  ASSERT_TRUE(agent_->put(elsewhere));
  ASSERT_TRUE(agent_->put(wanted_vpc(2, {2})));

  settle();

  EXPECT_EQ(seen(2).state, GuestState::running);
  EXPECT_NE(seen(1).state, GuestState::running);
  for (const auto& vpc : agent_->state().vpcs) EXPECT_EQ(vpc.problem.empty(), vpc.id == id<VpcId>(2)) << vpc.problem;
}

}  // namespace
}  // namespace virga::hostapi
