#include "control/host_sync.h"

#include <map>

#include "ec2/op/CreateImage.h"
#include "ec2/op/DescribeImages.h"
#include "storage/snapshots.h"
#include "storage/volumes.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::control {
namespace {

/// A host that keeps what it is told in memory, makes it true at once, and can be out of reach or forget.
class MemoryHost final : public hostapi::Host {
 public:
  Result<void> put_vpc(const network::WantedVpc& vpc) override { return keep(vpcs, vpc); }
  Result<void> put_volume(const storage::WantedVolume& volume) override { return keep(volumes, volume); }
  Result<void> put_snapshot(const storage::WantedSnapshot& snapshot) override { return keep(snapshots, snapshot); }
  Result<void> put_instance(const compute::WantedInstance& instance) override { return keep(instances, instance); }
  Result<void> remove(DocumentKind kind, const std::string& id) override {
    if (!reachable) return silent();
    order.push_back("remove " + std::string(to_string(kind)));
    if (slow_to_remove) return {};
    instances.erase(id);
    volumes.erase(id);
    snapshots.erase(id);
    vpcs.erase(id);
    return {};
  }
  Result<void> confirm(const hostapi::Inventory& inventory) override {
    if (!reachable) return silent();
    order.push_back("confirm");
    inventories.push_back(inventory);
    return {};
  }
  Result<hostapi::HostState> state() override {
    if (!reachable) return silent();
    hostapi::HostState state;
    state.identity = identity;
    state.name = name;
    state.boot_id = boot_id;
    state.accelerator = "simulated";
    state.capacity = {64, 65536, 1000};
    for (const auto& [id, vpc] : vpcs) state.vpcs.push_back({vpc.id, vpc.generation, ""});
    for (const auto& [id, volume] : volumes)
      state.volumes.push_back({.id = volume.id, .generation = volume.generation, .ready = true, .size_gib = volume.size_gib, .problem = ""});
    for (const auto& [id, snapshot] : snapshots)
      state.snapshots.push_back({.id = snapshot.id, .generation = snapshot.generation, .ready = copies_at_once, .file_bytes = 4096, .problem = ""});
    for (const auto& [id, instance] : instances) state.instances.push_back(observed(instance));
    return state;
  }
  Result<std::uint64_t> wait_for_change(std::uint64_t sequence, std::chrono::milliseconds) override { return sequence; }
  Result<std::string> console_output(const InstanceId&) override { return std::string(); }

  std::map<std::string, network::WantedVpc> vpcs;
  std::map<std::string, storage::WantedVolume> volumes;
  std::map<std::string, storage::WantedSnapshot> snapshots;
  std::map<std::string, compute::WantedInstance> instances;
  std::vector<std::string> order;
  std::string identity = "identity-1";
  std::string name = "h1";
  std::string boot_id = "boot-1";
  std::vector<hostapi::Inventory> inventories;
  std::string refused;
  bool reachable = true;
  bool slow_to_remove = false;
  bool copies_at_once = true;
  int puts_until_silent = 1000;

 private:
  static tl::unexpected<Error> silent() { return fail(Code::unavailable, "no answer"); }
  template <class Wanted>
  Result<void> keep(std::map<std::string, Wanted>& kept, const Wanted& wanted) {
    if (!reachable || puts_until_silent-- <= 0) return silent();
    if (wanted.id.str() == refused) return fail(Code::invalid_parameter, "too large");
    auto& slot = kept[wanted.id.str()];
    if (wanted.generation > slot.generation) slot = wanted;
    order.push_back(wanted.id.str().substr(0, wanted.id.str().find('-')));
    return {};
  }
  static compute::ObservedInstance observed(const compute::WantedInstance& wanted) {
    compute::ObservedInstance seen;
    seen.id = wanted.id;
    seen.generation = wanted.generation;
    seen.start_number = wanted.start_number;
    seen.state = wanted.power == compute::Power::running ? compute::GuestState::running : compute::GuestState::stopped;
    for (const auto& disk : wanted.disks) seen.disks.push_back({disk.volume, true, ""});
    return seen;
  }
};

class HostSyncTest : public api::ComputeTest {
 protected:
  void round() { must(sync_->round()); }
  std::int64_t to_be_said() { return number("SELECT count(*) FROM wanted WHERE pushed < generation"); }

