// A volume whose document says more than its file has: the host makes it larger, wherever it is open.

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::GuestState;
using compute::Power;

struct Killed {};

class VolumeGrowthTest : public AgentTest {
 protected:
  void grow(unsigned number, std::uint64_t size_gib, std::uint64_t generation = 2) {
    auto volume = wanted_volume(number, generation);
    volume.size_gib = size_gib;
    ASSERT_TRUE(agent_->put(volume));
  }
  storage::ObservedVolume volume(unsigned number) const {
    for (const auto& seen : agent_->state().volumes)
      if (seen.id == id<VolumeId>(number)) return seen;
    return {};
  }
  void watch_calls() {
    calls_.clear();
    faults_->set_probe([this](std::string_view call, Faults::Moment moment) {
      if (moment == Faults::Moment::before && call.find("resize") != std::string_view::npos) calls_.emplace_back(call);
    });
  }
  std::vector<std::string> calls_;
};

TEST_F(VolumeGrowthTest, ADetachedVolumeGrowsInItsFile) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  EXPECT_EQ(volume(1).size_gib, 2U);
  watch_calls();

  grow(1, 5);
  settle();

  EXPECT_EQ(volume(1).size_gib, 5U);
  EXPECT_EQ(volume(1).generation, 2U);
  EXPECT_EQ(calls_, (std::vector<std::string>{"storage.resize"}));
}

TEST_F(VolumeGrowthTest, AnOpenVolumeGrowsUnderItsGuest) {
  put_all(1);
  settle();
  ASSERT_EQ(seen(1).state, GuestState::running);
  watch_calls();

  grow(1, 5);
  settle();

  EXPECT_EQ(volume(1).size_gib, 5U);
  EXPECT_EQ(calls_.at(0), "hypervisor.resize_disk");
  EXPECT_EQ(seen(1).state, GuestState::running);
}

TEST_F(VolumeGrowthTest, AStoppedGuestsVolumeGrowsInItsFileBeforeTheGuestStarts) {
  put_all(1);
  settle();
  auto stopped = wanted_instance(1, 2);
  stopped.power = Power::stopped;
  stopped.shutdown_timeout_s = 0;
  ASSERT_TRUE(agent_->put(stopped));
  run_for(seconds(2));
  ASSERT_EQ(seen(1).state, GuestState::stopped);
  watch_calls();

  grow(1, 5);
  auto started = wanted_instance(1, 3);
  started.start_number = 2;
  ASSERT_TRUE(agent_->put(started));
  settle();

  EXPECT_EQ(calls_, (std::vector<std::string>{"storage.resize"}));
  EXPECT_EQ(volume(1).size_gib, 5U);
  EXPECT_EQ(seen(1).state, GuestState::running);
}

TEST_F(VolumeGrowthTest, AVolumeThatCannotGrowGoesOnAsItIsAndSaysWhy) {
  put_all(1);
  settle();
  grow(1, 5000);  // more than the host has
  settle();
  EXPECT_EQ(volume(1).size_gib, 2U);
  EXPECT_TRUE(volume(1).ready);
  EXPECT_NE(volume(1).problem, "");
  EXPECT_EQ(seen(1).state, GuestState::running);

  boot_machine();
  run_for(seconds(5));
  EXPECT_EQ(seen(1).state, GuestState::running) << "its guest starts all the same";

  grow(1, 6, 3);
  settle();
  EXPECT_EQ(volume(1).size_gib, 6U);
  EXPECT_EQ(volume(1).problem, "");
}

TEST_F(VolumeGrowthTest, ASmallerWishShrinksNothing) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  watch_calls();

  grow(1, 1);
  settle();

  EXPECT_TRUE(calls_.empty());
  EXPECT_EQ(volume(1).size_gib, 2U);
}

TEST_F(VolumeGrowthTest, ConvergesWhereverTheRoleEnds) {
  for (const bool open : {false, true}) {
    for (int moment = 1; moment <= 4; ++moment) {
      end_role();
      for (const auto* part : {"agent", "guests", "network", "volumes"})
        std::filesystem::remove_all(directory_.path() / part);
      start_role();
      if (open)
        put_all(1);
      else
        ASSERT_TRUE(agent_->put(wanted_volume(1)));
      settle();
      grow(1, 5);
      int count = 0;
      faults_->set_probe([&](std::string_view call, Faults::Moment) {
        if (call.find("resize") != std::string_view::npos && ++count == moment) throw Killed();
      });
      try {
        settle();
        faults_->set_probe({});
      } catch (const Killed&) {
        start_role();
        settle();
      }
      EXPECT_EQ(volume(1).size_gib, 5U) << open << moment;
      if (open) {
        EXPECT_EQ(seen(1).state, GuestState::running) << moment;
      }
    }
  }
}

}  // namespace
}  // namespace virga::hostapi
