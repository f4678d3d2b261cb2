#include "ec2/op/CreateSnapshot.h"
#include "ec2/op/CreateVolume.h"
#include "ec2/op/DeleteSnapshot.h"
#include "ec2/op/DeleteVolume.h"
#include "ec2/op/DescribeSnapshots.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

class Snapshots : public ComputeTest {
 protected:
  VolumeId volume(int size = 2) {
    ec2::CreateVolumeRequest request;
    request.availability_zone = zone;
    request.size = size;
    const auto made = must(call<ec2::Volume>(alice, "CreateVolume", request));
    volumes_ready();
    tell_hosts();
    return VolumeId::trusted(*made.volume_id);
  }
  Result<ec2::Snapshot> try_create(const AccountId& account, const VolumeId& volume) {
    ec2::CreateSnapshotRequest request;
    request.volume_id = volume.str();
    request.description = "nightly";
    ec2::TagSpecification tags;
    tags.resource_type = "snapshot";
    tags.tags.emplace_back();
    tags.tags.back().key = "Name";
    tags.tags.back().value = "s";
    request.tag_specifications = {tags};
    return call<ec2::Snapshot>(account, "CreateSnapshot", request);
  }
  SnapshotId create(const VolumeId& of) {
    auto made = must(try_create(alice, of));
    tell_hosts();
    return SnapshotId::trusted(*made.snapshot_id);
  }
  void host_says(storage::ObservedSnapshot observed, const std::string& host = "h1") {
    must(as(alice, [&](Scope& scope) { return storage::observe_snapshot(scope, host, observed); }));
  }
  SnapshotId completed(const VolumeId& of) {
    const auto id = create(of);
    host_says({.id = id, .ready = true, .file_bytes = 4096});
    return id;
  }
  Result<ec2::DescribeSnapshotsResult> try_list(const AccountId& account,
                                                const ec2::DescribeSnapshotsRequest& request = {}) {
    return call<ec2::DescribeSnapshotsResult>(account, "DescribeSnapshots", request);
  }
  std::size_t count(const ec2::DescribeSnapshotsRequest& request) {
    return must(try_list(alice, request)).snapshots.size();
  }
  std::size_t owned_by(const std::string& owner) {
    ec2::DescribeSnapshotsRequest request;
    request.owner_ids = {owner};
    return count(request);
  }
  std::size_t restorable_by(const std::string& user) {
    ec2::DescribeSnapshotsRequest request;
    request.restorable_by_user_ids = {user};
    return count(request);
  }
  ec2::Snapshot look(const SnapshotId& id) {
    ec2::DescribeSnapshotsRequest request;
    request.snapshot_ids = {id.str()};
    return must(try_list(alice, request)).snapshots.at(0);
  }
  Result<ec2::NoOutput> remove(const AccountId& account, const std::string& id) {
    ec2::DeleteSnapshotRequest request;
    request.snapshot_id = id;
    return call<ec2::NoOutput>(account, "DeleteSnapshot", request);
  }
  Result<ec2::Volume> volume_from(const std::string& id, std::optional<int> size = {},
                                  const std::string& in_zone = std::string(zone)) {
    ec2::CreateVolumeRequest request;
    request.availability_zone = in_zone;
    request.snapshot_id = id;
    request.size = size;
    return call<ec2::Volume>(alice, "CreateVolume", request);
  }
};

TEST_F(Snapshots, AreShownAsEc2Does) {
  const auto of = volume();

  const auto made = must(try_create(alice, of));
  EXPECT_EQ(made.state, "pending");
  EXPECT_EQ(made.progress, "0%");
  EXPECT_EQ(made.volume_id, of.str());
  EXPECT_EQ(made.volume_size, 2);
  EXPECT_EQ(made.description, "nightly");
  EXPECT_EQ(made.owner_id, alice.str());
  EXPECT_EQ(made.encrypted, false);
  EXPECT_EQ(made.storage_tier, "standard");
  EXPECT_EQ(made.tags.at(0).key, "Name");
  EXPECT_EQ(made.completion_time, std::nullopt);
  const auto id = SnapshotId::trusted(*made.snapshot_id);
  host_says({.id = id, .done_bytes = 1, .total_bytes = 3});
  EXPECT_EQ(look(id).progress, "33%");
  host_says({.id = id, .ready = true, .file_bytes = 4096});

  EXPECT_EQ(look(id).state, "completed");
  EXPECT_EQ(look(id).progress, "100%");
  EXPECT_EQ(look(id).full_snapshot_size_in_bytes, 4096);
  EXPECT_EQ(look(id).completion_time, clock_.now());
  EXPECT_EQ(look(id).tags.size(), 1);
}

TEST_F(Snapshots, WhatTheHostSaysOfAFailureIsNotForTenants) {
  const auto id = create(volume());

  host_says({.id = id, .problem = std::string(storage::no_room_problem)});
  EXPECT_EQ(look(id).state, "error");
  EXPECT_EQ(look(id).state_message, std::string(storage::no_room_problem));
  const auto other = completed(volume());
  host_says({.id = other, .problem = "/var/lib/virga/snapshots: I/O error"});

  EXPECT_EQ(look(other).state, "error");
  EXPECT_EQ(look(other).state_message, "The snapshot's data is missing or cannot be read.");
}