  MemoryHost host_;
  std::unique_ptr<HostSync> sync_ = std::make_unique<HostSync>(*store_, clock_, ids_, config_, host_, "unix:test");
};

TEST_F(HostSyncTest, ALaunchReachesTheHostVolumesFirstAndInstancesLast) {
  const auto id = run_one();

  round();

  EXPECT_EQ(host_.order, (std::vector<std::string>{"vol", "vpc", "i", "confirm"}));
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(to_be_said(), 0);
}

TEST_F(HostSyncTest, NothingIsSaidTwiceWhileNothingChanges) {
  run_one();
  round();
  host_.order.clear();

  round();
  clock_.advance(std::chrono::minutes(2));  // the full pass
  round();

  EXPECT_TRUE(host_.order.empty());
}

TEST_F(HostSyncTest, AHostOutOfReachIsToldLaterAndTheErrorIsShown) {
  round();
  host_.reachable = false;
  const auto id = run_one();

  EXPECT_EQ(sync_->round().error().code, Code::unavailable);
  EXPECT_EQ(state(id), "pending");
  host_.reachable = true;
  round();

  EXPECT_EQ(state(id), "running");
}

TEST_F(HostSyncTest, AHostThatStaysSilentIsDownGetsNoInstancesAndComesBackByItself) {
  round();
  const auto before = run_one();
  round();
  const auto is_down = [&] { return number("SELECT count(*) FROM host WHERE state = 'down'") == 1; };
  host_.reachable = false;

  EXPECT_FALSE(sync_->round());
  clock_.advance(HostSync::down_after - std::chrono::seconds(1));
  EXPECT_FALSE(sync_->round());
  EXPECT_FALSE(is_down()) << "a restart of the host role is no outage";
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(sync_->round());
  EXPECT_TRUE(is_down());

  const auto refused = try_run(launch());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::insufficient_instance_capacity);
  EXPECT_NE(refused.error().message.find("is down"), std::string::npos) << refused.error().message;
  EXPECT_EQ(state(before), "running") << "what runs there goes on";

  host_.reachable = true;
  round();
  EXPECT_FALSE(is_down());
  EXPECT_TRUE(try_run(launch()));
}

TEST_F(HostSyncTest, AHostThatIsSilentFromTheStartIsDownToo) {
  round();
  sync_ = std::make_unique<HostSync>(*store_, clock_, ids_, config_, host_, "unix:test");
  host_.reachable = false;
  clock_.advance(HostSync::down_after);

  EXPECT_FALSE(sync_->round());

  EXPECT_EQ(number("SELECT count(*) FROM host WHERE state = 'down'"), 1);
}

TEST_F(HostSyncTest, APushCutInTheMiddleGoesOnWithANewSynchroniser) {
  round();
  const auto id = run_one();
  host_.puts_until_silent = 1;
  EXPECT_FALSE(sync_->round());

  host_.puts_until_silent = 1000;
  sync_ = std::make_unique<HostSync>(*store_, clock_, ids_, config_, host_, "unix:test");
  round();

  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(host_.instances.size(), 1u);
}

TEST_F(HostSyncTest, AnImageOfARunningGuestIsMadeWhereverTheSynchroniserIsCut) {
  for (const int cut : {0, 1, 2, 1000}) {
    const auto id = run_one();
    round();
    round();
    const auto before = host_.instances.at(id.str());
    ec2::CreateImageRequest request;
    request.instance_id = id.str();
    request.name = "made " + std::to_string(cut);
    const auto image = *must(call<ec2::CreateImageResult>(alice, "CreateImage", request)).image_id;

    bool was_off = false;
    for (int step = 0; step < 12; ++step) {
      host_.puts_until_silent = step % 2 == 0 ? cut : 1000;
      sync_ = std::make_unique<HostSync>(*store_, clock_, ids_, config_, host_, "unix:test");
      static_cast<void>(sync_->round());
      EXPECT_EQ(state(id), "running");
      was_off |= host_.instances.at(id.str()).power == compute::Power::stopped;
    }

    EXPECT_TRUE(was_off);
    ec2::DescribeImagesRequest named;
    named.image_ids = {image};
    EXPECT_EQ(*must(call<ec2::DescribeImagesResult>(alice, "DescribeImages", named)).images.at(0).state, "available");
    const auto after = host_.instances.at(id.str());
    EXPECT_EQ(after.power, compute::Power::running);
    EXPECT_EQ(after.start_number, before.start_number + 1);
  }
}

TEST_F(HostSyncTest, AnImageThatIsBeingMadeIsNotTakenForALostImport) {
  const auto id = run_one();
  round();
  round();
  host_.copies_at_once = false;
  ec2::CreateImageRequest request;
  request.instance_id = id.str();
  request.name = "slow";
  request.no_reboot = true;
  must(call<ec2::CreateImageResult>(alice, "CreateImage", request));

  clock_.advance(std::chrono::minutes(10));
  round();

  EXPECT_EQ(number("SELECT count(*) FROM image WHERE state = 'pending'"), 1);
}

