// Snapshots on a host of fakes: closed volumes are copied from their files, open ones by their guests' hypervisor.

#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::GuestState;
using compute::Power;

struct Killed {};

class SnapshotTest : public AgentTest {
 protected:
  static storage::WantedSnapshot wanted_snapshot(unsigned number, unsigned volume) {
    return {.id = id<SnapshotId>(number), .generation = 1, .volume = id<VolumeId>(volume), .size_gib = 2};
  }
  void put_snapshot(unsigned number, unsigned volume) { ASSERT_TRUE(agent_->put(wanted_snapshot(number, volume))); }
  void remove_snapshot(unsigned number) {
    ASSERT_TRUE(agent_->remove(DocumentKind::snapshot, id<SnapshotId>(number).str()));
  }
  void remove_volume(unsigned number) { ASSERT_TRUE(agent_->remove(DocumentKind::volume, id<VolumeId>(number).str())); }
  void stop_guest(unsigned number, std::uint64_t generation = 2) {
    auto stopped = wanted_instance(number, generation);
    stopped.power = Power::stopped;
    stopped.shutdown_timeout_s = 0;
    ASSERT_TRUE(agent_->put(stopped));
    run_for(seconds(2));
    ASSERT_EQ(seen(number).state, GuestState::stopped);
  }
  storage::ObservedSnapshot snapshot(unsigned number) const {
    for (const auto& seen : agent_->state().snapshots)
      if (seen.id == id<SnapshotId>(number)) return seen;
    return {};
  }
  bool has_snapshot(unsigned number) const { return !snapshot(number).id.empty(); }
  bool has_volume(unsigned number) const {
    for (const auto& seen : agent_->state().volumes)
      if (seen.id == id<VolumeId>(number)) return true;
    return false;
  }
  std::size_t snapshots_in_backend() { return volumes_->list_snapshots()->size(); }
  void watch_calls() {
    calls_.clear();
    faults_->set_probe([this](std::string_view call, Faults::Moment moment) {
      const bool of_interest = call == "storage.snapshot" || call == "storage.adopt_backup" ||
                               call == "hypervisor.begin_backup" || call == "hypervisor.cancel_backup" ||
                               call == "hypervisor.start_paused" || call == "storage.remove";
      if (moment == Faults::Moment::before && of_interest) calls_.emplace_back(call);
    });
  }
  std::vector<std::string> calls_;
};

TEST_F(SnapshotTest, AClosedVolumeIsCopiedFromItsFile) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  watch_calls();

  put_snapshot(1, 1);
  EXPECT_FALSE(snapshot(1).ready);
  settle();

  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_EQ(snapshot(1).generation, 1U);
  EXPECT_EQ(snapshot(1).problem, "");
  EXPECT_EQ(calls_, (std::vector<std::string>{"storage.snapshot"}));
}

TEST_F(SnapshotTest, AnOpenVolumeIsCopiedByItsGuestsHypervisor) {
  put_all(1);
  settle();
  watch_calls();

  put_snapshot(1, 1);
  settle();
  EXPECT_FALSE(snapshot(1).ready);
  clock_.advance(milliseconds(20));
  settle();
  EXPECT_GT(snapshot(1).total_bytes, 0U);
  EXPECT_GT(snapshot(1).done_bytes, 0U);
  EXPECT_LT(snapshot(1).done_bytes, snapshot(1).total_bytes);
  run_for(seconds(1));

  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_EQ(calls_, (std::vector<std::string>{"hypervisor.begin_backup", "storage.adopt_backup"}));
  EXPECT_EQ(seen(1).state, GuestState::running);
}

