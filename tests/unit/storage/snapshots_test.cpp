#include "storage/snapshots.h"

#include <gtest/gtest.h>

#include "storage/modifications.h"
#include "storage/sync.h"
#include "storage/volumes.h"
#include "tests/support/temporary_directory.h"

namespace virga::storage {
namespace {

/// Two accounts, a host, and a volume of alice's that the host has made.
class SnapshotsTest : public testing::Test {
 protected:
  SnapshotsTest() {
    in(alice, [&](Scope& scope) -> Result<void> {
      for (const auto& account : {alice, bob})
        scope.tx.execute("INSERT INTO account (id, name, created_ms) VALUES (?, ?, 0)", account, account.str());
      scope.tx.execute(
          "INSERT INTO host (name, endpoint, zones, state, storage_gib) VALUES ('h1', '', '[\"a\"]', 'up', 100)");
      volume_ = TRY(volumes::create(scope, {.shape = {4, "gp2", 100, {}}, .zone = "a", .host = "h1"})).id;
      return {};
    });
    tell_host();
    see_volume(volume_);
  }

  template <class Function>
  auto try_in(const AccountId& account, Function function) {
    return store_->write([&](store::Transaction& tx) {
      Scope scope{tx, account, clock_.now(), ids_, "t", "Test", "r"};
      return function(scope);
    });
  }
  template <class Function>
  void in(const AccountId& account, Function function) {
    const auto done = try_in(account, function);
    ASSERT_TRUE(done) << describe(done.error());
  }
  /// What the synchroniser does: everything touched has been told to the host.
  void tell_host() {
    in(alice, [](Scope& scope) -> Result<void> {
      scope.tx.execute(
          "INSERT INTO wanted (host, kind, id, generation, digest) SELECT 'h1', kind, id, 1, '' FROM outbox WHERE true"
          " ON CONFLICT DO NOTHING");
      scope.tx.execute("DELETE FROM outbox");
      return {};
    });
  }
  void see_volume(const VolumeId& id) {
    in({}, [&](Scope& scope) { return observe_volume(scope, "h1", {.id = id, .ready = true, .problem = {}}); });
  }
  Result<Snapshot> try_create(const VolumeId& volume) {
    auto made = try_in(alice, [&](Scope& scope) { return snapshots::create(scope, {.volume = volume}); });
    tell_host();
    return made;
  }
  SnapshotId create() { return try_create(volume_).value().id; }
  void see(ObservedSnapshot observed) {
    in({}, [&](Scope& scope) { return observe_snapshot(scope, "h1", observed); });
  }
  void see_failing(const SnapshotId& id, const std::string& problem) { see({.id = id, .problem = problem}); }
  SnapshotId completed() {
    const auto id = create();
    see({.id = id, .ready = true, .file_bytes = 7});
    clock_.advance(std::chrono::seconds(20));
    return id;
  }
  Snapshot look(const SnapshotId& id) {
    return try_in(alice, [&](Scope& scope) { return snapshots::find(scope, id); }).value();
  }
  Code remove(const SnapshotId& id, const AccountId& account) {
    const auto done = try_in(account, [&](Scope& scope) { return snapshots::remove(scope, id); });
    return done ? Code::dry_run_operation : done.error().code;
  }
  void remove(const SnapshotId& id) { ASSERT_EQ(remove(id, alice), Code::dry_run_operation); }
  template <class Function>
  auto read(Function function) {
    return store_->read([&](store::Transaction& tx) -> Result<decltype(function(tx))> { return function(tx); }).value();
  }
  bool wanted(const SnapshotId& id) {
    return read([&](store::Transaction& tx) { return wanted_snapshot(tx, id).has_value(); });
  }
  bool wanted(const VolumeId& id) {
    return read([&](store::Transaction& tx) { return wanted_volume(tx, id).has_value(); });
  }
  bool touched(const std::string& id) {
    return read([&](store::Transaction& tx) { return tx.exists("SELECT 1 FROM outbox WHERE id = ?", id); });
  }
  VolumeId volume_from(const SnapshotId& id) {
    return try_in(alice,
                  [&](Scope& scope) {
                    return volumes::create(scope,
                                           {.shape = {4, "gp2", 100, {}}, .zone = "a", .host = "h1", .snapshot = id});
                  })
        .value()
        .id;
  }