TEST_F(HostSyncTest, ATerminatedInstanceLeavesTheHostWithAllThatCameWithIt) {
  const auto id = run_one();
  round();

  terminate(id);
  round();
  round();

  EXPECT_EQ(state(id), "terminated");
  EXPECT_TRUE(host_.instances.empty());
  EXPECT_TRUE(host_.volumes.empty());
  EXPECT_TRUE(host_.vpcs.empty());
  EXPECT_EQ(number("SELECT count(*) FROM wanted"), 0);
}

TEST_F(HostSyncTest, AnInstanceIsTerminatedOnlyWhenTheHostHasLetGo) {
  const auto id = run_one();
  round();
  host_.slow_to_remove = true;
  terminate(id);

  round();
  EXPECT_EQ(state(id), "shutting-down");
  host_.instances.clear();
  round();

  EXPECT_EQ(state(id), "terminated");
}

class HostSyncSnapshotTest : public HostSyncTest {
 protected:
  HostSyncSnapshotTest() {
    volume_ = ask(alice, [](Scope& scope) {
      return must(storage::volumes::create(
                      scope, {.shape = {1, "gp2", 100, {}}, .zone = std::string(zone), .host = "h1"}))
          .id;
    });
    round();
    host_.order.clear();
  }
  SnapshotId snapshot() {
    return ask(alice, [&](Scope& scope) { return must(storage::snapshots::create(scope, {.volume = volume_})).id; });
  }
  std::string state_of(const SnapshotId& id) {
    return ask(alice, [&](Scope& scope) { return std::string(must(storage::snapshots::find(scope, id)).wire_state()); });
  }
  VolumeId volume_;
};

TEST_F(HostSyncSnapshotTest, ReachesTheHostAndIsCompletedByItsWord) {
  host_.copies_at_once = false;
  const auto id = snapshot();

  round();
  EXPECT_EQ(state_of(id), "pending");
  EXPECT_EQ(host_.snapshots.at(id.str()).volume, volume_);
  host_.copies_at_once = true;
  round();

  EXPECT_EQ(state_of(id), "completed");
}

TEST_F(HostSyncSnapshotTest, TheVolumeLeavesTheHostAfterItsPendingSnapshots) {
  host_.copies_at_once = false;
  const auto id = snapshot();
  must(as(alice, [&](Scope& scope) { return storage::volumes::remove(scope, volume_); }));

  round();
  round();
  EXPECT_TRUE(host_.volumes.contains(volume_.str()));
  host_.copies_at_once = true;
  round();
  round();

  EXPECT_FALSE(host_.volumes.contains(volume_.str()));
  EXPECT_EQ(state_of(id), "completed");
  EXPECT_EQ(number("SELECT count(*) FROM volume"), 0);
}