TEST_F(SnapshotTest, AGuestHasOneCopyAtATimeAndOtherGuestsDoNotWait) {
  put_all(2);
  auto two_disks = wanted_instance(1, 2);
  two_disks.disks.push_back({.volume = id<VolumeId>(3), .device = "/dev/sdf", .slot = 1, .root = false});
  ASSERT_TRUE(agent_->put(wanted_volume(3)));
  ASSERT_TRUE(agent_->put(two_disks));
  settle();
  ASSERT_EQ(domain(1).disks.size(), 2U);
  watch_calls();

  put_snapshot(1, 1);
  put_snapshot(2, 3);
  put_snapshot(3, 2);
  settle();
  EXPECT_EQ(calls_, (std::vector<std::string>{"hypervisor.begin_backup", "hypervisor.begin_backup"}));

  run_for(seconds(2));
  for (const unsigned number : {1U, 2U, 3U}) EXPECT_TRUE(snapshot(number).ready) << number;
}

TEST_F(SnapshotTest, AGuestStartsAfterTheCopyOfItsVolume) {
  put_all(1);
  settle();
  stop_guest(1);
  std::vector<std::string> order;
  faults_->set_probe([&](std::string_view call, Faults::Moment moment) {
    if (call == "storage.snapshot" && moment == Faults::Moment::before) {
      // While the copy is under way the guest is wanted on.
      auto started = wanted_instance(1, 3);
      started.start_number = 2;
      ASSERT_TRUE(agent_->put(started));
    }
    if (call == "storage.snapshot" || call == "hypervisor.start_paused")
      order.push_back(std::string(call) + (moment == Faults::Moment::before ? " begins" : " ends"));
  });

  put_snapshot(1, 1);
  settle();

  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_EQ(order, (std::vector<std::string>{"storage.snapshot begins", "storage.snapshot ends",
                                             "hypervisor.start_paused begins", "hypervisor.start_paused ends"}));
}

TEST_F(SnapshotTest, AVolumeIsRemovedAfterItsSnapshotIsMade) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  watch_calls();

  put_snapshot(1, 1);
  remove_volume(1);
  run_for(seconds(5));

  EXPECT_FALSE(has_volume(1));
  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_EQ(calls_, (std::vector<std::string>{"storage.snapshot", "storage.remove"}));
}

TEST_F(SnapshotTest, AVolumeGrowsAfterItsCopy) {
  put_all(1);
  settle();
  std::vector<std::string> order;
  faults_->set_probe([&](std::string_view call, Faults::Moment moment) {
    const bool of_interest = call == "hypervisor.resize_disk" || call == "storage.adopt_backup";
    if (of_interest && moment == Faults::Moment::before) order.emplace_back(call);
  });
  put_snapshot(1, 1);
  settle();

  auto grown = wanted_volume(1, 2);
  grown.size_gib = 5;
  ASSERT_TRUE(agent_->put(grown));
  settle();
  EXPECT_TRUE(order.empty());
  run_for(seconds(2));

  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_THAT(order, testing::UnorderedElementsAre("hypervisor.resize_disk", "storage.adopt_backup"));
}

TEST_F(SnapshotTest, ADiskIsLetGoAfterItsCopy) {
  put_all(1);
  ASSERT_TRUE(agent_->put(wanted_volume(3)));
  auto two_disks = wanted_instance(1, 2);
  two_disks.disks.push_back({.volume = id<VolumeId>(3), .device = "/dev/sdf", .slot = 1, .root = false});
  ASSERT_TRUE(agent_->put(two_disks));
  settle();
  put_snapshot(1, 3);
  settle();

  ASSERT_TRUE(agent_->put(wanted_instance(1, 3)));
  settle();
  EXPECT_EQ(domain(1).disks.size(), 2U);
  run_for(seconds(2));

  EXPECT_EQ(domain(1).disks.size(), 1U);
  EXPECT_TRUE(snapshot(1).ready);
}

TEST_F(SnapshotTest, AGuestThatDiesInTheMiddleIsCopiedFromTheFile) {
  put_all(1);
  settle();
  watch_calls();
  put_snapshot(1, 1);
  settle();

  ASSERT_TRUE(hypervisor_->kill_process(id<InstanceId>(1)));
  run_for(seconds(5));

  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_EQ(snapshot(1).problem, "");
  EXPECT_EQ(calls_.front(), "hypervisor.begin_backup");
  EXPECT_EQ(calls_.back(), "storage.snapshot");
}

