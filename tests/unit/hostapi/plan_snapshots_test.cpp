#include "hostapi/agent/plan_snapshots.h"

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using Kind = SnapshotStepKind;
using Backup = compute::DiskBackup::State;

class PlanSnapshots : public ::testing::Test {
 protected:
  PlanSnapshots() { facts_.open = OpenVolumes{}; }
  /// Snapshot `number` of that volume, which exists.
  void want(unsigned number, unsigned volume) {
    Entry<storage::WantedSnapshot> entry;
    entry.wanted = {.id = id<SnapshotId>(number), .generation = 1, .volume = id<VolumeId>(volume), .size_gib = 2};
    put(entry);
    Entry<storage::WantedVolume> document{.wanted = wanted_volume(volume), .made = true};
    wanted_.volumes[document.wanted.id] = std::make_shared<const Entry<storage::WantedVolume>>(document);
    facts_.volumes.insert(document.wanted.id);
  }
  void put(const Entry<storage::WantedSnapshot>& entry) {
    wanted_.snapshots[entry.wanted.id] = std::make_shared<const Entry<storage::WantedSnapshot>>(entry);
  }
  void mark(unsigned number, bool made, bool removed) {
    auto entry = *wanted_.snapshots.at(id<SnapshotId>(number));
    entry.made = made;
    entry.removed = removed;
    put(entry);
  }
  void open(unsigned volume, unsigned instance) { (*facts_.open)[id<VolumeId>(volume)] = id<InstanceId>(instance); }
  void work(unsigned number, SnapshotPhase phase, unsigned volume, unsigned instance = 0) {
    facts_.work[id<SnapshotId>(number)] = {
        .phase = phase, .volume = id<VolumeId>(volume), .instance = instance ? id<InstanceId>(instance) : InstanceId{}};
  }
  static SnapshotStep step(Kind kind, unsigned number, unsigned instance = 0) {
    return {.kind = kind,
            .snapshot = id<SnapshotId>(number),
            .instance = instance ? id<InstanceId>(instance) : InstanceId{}};
  }
  void expect(const std::vector<SnapshotStep>& steps) {
    const auto plan = plan_snapshots(wanted_, facts_);
    EXPECT_EQ(plan.steps, steps);
    EXPECT_TRUE(plan.problems.empty());
  }
  std::string problem(unsigned number) {
    const auto plan = plan_snapshots(wanted_, facts_);
    EXPECT_TRUE(plan.steps.empty());
    const auto found = plan.problems.find(id<SnapshotId>(number));
    return found == plan.problems.end() ? std::string() : found->second;
  }

  WantedState wanted_;
  SnapshotFacts facts_;
};

TEST_F(PlanSnapshots, ClosedVolumesAreCopiedAndOpenOnesBackedUp) {
  want(1, 1);
  want(2, 2);
  open(2, 7);
  expect({step(Kind::copy, 1), step(Kind::back_up, 2, 7)});
}

TEST_F(PlanSnapshots, NothingBeginsWhileItIsUnknownWhoHasTheVolumeOpen) {
  want(1, 1);
  facts_.open.reset();
  EXPECT_NE(problem(1), "");
}

TEST_F(PlanSnapshots, AVolumeIsCopiedForOneSnapshotAtATime) {
  want(1, 1);
  want(2, 1);
  expect({step(Kind::copy, 1)});
  work(1, SnapshotPhase::copying, 1);
  expect({});
}

TEST_F(PlanSnapshots, AGuestHasOneBackupAtATime) {
  want(1, 1);
  want(2, 2);
  want(3, 3);
  open(1, 7);
  open(2, 7);
  open(3, 8);
  expect({step(Kind::back_up, 1, 7), step(Kind::back_up, 3, 8)});
}

TEST_F(PlanSnapshots, OnlySoManyCopiesRunAtOnce) {
  for (const unsigned number : {1U, 2U, 3U, 4U}) want(number, number);
  expect({step(Kind::copy, 1), step(Kind::copy, 2)});
  work(1, SnapshotPhase::copying, 1);
  work(2, SnapshotPhase::adopting, 2);
  expect({});
}

TEST_F(PlanSnapshots, ABackupEndsInAdoptionOrBeginsAgain) {
  want(1, 1);
  open(1, 7);
  work(1, SnapshotPhase::backing_up, 1, 7);
  expect({});
  facts_.backups[id<InstanceId>(7)] = {.state = Backup::running};
  expect({});
  facts_.backups[id<InstanceId>(7)] = {.state = Backup::finished};
  expect({step(Kind::adopt, 1)});
  for (const auto state : {Backup::failed, Backup::none}) {
    facts_.backups[id<InstanceId>(7)] = {.state = state};
    expect({step(Kind::abandon, 1)});
  }
}

TEST_F(PlanSnapshots, WhatExistsIsMarkedOnceAndNeverMadeAnew) {
  want(1, 1);
  facts_.existing.insert(id<SnapshotId>(1));
  expect({step(Kind::mark_made, 1)});
  mark(1, true, false);
  expect({});
  facts_.existing.clear();
  EXPECT_NE(problem(1), "");
}

TEST_F(PlanSnapshots, ARemovedOneIsCancelledThenRemovedThenForgotten) {
  want(1, 1);
  mark(1, false, true);
  work(1, SnapshotPhase::copying, 1);
  expect({step(Kind::cancel, 1)});
  facts_.work.clear();
  facts_.existing.insert(id<SnapshotId>(1));
  expect({step(Kind::remove, 1)});
  facts_.existing.clear();
  expect({step(Kind::forget, 1)});
}

TEST_F(PlanSnapshots, AVolumeThatIsNotThereIsWaitedForOrMissed) {
  want(1, 1);
  facts_.volumes.clear();
  EXPECT_NE(problem(1), "") << "it was there once";
  Entry<storage::WantedVolume> fresh{.wanted = wanted_volume(1)};
  wanted_.volumes[fresh.wanted.id] = std::make_shared<const Entry<storage::WantedVolume>>(fresh);
  EXPECT_EQ(problem(1), "") << "it is being made";
  wanted_.volumes.clear();
  EXPECT_NE(problem(1), "");
}

}  // namespace
}  // namespace virga::hostapi