TEST_F(Snapshots, AreTheirOwnersAlone) {
  const auto of = volume();
  const auto id = completed(of);

  EXPECT_TRUE(must(try_list(bob)).snapshots.empty());
  ec2::DescribeSnapshotsRequest request;
  request.snapshot_ids = {id.str()};
  EXPECT_EQ(try_list(bob, request).error().code, Code::invalid_snapshot_not_found);
  EXPECT_EQ(remove(bob, id.str()).error().code, Code::invalid_snapshot_not_found);
  EXPECT_EQ(try_create(bob, of).error().code, Code::invalid_volume_not_found);
}

TEST_F(Snapshots, OwnersAndUsersNarrowTheList) {
  completed(volume());

  EXPECT_EQ(owned_by("self"), 1);
  EXPECT_EQ(owned_by(alice.str()), 1);
  EXPECT_EQ(owned_by(bob.str()), 0);
  EXPECT_EQ(owned_by("amazon"), 0);
  EXPECT_EQ(restorable_by("self"), 1);
  EXPECT_EQ(restorable_by(alice.str()), 1);
  EXPECT_EQ(restorable_by("all"), 0) << "none is public";
  EXPECT_EQ(restorable_by(bob.str()), 0);
  ec2::DescribeSnapshotsRequest request;
  request.owner_ids = {"somebody"};
  EXPECT_EQ(try_list(alice, request).error().code, Code::invalid_user_id_malformed);
  request.owner_ids = {};
  request.restorable_by_user_ids = {"somebody"};
  EXPECT_EQ(try_list(alice, request).error().code, Code::invalid_user_id_malformed);
}

TEST_F(Snapshots, IdsThatAreNone) {
  EXPECT_EQ(remove(alice, "snap-1").error().code, Code::invalid_snapshot_id_malformed);
  EXPECT_EQ(remove(alice, "snap-00000000000000000").error().code, Code::invalid_snapshot_not_found);
  EXPECT_EQ(try_create(alice, VolumeId::trusted("vol-00000000000000000")).error().code, Code::invalid_volume_not_found);
  EXPECT_EQ(volume_from("vol-1").error().code, Code::invalid_snapshot_id_malformed);
  EXPECT_EQ(volume_from("snap-00000000000000000").error().code, Code::invalid_snapshot_not_found);
}

TEST_F(Snapshots, OtherPlacesThanTheRegionAreRefused) {
  ec2::CreateSnapshotRequest request;
  request.volume_id = volume().str();
  request.location = "local";
  EXPECT_EQ(call<ec2::Snapshot>(alice, "CreateSnapshot", request).error().code, Code::unsupported_operation);
  request.location = "regional";
  EXPECT_TRUE((call<ec2::Snapshot>(alice, "CreateSnapshot", request)));
  request.description = std::string(256, 'd');
  EXPECT_EQ((call<ec2::Snapshot>(alice, "CreateSnapshot", request)).error().code, Code::invalid_parameter_value);
}

TEST_F(Snapshots, AVolumeFromOneIsAsLargeOrLarger) {
  const auto id = completed(volume(2));

  const auto same = must(volume_from(id.str()));
  EXPECT_EQ(same.size, 2);
  EXPECT_EQ(same.snapshot_id, id.str());
  EXPECT_EQ(must(volume_from(id.str(), 3)).size, 3);
  EXPECT_EQ(volume_from(id.str(), 1).error().code, Code::invalid_parameter_value);
}

TEST_F(Snapshots, AVolumeNeedsACompletedOne) {
  const auto id = create(volume());

  EXPECT_EQ(volume_from(id.str()).error().code, Code::incorrect_state);
  host_says({.id = id, .problem = std::string(storage::no_room_problem)});
  EXPECT_EQ(volume_from(id.str()).error().code, Code::incorrect_state);
}

TEST_F(Snapshots, AVolumeGoesToTheHostThatHasTheSnapshot) {
  const auto id = completed(volume());
  add_host("h2", R"(["us-east-1a", "us-east-1b"])", 64, 65536, 100000);

  const auto made = VolumeId::trusted(*must(volume_from(id.str())).volume_id);

  const auto wanted = ask(alice, [&](Scope& scope) { return storage::wanted_volume(scope.tx, made); });
  EXPECT_EQ(wanted->snapshot, id);
  EXPECT_EQ(wanted->image, ImageId());
  EXPECT_EQ(ask(alice, [&](Scope& scope) { return storage::host_of_volume(scope.tx, made); }), "h1");
  EXPECT_EQ(volume_from(id.str(), {}, "us-east-1b").error().code, Code::insufficient_volume_capacity)
      << "only h2 serves that zone";
}

TEST_F(Snapshots, TheVolumeMayBeDeletedMeanwhile) {
  const auto of = volume();
  const auto id = create(of);

  ec2::DeleteVolumeRequest request;
  request.volume_id = of.str();
  must(call<ec2::NoOutput>(alice, "DeleteVolume", request));
  host_says({.id = id, .ready = true});

  EXPECT_EQ(look(id).state, "completed");
  EXPECT_EQ(look(id).volume_id, of.str());
}

TEST_F(Snapshots, ADeletedOneIsGoneAtOnceAndItsVolumesStay) {
  const auto id = completed(volume());
  const auto made = VolumeId::trusted(*must(volume_from(id.str())).volume_id);
  volumes_ready();

  must(remove(alice, id.str()));

  EXPECT_TRUE(must(try_list(alice)).snapshots.empty());
  EXPECT_EQ(volume_from(id.str()).error().code, Code::invalid_snapshot_not_found);
  EXPECT_EQ(ask(alice, [&](Scope& scope) { return must(storage::volumes::find(scope, made)).snapshot; }), id);
}

}  // namespace
}  // namespace virga::api