TEST_F(SnapshotTest, ASnapshotThatIsWantedNoLongerIsNotMade) {
  put_all(1);
  settle();
  watch_calls();
  put_snapshot(1, 1);
  settle();

  remove_snapshot(1);
  run_for(seconds(2));

  EXPECT_FALSE(has_snapshot(1));
  EXPECT_EQ(snapshots_in_backend(), 0U);
  EXPECT_EQ(calls_, (std::vector<std::string>{"hypervisor.begin_backup", "hypervisor.cancel_backup"}));
  EXPECT_EQ(seen(1).state, GuestState::running);
}

TEST_F(SnapshotTest, WhatWasMadeAndIsGoneIsSaidAndNotMadeAnew) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  put_snapshot(1, 1);
  settle();
  ASSERT_TRUE(snapshot(1).ready);
  watch_calls();

  ASSERT_TRUE(faults_->inject({.kind = FaultKind::forget, .object = id<SnapshotId>(1).str()}));
  run_for(seconds(60), seconds(20));

  EXPECT_FALSE(snapshot(1).ready);
  EXPECT_EQ(snapshot(1).problem, "The snapshot's data is missing on its host.");
  EXPECT_TRUE(calls_.empty());
}

TEST_F(SnapshotTest, AFailureIsSaidAndTriedAgain) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::fail, .object = id<SnapshotId>(1).str(), .count = 2}));

  put_snapshot(1, 1);
  settle();
  EXPECT_FALSE(snapshot(1).ready);
  EXPECT_NE(snapshot(1).problem, "");

  run_for(seconds(5));
  EXPECT_TRUE(snapshot(1).ready);
  EXPECT_EQ(snapshot(1).problem, "");
}

TEST_F(SnapshotTest, AVolumeWaitsForTheSnapshotItIsMadeFrom) {
  auto based = wanted_volume(2);
  based.snapshot = id<SnapshotId>(1);
  based.size_gib = 3;
  ASSERT_TRUE(agent_->put(based));
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  put_snapshot(1, 1);
  run_for(seconds(2));

  EXPECT_TRUE(snapshot(1).ready);
  for (const auto& volume : agent_->state().volumes) {
    EXPECT_TRUE(volume.ready) << volume.id.str() << volume.problem;
    EXPECT_EQ(volume.size_gib, volume.id == id<VolumeId>(2) ? 3U : 2U);
  }
}

TEST_F(SnapshotTest, ARemovedSnapshotServesTheVolumesOnItToTheEnd) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  put_snapshot(1, 1);
  settle();
  auto based = wanted_volume(2);
  based.snapshot = id<SnapshotId>(1);
  ASSERT_TRUE(agent_->put(based));
  settle();
  const auto file = volumes_->backing(based).front();
  ASSERT_TRUE(std::filesystem::exists(file));

  remove_snapshot(1);
  settle();
  EXPECT_FALSE(has_snapshot(1));
  start_role();
  settle();
  EXPECT_EQ(snapshots_in_backend(), 0U);
  EXPECT_TRUE(std::filesystem::exists(file));

  remove_volume(2);
  run_for(seconds(2));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(SnapshotTest, ACopyForAnEarlierRoleIsCancelled) {
  put_all(1);
  settle();
  put_snapshot(1, 1);
  settle();
  ASSERT_EQ(hypervisor_->backup_state(id<InstanceId>(1))->state, compute::DiskBackup::State::running);
  remove_snapshot(1);

  start_role();
  settle();

  EXPECT_FALSE(has_snapshot(1));
  EXPECT_NE(hypervisor_->backup_state(id<InstanceId>(1))->state, compute::DiskBackup::State::running);
  EXPECT_EQ(seen(1).state, GuestState::running);
}

