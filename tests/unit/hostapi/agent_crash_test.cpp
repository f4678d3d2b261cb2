// The host role ends in the middle of each call it makes, and begins anew: it must converge, with one domain per guest
// and no tap too many.

#include <fmt/format.h>

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::DomainState;
using compute::GuestState;

struct Killed {};

class AgentCrashTest : public AgentTest {
 protected:
  /// Runs `settle` with the role ended at its n-th moment of a call; whether it came so far. Looking (list, info) has
  /// no effect that could be cut in two and is not counted.
  bool ends_at(int moment) {
    int count = 0;
    faults_->set_probe([&, moment](std::string_view call, Faults::Moment) {
      if (call.find("list") != std::string_view::npos || call.find("info") != std::string_view::npos) return;
      if (++count == moment) {
        last_call_ = call;
        throw Killed();
      }
    });
    try {
      settle();
      faults_->set_probe({});
      return false;
    } catch (const Killed&) {
      return true;
    }
  }
  void reset_all() {
    end_role();
    for (const auto* part : {"agent", "guests", "network", "volumes"})
      std::filesystem::remove_all(directory_.path() / part);
    start_role();
  }
  std::string last_call_;
};

TEST_F(AgentCrashTest, LaunchConvergesWhereverTheRoleEnds) {
  int moment = 1;
  for (; moment < 200; ++moment) {
    reset_all();
    put_all(2);
    if (!ends_at(moment)) break;
    start_role();
    settle();
    run_for(seconds(5));
    const auto where = fmt::format("ended at moment {} ({})", moment, last_call_);
    EXPECT_EQ(seen(1).state, GuestState::running) << where;
    EXPECT_EQ(seen(2).state, GuestState::running) << where;
    EXPECT_EQ(hypervisor_->list().value().size(), 2U) << where;
    EXPECT_EQ(taps(), 2U) << where;
    EXPECT_TRUE(network_->is_plugged(wanted_vpc(1, {1}), id<NetworkInterfaceId>(1))) << where;
  }
  EXPECT_GT(moment, 16) << "the launch has fewer moments than its calls";
}

TEST_F(AgentCrashTest, RemovalConvergesWhereverTheRoleEnds) {
  int moment = 1;
  for (; moment < 200; ++moment) {
    reset_all();
    put_all(2);
    settle();
    ASSERT_TRUE(agent_->remove(DocumentKind::instance, id<InstanceId>(1).str()));
    ASSERT_TRUE(agent_->remove(DocumentKind::instance, id<InstanceId>(2).str()));
    ASSERT_TRUE(agent_->remove(DocumentKind::vpc, id<VpcId>(1).str()));
    ASSERT_TRUE(agent_->remove(DocumentKind::volume, id<VolumeId>(1).str()));
    ASSERT_TRUE(agent_->remove(DocumentKind::volume, id<VolumeId>(2).str()));
    settle();
    clock_.advance(seconds(2));  // the guests have shut down
    if (!ends_at(moment)) break;
    start_role();
    settle();
    run_for(seconds(70), seconds(5));
    const auto where = fmt::format("ended at moment {} ({})", moment, last_call_);
    EXPECT_TRUE(hypervisor_->list().value().empty()) << where;
    EXPECT_TRUE(network_->vpcs().empty()) << where;
    EXPECT_TRUE(volumes_->list().value().empty()) << where;
    EXPECT_TRUE(agent_->state().instances.empty()) << where;
  }
  EXPECT_GT(moment, 10);
}

TEST_F(AgentCrashTest, LaunchAfterARebootOfTheMachineConvergesWhereverItIsCut) {
  int moment = 1;
  for (; moment < 200; ++moment) {
    reset_all();
    put_all(1);
    settle();
    boot_machine();
    if (!ends_at(moment)) break;
    if (moment % 2 == 0) {
      hypervisor_->lose_power();
      network_->lose_power();
      ++machine_boots_;
    }
    start_role();
    settle();
    run_for(seconds(5));
    const auto where = fmt::format("ended at moment {} ({})", moment, last_call_);
    EXPECT_EQ(seen(1).state, GuestState::running) << where;
    EXPECT_EQ(hypervisor_->list().value().size(), 1U) << where;
    EXPECT_EQ(taps(), 1U) << where;
  }
  EXPECT_GT(moment, 8);
}

TEST_F(AgentCrashTest, FailureOfAnyCallOfALaunchIsOvercome) {
  for (int failures = 1; failures <= 4; ++failures) {
    for (const auto& object :
         {id<InstanceId>(1).str(), id<NetworkInterfaceId>(1).str(), id<VolumeId>(1).str(), id<VpcId>(1).str()}) {
      reset_all();
      put_all(1);
      ASSERT_TRUE(faults_->inject({.kind = FaultKind::fail, .object = object, .count = failures, .delay = {}}));
      settle();
      run_for(seconds(30));
      EXPECT_EQ(seen(1).state, GuestState::running) << object << " fails " << failures << " times";
      EXPECT_EQ(taps(), 1U);
    }
  }
}

}  // namespace
}  // namespace virga::hostapi
