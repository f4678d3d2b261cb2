#include "hostapi/agent/guest_ends.h"

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::ExitReason;
using compute::GuestState;

/// A guest that runs, as the reconciler has last seen it, with the parts of an agent that tell of its end.
class GuestEndsTest : public AgentTest {
 protected:
  GuestEndsTest() {
    put_all(1);
    settle();
    EXPECT_TRUE(documents_->put(wanted_));
    running_ = seen(1);
    EXPECT_EQ(running_.state, GuestState::running);
    observed_.set_instances({running_});
  }
  compute::ObservedInstance reported() const { return observed_.current().instances.at(0); }
  void look() {
    ends_.add(wanted_.id);
    ends_.pass();
  }

  std::unique_ptr<Documents> documents_ = Documents::open(directory_.path() / "documents").value();
  compute::WantedInstance wanted_ = wanted_instance(1);
  compute::ObservedInstance running_;
  Observed observed_{"host-1", "test", "role-1"};
  Readiness readiness_;
  VpcLocks locks_;
  const Shared shared_{{*hypervisor_, *network_, *volumes_, clock_}, *documents_, observed_, readiness_, locks_};
  GuestEnds ends_{shared_};
};

TEST_F(GuestEndsTest, TellsOfAnEndWithoutTheReconciler) {
  const auto before = observed_.current().sequence;
  ASSERT_TRUE(hypervisor_->guest_poweroff(wanted_.id));

  look();

  EXPECT_EQ(reported().state, GuestState::exited);
  EXPECT_EQ(reported().exit_reason, ExitReason::guest_shutdown);
  EXPECT_GT(observed_.current().sequence, before) << "whoever waits is woken";
}

TEST_F(GuestEndsTest, TellsWhyAProcessEnded) {
  ASSERT_TRUE(hypervisor_->kill_process(wanted_.id));

  look();

  EXPECT_EQ(reported().exit_reason, ExitReason::process_killed);
}

TEST_F(GuestEndsTest, BelievesTheHypervisorAndNotTheRumour) {
  look();

  EXPECT_EQ(reported().state, GuestState::running);
}

TEST_F(GuestEndsTest, AnOlderLookDoesNotBringItBack) {
  ASSERT_TRUE(hypervisor_->kill_process(wanted_.id));
  look();

  observed_.set_instance(running_);
  EXPECT_EQ(reported().state, GuestState::exited) << "one by one";
  observed_.set_instances({running_});
  EXPECT_EQ(reported().state, GuestState::exited) << "all together";
}

TEST_F(GuestEndsTest, ALaterStartIsNotHeldBack) {
  ASSERT_TRUE(hypervisor_->kill_process(wanted_.id));
  look();

  auto later = running_;
  ++later.start_number;
  observed_.set_instance(later);
  EXPECT_EQ(reported().state, GuestState::running);
  look();
  EXPECT_EQ(reported().state, GuestState::running) << "the domain that is off is of the start before";
}

TEST_F(GuestEndsTest, AnEndThatWasWantedIsTheReconcilersToTell) {
  wanted_.power = compute::Power::stopped;
  wanted_.generation = 2;
  ASSERT_TRUE(documents_->put(wanted_));
  ASSERT_TRUE(hypervisor_->destroy(wanted_.id));

  look();

  EXPECT_EQ(reported().state, GuestState::running);
}

TEST_F(GuestEndsTest, AHypervisorThatDoesNotAnswerSaysNothing) {
  ASSERT_TRUE(hypervisor_->kill_process(wanted_.id));
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::fail, .object = wanted_.id.str(), .count = 1, .delay = {}}));

  look();

  EXPECT_EQ(reported().state, GuestState::running);
}

}  // namespace
}  // namespace virga::hostapi