TEST_F(SnapshotTest, ACopyThatBeganWithoutAnAnswerIsCancelledAndLeavesNothing) {
  put_all(1);
  settle();
  const auto target = directory_.path() / "volumes" / (id<SnapshotId>(1).str() + ".backup");
  int begun = 0;
  faults_->set_probe([&](std::string_view call, Faults::Moment moment) {
    if (call != "hypervisor.begin_backup" || moment != Faults::Moment::before || ++begun > 1) return;
    // The deadline ends, the call goes on.
    ASSERT_TRUE(hypervisor_->begin_backup(id<InstanceId>(1), id<VolumeId>(1), target));
    ASSERT_TRUE(faults_->inject({.kind = FaultKind::hang, .object = id<InstanceId>(1).str()}));
  });
  put_snapshot(1, 1);
  settle();
  ASSERT_EQ(begun, 2);
  EXPECT_FALSE(std::filesystem::exists(target));

  remove_snapshot(1);
  settle();

  EXPECT_NE(hypervisor_->backup_state(id<InstanceId>(1))->state, compute::DiskBackup::State::running);
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST_F(SnapshotTest, WhatCouldNotBeTakenOverIsDropped) {
  put_all(1);
  settle();
  put_snapshot(1, 1);
  settle();
  bool failed = false;
  faults_->set_probe([&](std::string_view call, Faults::Moment moment) {
    if (call != "storage.adopt_backup" || moment != Faults::Moment::before || failed) return;
    failed = true;
    ASSERT_TRUE(faults_->inject({.kind = FaultKind::fail, .object = id<SnapshotId>(1).str()}));
    ASSERT_TRUE(hypervisor_->kill_process(id<InstanceId>(1)));
  });

  run_for(seconds(10));

  EXPECT_TRUE(failed);
  EXPECT_TRUE(snapshot(1).ready) << "copied from the file";
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "volumes" / (id<SnapshotId>(1).str() + ".backup")));
}

TEST_F(SnapshotTest, AVolumeStaysWhileNobodyKnowsWhichOneASnapshotIsOf) {
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::fail, .object = id<SnapshotId>(1).str(), .count = 1'000}));
  put_snapshot(1, 1);
  settle();
  end_role();
  const auto document = directory_.path() / "agent" / "documents" / "snapshots" / (id<SnapshotId>(1).str() + ".json");
  ASSERT_TRUE(std::filesystem::exists(document)) << document;
  std::ofstream(document) << "{";
  start_role();

  remove_volume(1);
  run_for(seconds(5));
  EXPECT_TRUE(has_volume(1));
  EXPECT_FALSE(volumes_->list()->empty());

  remove_snapshot(1);
  run_for(seconds(5));
  EXPECT_FALSE(has_volume(1));
}

/// The role ends at every call that has to do with a snapshot, in each of three situations.
TEST_F(SnapshotTest, ConvergesWhereverTheRoleEnds) {
  enum class Volume { closed, open, of_a_guest_that_stops };
  for (const auto situation : {Volume::closed, Volume::open, Volume::of_a_guest_that_stops}) {
    for (int moment = 1; moment <= 12; ++moment) {
      end_role();
      for (const auto* part : {"agent", "guests", "network", "volumes"})
        std::filesystem::remove_all(directory_.path() / part);
      start_role();
      if (situation == Volume::closed) {
        ASSERT_TRUE(agent_->put(wanted_volume(1)));
      } else {
        put_all(1);
      }
      settle();
      if (situation == Volume::of_a_guest_that_stops) {
        auto stopped = wanted_instance(1, 2);
        stopped.power = Power::stopped;
        ASSERT_TRUE(agent_->put(stopped));
      }
      int count = 0;
      faults_->set_probe([&](std::string_view call, Faults::Moment) {
        const bool counts = call.find("backup") != std::string_view::npos || call == "storage.snapshot";
        if (counts && ++count == moment) throw Killed();
      });
      try {
        put_snapshot(1, 1);
        run_for(seconds(1), milliseconds(100));
        faults_->set_probe({});
      } catch (const Killed&) {
        start_role();
      }
      run_for(seconds(5));
      EXPECT_TRUE(snapshot(1).ready) << static_cast<int>(situation) << " " << moment << snapshot(1).problem;
      for (const auto& file : std::filesystem::directory_iterator(directory_.path() / "volumes"))
        EXPECT_EQ(file.path().extension(), ".json") << file.path();
    }
  }
}

}  // namespace
}  // namespace virga::hostapi
