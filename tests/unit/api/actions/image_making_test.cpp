#include "ec2/op/StartInstances.h"
#include "ec2/op/StopInstances.h"
#include "tests/unit/api/actions/image_fixture.h"

namespace virga::api {
namespace {

using compute::GuestState;
using compute::Power;

class CreateImage : public ImageTest {
 protected:
  /// A launch with a data volume beside the root volume.
  InstanceId guest_with_data() {
    auto request = launch();
    request.block_device_mappings = {mapping("/dev/sdf")};
    request.block_device_mappings[0].ebs->volume_size = 3;
    request.block_device_mappings[0].ebs->volume_type = "gp3";
    const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
    observe(id, GuestState::running);
    volumes_ready();
    return id;
  }
  void stop(const InstanceId& id) {
    must(call<ec2::StopInstancesResult>(alice, "StopInstances", naming<ec2::StopInstancesRequest>(id)));
  }
  void start(const InstanceId& id) {
    must(call<ec2::StartInstancesResult>(alice, "StartInstances", naming<ec2::StartInstancesRequest>(id)));
  }
  /// Held for an image, and off.
  InstanceId held() {
    const auto guest = ready_guest();
    image_made_ = make(of(guest, "made", false));
    observe(guest, GuestState::stopped);
    return guest;
  }
  bool is_held(const InstanceId& id) {
    return !ask(alice, [&](Scope& scope) { return must(compute::instances::find(scope, id)); }).image_hold.empty();
  }