  const AccountId alice = AccountId::trusted("111111111111");
  const AccountId bob = AccountId::trusted("222222222222");
  test::TemporaryDirectory directory_;
  std::unique_ptr<store::Store> store_ = *store::Store::open((directory_.path() / "virga.db").string());
  SeededIdSource ids_{7};
  ManualClock clock_;
  VolumeId volume_;
};

TEST_F(SnapshotsTest, IsCompletedWhenTheHostHasTheCopy) {
  const auto id = create();
  EXPECT_EQ(look(id).wire_state(), "pending");
  EXPECT_EQ(look(id).progress_percent(), 0);
  EXPECT_EQ(look(id).size_gib, 4);

  see({.id = id, .done_bytes = 30, .total_bytes = 120});
  EXPECT_EQ(look(id).progress_percent(), 25);
  see({.id = id, .done_bytes = 120, .total_bytes = 120});
  EXPECT_EQ(look(id).progress_percent(), 99) << "copied, and not yet kept";
  see({.id = id, .ready = true, .done_bytes = 120, .total_bytes = 120, .file_bytes = 64});

  EXPECT_EQ(look(id).wire_state(), "completed");
  EXPECT_EQ(look(id).progress_percent(), 100);
  EXPECT_EQ(look(id).file_bytes, 64);
  EXPECT_EQ(look(id).completed, clock_.now());
}

TEST_F(SnapshotsTest, ACompletedOneIsNeverToBeMadeAnew) {
  const auto source = [&](const SnapshotId& id) {
    return read([&](store::Transaction& tx) { return wanted_snapshot(tx, id).value().volume; });
  };
  const auto id = create();
  EXPECT_EQ(source(id), volume_);

  see({.id = id, .ready = true});

  EXPECT_EQ(source(id), VolumeId());
}

TEST_F(SnapshotsTest, NewsOfAnotherHostSaysNothing) {
  const auto id = create();

  in({}, [&](Scope& scope) { return observe_snapshot(scope, "h2", {.id = id, .ready = true}); });

  EXPECT_EQ(look(id).wire_state(), "pending");
}

TEST_F(SnapshotsTest, APassingFailureLeavesItPendingALastingOneEndsIt) {
  const auto id = create();

  see_failing(id, "the hypervisor does not answer");
  clock_.advance(std::chrono::seconds(59));
  see_failing(id, "the hypervisor does not answer");
  EXPECT_EQ(look(id).wire_state(), "pending");
  see({.id = id, .done_bytes = 1, .total_bytes = 2});
  clock_.advance(std::chrono::seconds(59));
  see_failing(id, "the hypervisor does not answer");
  EXPECT_EQ(look(id).wire_state(), "pending") << "it went on in between";
  clock_.advance(std::chrono::seconds(60));
  see_failing(id, "the hypervisor does not answer");

  EXPECT_EQ(look(id).wire_state(), "error");
  EXPECT_FALSE(wanted(id)) << "the host is to let go of it";
  EXPECT_TRUE(touched(id.str()));
  see({.id = id, .ready = true});
  EXPECT_EQ(look(id).wire_state(), "error") << "for good";
}

TEST_F(SnapshotsTest, ACopyThatComesNoFurtherHasFailedAndItsProgressNeverGoesBack) {
  const auto id = create();
  see({.id = id, .done_bytes = 50, .total_bytes = 100});

  see_failing(id, "I/O error");
  clock_.advance(std::chrono::seconds(30));
  see({.id = id, .done_bytes = 49, .total_bytes = 100});
  EXPECT_EQ(look(id).progress_percent(), 50);
  clock_.advance(std::chrono::seconds(30));
  see_failing(id, "I/O error");

  EXPECT_EQ(look(id).wire_state(), "error");
}

TEST_F(SnapshotsTest, WantOfRoomEndsItAtOnce) {
  const auto id = create();

  see_failing(id, std::string(no_room_problem));

  EXPECT_EQ(look(id).wire_state(), "error");
}

TEST_F(SnapshotsTest, ACompletedOneWhoseCopyIsMissingIsInErrorUntilItIsBack) {
  const auto id = completed();

  see_failing(id, "gone");
  EXPECT_EQ(look(id).wire_state(), "error");
  EXPECT_EQ(try_in(alice, [&](Scope& scope) { return snapshots::find_completed(scope, id); }).error().code,
            Code::incorrect_state);
  see({.id = id});
  EXPECT_EQ(look(id).wire_state(), "error") << "it has not been looked at";
  see({.id = id, .ready = true});

  EXPECT_EQ(look(id).wire_state(), "completed");
}

TEST_F(SnapshotsTest, ADeletedVolumeStaysUntilItsSnapshotsAreSettled) {
  const auto id = create();

  in(alice, [&](Scope& scope) { return volumes::remove(scope, volume_); });
  EXPECT_TRUE(wanted(volume_));
  tell_host();
  see({.id = id, .ready = true});

  EXPECT_FALSE(wanted(volume_));
  EXPECT_TRUE(touched(volume_.str()));
  in({}, [&](Scope& scope) { return volume_removed(scope, "h1", volume_); });
  EXPECT_EQ(look(id).volume, volume_) << "what it was made of is still told";
}

TEST_F(SnapshotsTest, DeletingAPendingOneLetsItsVolumeGo) {
  const auto id = create();
  in(alice, [&](Scope& scope) { return volumes::remove(scope, volume_); });
  tell_host();

  remove(id);

  EXPECT_FALSE(wanted(volume_));
  EXPECT_TRUE(touched(volume_.str()));
  EXPECT_FALSE(wanted(id));
}

TEST_F(SnapshotsTest, ADeletedOneIsUnseenAndGivesItsQuotaBackWhenTheHostHasFreedIt) {
  const auto id = completed();
  const auto used = [&] {
    return try_in(alice,
                  [](Scope& scope) -> Result<std::int64_t> { return quota::used(scope, quota::Name::snapshots); })
        .value();
  };

  remove(id);
  EXPECT_EQ(remove(id, alice), Code::invalid_snapshot_not_found);
  EXPECT_EQ(used(), 1);
  in({}, [&](Scope& scope) { return snapshot_removed(scope, "h1", id); });

  EXPECT_EQ(used(), 0);
  EXPECT_FALSE(read([&](store::Transaction& tx) { return tx.exists("SELECT 1 FROM resource WHERE id = ?", id); }));
}

TEST_F(SnapshotsTest, ADeletedOneStaysForTheVolumesThatAreYetToBeMadeFromIt) {
  const auto id = completed();
  const auto volume = volume_from(id);

  remove(id);
  EXPECT_TRUE(wanted(id));
  tell_host();
  see_volume(volume);

  EXPECT_FALSE(wanted(id));
  EXPECT_TRUE(touched(id.str()));
  EXPECT_TRUE(wanted(volume));
}

TEST_F(SnapshotsTest, ADeletedOneGoesWithAVolumeThatWasDeletedBeforeItWasMade) {
  const auto id = completed();
  const auto volume = volume_from(id);
  tell_host();
  remove(id);
  tell_host();

  in(alice, [&](Scope& scope) { return volumes::remove(scope, volume); });

  EXPECT_FALSE(wanted(id));
  EXPECT_TRUE(touched(id.str()));
}

TEST_F(SnapshotsTest, OneThatAnImageIsMadeOfCannotBeDeleted) {
  const auto id = completed();
  in(alice, [&](Scope& scope) -> Result<void> {
    const auto image = scope.create_resource<ImageId>().id;
    scope.tx.execute(
        "INSERT INTO image (id, account, name, description, public, state, root_device, min_memory_mib, bytes, "
        "created_ms)"
        " VALUES (?, ?, 'n', '', 0, 'available', '/dev/sda1', 1, '', 0)",
        image, scope.account);
    scope.tx.execute(
        "INSERT INTO image_mapping (image, device, snapshot, size_gib, type, delete_on_termination)"
        " VALUES (?, '/dev/sda1', ?, 4, 'gp2', 1)",
        image, id);
    return {};
  });

  EXPECT_EQ(remove(id, alice), Code::invalid_snapshot_in_use);
}

TEST_F(SnapshotsTest, NobodyElseSeesIt) {
  const auto id = completed();

  EXPECT_EQ(remove(id, bob), Code::invalid_snapshot_not_found);
  EXPECT_EQ(try_in(bob, [&](Scope& scope) { return snapshots::create(scope, {.volume = volume_}); }).error().code,
            Code::invalid_volume_not_found);
  EXPECT_TRUE(try_in(bob, [](Scope& scope) -> Result<std::vector<Snapshot>> { return snapshots::list(scope); })
                  .value()
                  .empty());
}

TEST_F(SnapshotsTest, OneVolumeHasItsPace) {
  create();
  clock_.advance(std::chrono::seconds(14));
  EXPECT_EQ(try_create(volume_).error().code, Code::snapshot_creation_per_volume_rate_exceeded);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(try_create(volume_)) << "though the first is still pending";
}

TEST_F(SnapshotsTest, AnImageIsMadeWhateverThePace) {
  create();
  EXPECT_TRUE(
      try_in(alice, [&](Scope& scope) { return snapshots::create(scope, {.volume = volume_, .for_image = true}); }));
}

TEST_F(SnapshotsTest, TheNextOneMayFollowACompletedOneAtOnce) {
  see({.id = create(), .ready = true});

  EXPECT_TRUE(try_create(volume_));
}

TEST_F(SnapshotsTest, NeedsAVolumeThatHasBeenMade) {
  const auto fresh = volume_from({});
  EXPECT_EQ(try_create(fresh).error().code, Code::incorrect_state);
  see_volume(fresh);
  EXPECT_TRUE(try_create(fresh));

  in(alice, [&](Scope& scope) { return volumes::remove(scope, fresh); });
  EXPECT_EQ(try_create(fresh).error().code, Code::incorrect_state);
}

TEST_F(SnapshotsTest, IsAsLargeAsItsVolumeMayHaveBecomeMeanwhile) {
  const auto before = completed();
  const auto id = create();

  in(alice, [&](Scope& scope) -> Result<void> {
    TRY_VOID(modifications::begin(scope, volume_, {.size_gib = 9, .type = {}, .iops = {}, .throughput = {}}));
    return {};
  });

  EXPECT_EQ(look(id).size_gib, 9);
  EXPECT_TRUE(touched(id.str()));
  EXPECT_EQ(look(before).size_gib, 4);
}

TEST_F(SnapshotsTest, QuotaIsKept) {
  in(alice, [](Scope& scope) -> Result<void> {
    quota::set_limit(scope, quota::Name::snapshots, 1);
    return {};
  });
  completed();

  EXPECT_EQ(try_create(volume_).error().code, Code::snapshot_limit_exceeded);
}

TEST_F(SnapshotsTest, OneThatWaitsForAGuestHasNoDocumentUntilItIsOff) {
  const auto instance = InstanceId::generate(ids_);
  const auto id =
      try_in(alice, [&](Scope& scope) { return snapshots::create(scope, {.volume = volume_, .waits_for = instance}); })
          .value()
          .id;
  EXPECT_FALSE(wanted(id));
  tell_host();

  in(alice, [&](Scope& scope) -> Result<void> {
    snapshots::stop_waiting(scope, instance);
    return {};
  });

  EXPECT_TRUE(wanted(id));
  EXPECT_TRUE(touched(id.str()));
}

}  // namespace
}  // namespace virga::storage