TEST_F(HostSyncSnapshotTest, ADeletedSnapshotLeavesTheHostAndThenTheStore) {
  const auto id = snapshot();
  round();
  host_.slow_to_remove = true;
  must(as(alice, [&](Scope& scope) { return storage::snapshots::remove(scope, id); }));

  round();
  EXPECT_EQ(number("SELECT count(*) FROM snapshot"), 1);
  host_.slow_to_remove = false;
  host_.snapshots.clear();
  round();

  EXPECT_EQ(number("SELECT count(*) FROM snapshot"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM wanted WHERE kind = 'snapshot'"), 0);
}

TEST_F(HostSyncTest, WhatTheHostForgotIsToldAgain) {
  const auto id = run_one();
  round();
  host_.instances.clear();

  round();
  round();

  EXPECT_EQ(host_.instances.count(id.str()), 1u);
}

TEST_F(HostSyncTest, AHostThatLostItsDocumentsIsToldThatItHasThemAllOnlyWhenItHas) {
  const auto id = run_one();
  round();
  host_.instances.clear();
  host_.vpcs.clear();
  host_.inventories.clear();
  host_.boot_id = "boot-2";

  round();
  EXPECT_TRUE(host_.inventories.empty()) << "it was found to have lost some";
  round();

  ASSERT_EQ(host_.inventories.size(), 1u);
  EXPECT_EQ(host_.inventories[0].boot_id, "boot-2");
  EXPECT_EQ(host_.inventories[0].instances, std::vector{id});
  EXPECT_EQ(host_.inventories[0].vpcs.size(), 1u);
  round();
  EXPECT_EQ(host_.inventories.size(), 1u) << "once a run is enough";
}

TEST_F(HostSyncTest, AHostThatRefusesADocumentIsNeverToldThatItHasThemAll) {
  host_.refused = run_one().str();

  round();
  round();

  EXPECT_TRUE(host_.inventories.empty());
}

TEST_F(HostSyncTest, WhatChangesBetweenPlanAndPushIsNotSentUnderTheOldGeneration) {
  const auto id = run_one();
  round();
  auto reboot = [&](int number) {
    ask(alice, [&](Scope& scope) {
      scope.touch(DocumentKind::instance, id.str());
      return scope.tx.execute("UPDATE instance SET reboot_number = ? WHERE id = ?", number, id);
    });
  };
  reboot(1);
  must(store_->write([&](store::Transaction& tx) { return control::prepare(tx, config_, 100); }));
  reboot(2);  // after the plan, before the push ...
  host_.puts_until_silent = 1000;
  const auto todo = ask(alice, [](Scope& scope) { return control::pending(scope.tx, "h1"); });
  ASSERT_EQ(todo.size(), 1u);

  const auto sent = ask(alice, [&](Scope& scope) { return control::document(scope.tx, config_, "h1", todo.front()); });

  EXPECT_TRUE(std::holds_alternative<std::monostate>(sent));
  round();
  EXPECT_EQ(host_.instances.at(id.str()).reboot_number, 2u);
}

TEST_F(HostSyncTest, ARefusedDocumentDoesNotHoldUpTheOthers) {
  host_.refused = run_one().str();
  const auto other = run_one();

  round();

  EXPECT_EQ(state(other), "running");
}

TEST_F(HostSyncTest, AnImportThatTheHostLostFails) {
  const auto lost = ask(alice, [](Scope& scope) {
    return must(storage::images::create_import(
        scope, {.name = "lost", .description = "", .visibility = storage::Visibility::own}));
  });
  round();
  const auto state_of_lost = [&] {
    return ask(alice, [&](Scope& scope) { return must(storage::images::find(scope, lost)).state; });
  };
  EXPECT_EQ(state_of_lost(), storage::ImageState::pending);

  clock_.advance(std::chrono::minutes(2));
  round();

  EXPECT_EQ(state_of_lost(), storage::ImageState::failed);
  EXPECT_TRUE(as(alice, [](Scope& scope) {
    return storage::images::create_import(
        scope, {.name = "lost", .description = "", .visibility = storage::Visibility::own});
  })) << "the name is free again";
}

TEST_F(HostSyncTest, AHostThatIsRenamedIsTheSameHost) {
  const auto id = run_one();
  round();
  host_.name = "renamed";

  round();
  sync_ = std::make_unique<HostSync>(*store_, clock_, ids_, config_, host_, "unix:moved");
  round();

  EXPECT_EQ(number("SELECT count(*) FROM host"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM host WHERE label = 'renamed' AND endpoint = 'unix:moved'"), 1);
  terminate(id);
  round();
  round();
  EXPECT_EQ(state(id), "terminated");
}

TEST_F(HostSyncTest, AnotherHostBehindTheSameSocketIsToldNothingAndBelievedNothing) {
  const auto id = run_one();
  round();
  host_.identity = "identity-2";
  host_.instances.clear();
  host_.order.clear();

  EXPECT_FALSE(sync_->round());
  sync_ = std::make_unique<HostSync>(*store_, clock_, ids_, config_, host_, "unix:test");
  EXPECT_FALSE(sync_->round());

  EXPECT_TRUE(host_.order.empty());
  EXPECT_EQ(state(id), "running");
  host_.identity = "identity-1";
  round();
}

TEST_F(HostSyncTest, WhatIsWaitingToBeSaidIsNotSaidToAnotherHost) {
  const auto first = run_one();
  round();
  const auto kept = std::exchange(host_.instances, {});
  host_.identity = "identity-2";
  host_.order.clear();
  terminate(first);
  run_one();

  EXPECT_FALSE(sync_->round());

  EXPECT_TRUE(host_.order.empty()) << "neither the launch nor the removal";
  host_.identity = "identity-1";
  host_.instances = kept;
  round();
  round();
  EXPECT_EQ(state(first), "terminated");
  EXPECT_EQ(host_.instances.size(), 1U);
}

TEST_F(HostSyncTest, ANewHostIsKnownByItsIdentity) {
  ask(alice, [](Scope& scope) {
    scope.tx.execute("DELETE FROM image_copy");
    return scope.tx.execute("DELETE FROM host");
  });

  round();

  EXPECT_EQ(sync_->name(), "identity-1");
  EXPECT_EQ(number("SELECT count(*) FROM host WHERE name = 'identity-1' AND label = 'h1' AND state = 'up'"), 1);
}

TEST_F(HostSyncTest, AChangeThatNobodyTouchedIsFoundByTheFullPass) {
  const auto id = run_one();
  round();
  ask(alice, [&](Scope& scope) {
    return scope.tx.execute("UPDATE instance SET reboot_number = 5 WHERE id = ?", id);
  });

  clock_.advance(std::chrono::minutes(2));
  round();

  EXPECT_EQ(host_.instances.at(id.str()).reboot_number, 5u);
}

}  // namespace
}  // namespace virga::control