  ImageId image_made_;
};

TEST_F(CreateImage, IsPendingUntilAllSnapshotsAreCompletedAndMapsThemThen) {
  const auto guest = guest_with_data();

  const auto id = make(of(guest));

  EXPECT_EQ(image_state(id), "pending");
  EXPECT_TRUE(look(id).block_device_mappings.empty());
  ASSERT_EQ(snapshots().size(), 2U);
  host_says(snapshots()[0].id, true);
  after_a_look();
  EXPECT_EQ(image_state(id), "pending");
  host_says(snapshots()[1].id, true);
  after_a_look();

  const auto image = look(id);
  EXPECT_EQ(*image.state, "available");
  EXPECT_EQ(image.source_instance_id, guest.str());
  EXPECT_EQ(image.source_image_id, std::nullopt);
  EXPECT_EQ(image.image_owner_alias, std::nullopt);
  ASSERT_EQ(image.block_device_mappings.size(), 2U);
  EXPECT_EQ(*image.block_device_mappings[0].device_name, *image.root_device_name);
  const auto& data = *image.block_device_mappings[1].ebs;
  EXPECT_EQ(*image.block_device_mappings[1].device_name, "/dev/sdf");
  EXPECT_EQ(*data.volume_size, 3);
  EXPECT_EQ(*data.volume_type, "gp3");
  EXPECT_EQ(*data.iops, 3000);
  EXPECT_EQ(snapshots()[0].description.find("Created by CreateImage(" + guest.str() + ") for " + id.str()), 0U);
  EXPECT_EQ(state(guest), "running");
  EXPECT_EQ(document(guest)->power, Power::running) << "NoReboot";
}

TEST_F(CreateImage, HonoursTagsOfImageAndSnapshots) {
  auto request = of(ready_guest());
  for (const auto* type : {"image", "snapshot"}) {
    auto& tags = request.tag_specifications.emplace_back();
    tags.resource_type = type;
    tags.tags = {{"kind", type}};
  }

  const auto id = make(request);

  const auto tags = [&](const std::string& of_what) {
    return ask(alice, [&](Scope& scope) { return tags::of(scope, of_what); });
  };
  EXPECT_EQ(tags(id.str()).at("kind"), "image");
  EXPECT_EQ(tags(snapshots()[0].id.str()).at("kind"), "snapshot");
  request.tag_specifications[0].resource_type = "volume";
  EXPECT_EQ(try_make(request).error().code, Code::invalid_parameter_value);
}

TEST_F(CreateImage, TheRequestsMappingsLeaveOutChangeAndAddVolumes) {
  auto request = of(guest_with_data());
  auto root = mapping("/dev/sda1");
  root.ebs->volume_size = 20;
  root.ebs->delete_on_termination = false;
  auto more = mapping("/dev/sdg");
  more.ebs->volume_size = 5;
  request.block_device_mappings = {without("/dev/sdf"), root, more};

  const auto id = make(request);
  copy_all();

  EXPECT_EQ(snapshots().size(), 1U);
  const auto mappings = look(id).block_device_mappings;
  ASSERT_EQ(mappings.size(), 2U);
  EXPECT_EQ(*mappings[0].ebs->volume_size, 20);
  EXPECT_FALSE(*mappings[0].ebs->delete_on_termination);
  EXPECT_EQ(*mappings[1].device_name, "/dev/sdg");
  EXPECT_EQ(mappings[1].ebs->snapshot_id, std::nullopt);
}

TEST_F(CreateImage, RefusesWhatCannotBe) {
  const auto guest = ready_guest();
  auto request = of(guest);
  request.block_device_mappings = {without("/dev/sda1")};
  EXPECT_EQ(try_make(request).error().code, Code::invalid_block_device_mapping);
  request.block_device_mappings = {mapping("/dev/sda1")};
  request.block_device_mappings[0].ebs->snapshot_id = "snap-0123456789abcdef0";
  EXPECT_EQ(try_make(request).error().code, Code::invalid_block_device_mapping);
  request.block_device_mappings = {mapping("/dev/sdf")};
  EXPECT_EQ(try_make(request).error().code, Code::missing_parameter);
  EXPECT_EQ(try_make(of(guest, "tiny")).error().code, Code::invalid_ami_name_duplicate);
  EXPECT_EQ(try_make(of(InstanceId::trusted("i-0123456789abcdef0"))).error().code, Code::invalid_instance_id_not_found);
  EXPECT_EQ(call<ec2::CreateImageResult>(bob, "CreateImage", of(guest)).error().code,
            Code::invalid_instance_id_not_found);
  ask(alice, [](Scope& scope) {
    quota::set_limit(scope, quota::Name::snapshots, 0);
    return 0;
  });
  EXPECT_EQ(try_make(of(guest)).error().code, Code::snapshot_limit_exceeded);
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(number("SELECT count(*) FROM image"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM resource WHERE type = 'image'"), 1);

  stop(guest);
  EXPECT_EQ(try_make(of(guest)).error().code, Code::incorrect_instance_state);
}

TEST_F(CreateImage, FailsWithASnapshotOfItsOwn) {
  const auto id = make(of(ready_guest()));

  host_says(snapshots()[0].id, false, std::string(storage::no_room_problem));
  after_a_look();

  EXPECT_EQ(image_state(id), "failed");
  EXPECT_EQ(*look(id).state_reason->code, "Server.InsufficientVolumeCapacity");
  auto request = launch();
  request.image_id = id.str();
  EXPECT_EQ(try_run(request).error().code, Code::invalid_ami_id_unavailable);
}

TEST_F(CreateImage, OfAStoppedInstanceCopiesAtOnceAndStartsNothing) {
  const auto guest = ready_guest();
  stop(guest);
  observe(guest, GuestState::stopped);

  const auto id = make(of(guest, "made", false));

  EXPECT_EQ(told_snapshots().size(), 1U);
  EXPECT_FALSE(is_held(guest));
  copy_all();
  EXPECT_EQ(image_state(id), "available");
  EXPECT_EQ(state(guest), "stopped");
  EXPECT_EQ(document(guest)->power, Power::stopped);
}

TEST_F(CreateImage, ARebootStopsTheGuestCopiesAndStartsItAgain) {
  const auto guest = ready_guest();
  const auto before = *document(guest);

  const auto id = make(of(guest, "made", false));

  EXPECT_EQ(state(guest), "running");
  EXPECT_EQ(document(guest)->power, Power::stopped);
  EXPECT_TRUE(told_snapshots().empty()) << "nothing is copied while the guest runs";
  observe(guest, GuestState::stopping);
  after_a_look();
  EXPECT_TRUE(told_snapshots().empty());

  observe(guest, GuestState::stopped);
  after_a_look();
  EXPECT_EQ(state(guest), "running");
  EXPECT_EQ(told_snapshots().size(), 1U);
  EXPECT_EQ(document(guest)->power, Power::stopped) << "until all is copied";

  copy_all();
  const auto after = *document(guest);
  EXPECT_EQ(image_state(id), "available");
  EXPECT_EQ(after.power, Power::running);
  EXPECT_EQ(after.start_number, before.start_number + 1);
  EXPECT_EQ(find(guest).launch_time, find(guest).launch_time);
  EXPECT_EQ(used(quota::Name::vcpus), 2);
}

TEST_F(CreateImage, OnlyTheHostsWordUnderTheNewDocumentLetsTheCopyBegin) {
  const auto guest = ready_guest();
  tell_hosts();
  const auto old = generation(guest);
  make(of(guest, "made", false));

  observe(compute::ObservedInstance{
      .id = guest, .generation = old, .start_number = 1, .state = GuestState::stopped, .disks = {}, .problem = {}});
  EXPECT_TRUE(told_snapshots().empty()) << "not told yet";
  tell_hosts();
  observe(compute::ObservedInstance{
      .id = guest, .generation = old, .start_number = 1, .state = GuestState::exited, .disks = {}, .problem = {}});
  EXPECT_TRUE(told_snapshots().empty()) << "it may be started by the document before";
  EXPECT_EQ(state(guest), "running");
}

TEST_F(CreateImage, AStopMeanwhileWins) {
  const auto guest = held();

  stop(guest);
  EXPECT_EQ(state(guest), "stopping");
  observe(guest, GuestState::stopped);
  EXPECT_EQ(state(guest), "stopped");
  EXPECT_EQ(used(quota::Name::vcpus), 0);
  copy_all();

  EXPECT_EQ(state(guest), "stopped");
  EXPECT_EQ(document(guest)->power, Power::stopped);
  EXPECT_FALSE(is_held(guest));
  EXPECT_EQ(image_state(image_made_), "available");
}

TEST_F(CreateImage, AStartMeanwhileWaitsForTheCopy) {
  const auto guest = held();
  stop(guest);
  observe(guest, GuestState::stopped);

  start(guest);
  const auto number = document(guest)->start_number;
  observe(guest, GuestState::stopped);
  EXPECT_EQ(state(guest), "pending");
  EXPECT_EQ(document(guest)->power, Power::stopped);
  copy_all();

  EXPECT_EQ(document(guest)->power, Power::running);
  EXPECT_EQ(document(guest)->start_number, number);
  observe(guest, GuestState::running);
  EXPECT_EQ(state(guest), "running");
}

TEST_F(CreateImage, ATerminationBeforeTheCopyFailsTheImage) {
  const auto guest = ready_guest();
  const auto id = make(of(guest, "made", false));

  terminate(guest);
  after_a_look();
  removed(guest);

  EXPECT_EQ(state(guest), "terminated");
  EXPECT_EQ(snapshots()[0].state, storage::SnapshotState::error);
  after_a_look();
  EXPECT_EQ(image_state(id), "failed");
  EXPECT_EQ(number("SELECT count(*) FROM snapshot WHERE waits_for IS NOT NULL"), 0);
}

TEST_F(CreateImage, ATerminationDuringTheCopyLetsTheImageBeMade) {
  const auto guest = held();

  terminate(guest);
  after_a_look();
  removed(guest);
  copy_all();

  EXPECT_EQ(state(guest), "terminated");
  EXPECT_EQ(image_state(image_made_), "available");
}

TEST_F(CreateImage, ADeregistrationMeanwhileEndsTheHoldAsTheCopyDoes) {
  const auto guest = held();
  ec2::DeregisterImageRequest request;
  request.image_id = image_made_.str();
  request.delete_associated_snapshots = true;

  const auto answer = must(call<ec2::DeregisterImageResult>(alice, "DeregisterImage", request));
  after_a_look();

  EXPECT_EQ(*answer.delete_snapshot_results.at(0).return_code, "success");
  EXPECT_EQ(document(guest)->power, Power::running);
  EXPECT_TRUE(snapshots().empty());
}

TEST_F(CreateImage, AVolumeTakenAwayMeanwhileKeepsNobodyWaiting) {
  const auto guest = ready_guest();
  make(of(guest, "made", false));
  ask(alice, [](Scope& scope) { return scope.tx.execute("DELETE FROM volume_attachment"); });

  after_a_look();

  EXPECT_FALSE(is_held(guest));
  EXPECT_EQ(told_snapshots().size(), 1U);
}

TEST_F(CreateImage, AFailedCopyStartsTheGuestAgain) {
  const auto guest = held();

  host_says(snapshots()[0].id, false, std::string(storage::no_room_problem));
  after_a_look();

  EXPECT_EQ(image_state(image_made_), "failed");
  EXPECT_EQ(document(guest)->power, Power::running);
}

}  // namespace
}  // namespace virga::api
