#include "ec2/op/AttachVolume.h"
#include "ec2/op/CreateVolume.h"
#include "ec2/op/DeleteVolume.h"
#include "ec2/op/DetachVolume.h"
#include "ec2/op/StopInstances.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using compute::GuestState;
using quota::Name;

class Volumes : public ComputeTest {
 protected:
  Result<ec2::Volume> try_create(int size, const std::string& in_zone = std::string(zone)) {
    ec2::CreateVolumeRequest request;
    request.availability_zone = in_zone;
    request.size = size;
    return call<ec2::Volume>(alice, "CreateVolume", request);
  }
  VolumeId create(int size = 2) { return VolumeId::trusted(*must(try_create(size)).volume_id); }
  VolumeId available() {
    const auto id = create();
    volumes_ready();
    return id;
  }
  Result<ec2::VolumeAttachment> attach(const VolumeId& volume, const InstanceId& instance,
                                       const std::string& device = "/dev/sdf") {
    ec2::AttachVolumeRequest request;
    request.volume_id = volume.str();
    request.instance_id = instance.str();
    request.device = device;
    return call<ec2::VolumeAttachment>(alice, "AttachVolume", request);
  }
  Result<ec2::VolumeAttachment> detach(const VolumeId& volume, bool force = false) {
    ec2::DetachVolumeRequest request;
    request.volume_id = volume.str();
    if (force) request.force = true;
    return call<ec2::VolumeAttachment>(alice, "DetachVolume", request);
  }
  Result<ec2::NoOutput> remove(const AccountId& account, const VolumeId& volume) {
    ec2::DeleteVolumeRequest request;
    request.volume_id = volume.str();
    return call<ec2::NoOutput>(account, "DeleteVolume", request);
  }
  ec2::Volume look(const VolumeId& id) {
    ec2::DescribeVolumesRequest request;
    request.volume_ids = {id.str()};
    return must(call<ec2::DescribeVolumesResult>(alice, "DescribeVolumes", request)).volumes.at(0);
  }
  void host_freed(const VolumeId& id) {
    must(as(alice, [&](Scope& scope) { return storage::volume_removed(scope, "h1", id); }));
  }
  compute::ObservedInstance running_with(const InstanceId& id, std::vector<compute::ObservedDisk> disks) {
    return {.id = id,
            .generation = generation(id),
            .start_number = 1,
            .state = GuestState::running,
            .exit_reason = compute::ExitReason::none,
            .disks = std::move(disks),
            .problem = {}};
  }
};

TEST_F(Volumes, IsCreatingUntilItsHostHasIt) {
  const auto id = create();
  EXPECT_EQ(*look(id).state, "creating");

  volumes_ready();

  EXPECT_EQ(*look(id).state, "available");
  EXPECT_EQ(*look(id).volume_type, "gp2");
  EXPECT_EQ(*look(id).iops, 100);
}

TEST_F(Volumes, CreateCountsQuotaAndRefusesWhatDoesNotFit) {
  create(5);
  EXPECT_EQ(used(Name::volume_gib), 5);
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 5);

  EXPECT_EQ(try_create(0).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(try_create(996).error().code, Code::insufficient_volume_capacity);
  EXPECT_EQ(try_create(1, "us-east-1b").error().code, Code::insufficient_volume_capacity);
  EXPECT_EQ(try_create(1, "mars-1a").error().code, Code::invalid_zone_not_found);
  EXPECT_EQ(used(Name::volumes), 1);
}

TEST_F(Volumes, AttachGoesThroughAttachingWhileTheGuestRuns) {
  const auto instance = running();
  const auto volume = available();

  EXPECT_EQ(*must(attach(volume, instance)).state, "attaching");
  EXPECT_EQ(*look(volume).state, "in-use");
  EXPECT_EQ(document(instance)->disks.size(), 2U);
  EXPECT_EQ(document(instance)->disks[1].slot, 1);
  EXPECT_EQ(document(instance)->metadata.block_devices.at("ebs1"), "sdf");
  tell_hosts();
  observe(running_with(instance, {{volume, false, ""}}));
  EXPECT_EQ(*look(volume).attachments.at(0).state, "attaching");
  observe(running_with(instance, {{volume, true, ""}}));

  EXPECT_EQ(*look(volume).attachments.at(0).state, "attached");
}

TEST_F(Volumes, DetachEndsOnlyWithAWordAboutTheNewDocument) {
  const auto instance = running();
  const auto volume = available();
  must(attach(volume, instance));
  tell_hosts();
  observe(running_with(instance, {{volume, true, ""}}));
  const auto before_detach = running_with(instance, {});

  EXPECT_EQ(*must(detach(volume)).state, "detaching");
  EXPECT_EQ(document(instance)->disks.size(), 1U);
  observe(before_detach);
  EXPECT_EQ(*look(volume).attachments.at(0).state, "detaching");
  tell_hosts();
  observe(before_detach);
  EXPECT_EQ(*look(volume).attachments.at(0).state, "detaching");
  observe(running_with(instance, {{volume, true, ""}}));
  EXPECT_EQ(*look(volume).attachments.at(0).state, "detaching");
  observe(running_with(instance, {}));

  EXPECT_EQ(*look(volume).state, "available");
  EXPECT_TRUE(look(volume).attachments.empty());
}

TEST_F(Volumes, AForcedDetachAsksTheGuestAndWaitsForIt) {
  const auto instance = running();
  const auto volume = available();
  must(attach(volume, instance));
  tell_hosts();
  observe(running_with(instance, {{volume, true, ""}}));

  EXPECT_EQ(*must(detach(volume)).state, "detaching");
  EXPECT_EQ(*must(detach(volume, true)).state, "detaching");
  tell_hosts();
  observe(running_with(instance, {{volume, true, "The guest keeps it."}}));
  EXPECT_EQ(*look(volume).attachments.at(0).state, "detaching");
  EXPECT_EQ(remove(alice, volume).error().code, Code::volume_in_use);
  must(call<ec2::StopInstancesResult>(alice, "StopInstances", naming<ec2::StopInstancesRequest>(instance)));
  observe(instance, GuestState::stopped);

  EXPECT_EQ(*look(volume).state, "available");
}

TEST_F(Volumes, StoppedInstanceTakesAndGivesBackVolumesAtOnce) {
  const auto instance = running();
  const auto volume = available();
  must(call<ec2::StopInstancesResult>(alice, "StopInstances", naming<ec2::StopInstancesRequest>(instance)));
  observe(instance, GuestState::stopped);

  EXPECT_EQ(*must(attach(volume, instance)).state, "attached");
  EXPECT_EQ(*must(detach(volume)).state, "detaching");

  EXPECT_EQ(*look(volume).state, "available");
}

TEST_F(Volumes, AttachRefusesWhatCannotBe) {
  const auto instance = running();
  const auto pending = run_one();
  const auto volume = available();
  const auto second = available();

  EXPECT_EQ(attach(volume, pending).error().code, Code::incorrect_state);
  EXPECT_EQ(attach(volume, instance, "/dev/sda1").error().code, Code::invalid_parameter_value);
  EXPECT_EQ(attach(create(), instance).error().code, Code::incorrect_state);
  must(attach(volume, instance));
  EXPECT_EQ(attach(volume, instance, "/dev/sdg").error().code, Code::volume_in_use);
  const auto device = attach(second, instance).error();
  EXPECT_EQ(device.code, Code::invalid_parameter_value);
  EXPECT_NE(device.message.find("already in use"), std::string::npos);
}

TEST_F(Volumes, AttachAcrossZonesIsRefused) {
  add_host("h2", R"(["us-east-1b"])", 8, 8192, 100);
  const auto instance = running();
  const auto elsewhere = VolumeId::trusted(*must(try_create(1, "us-east-1b")).volume_id);
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE volume SET state = 'available'"); });

  EXPECT_EQ(attach(elsewhere, instance).error().code, Code::invalid_volume_zone_mismatch);
}

TEST_F(Volumes, AnInstanceTakesTwentyFiveVolumesBesideItsRoot) {
  const auto instance = running();
  for (char letter = 'b'; letter <= 'z'; ++letter) must(attach(available(), instance, std::string("/dev/sd") + letter));

  EXPECT_EQ(attach(available(), instance, "/dev/sdb1").error().code, Code::attachment_limit_exceeded);
}

TEST_F(Volumes, DetachOfWhatIsNotAttachedOrIsTheRootIsRefused) {
  const auto instance = running();
  const auto volume = available();

  EXPECT_EQ(detach(volume).error().code, Code::incorrect_state);
  const auto root = VolumeId::trusted(*find(instance).block_device_mappings.at(0).ebs->volume_id);
  EXPECT_EQ(detach(root).error().code, Code::operation_not_permitted);
}

TEST_F(Volumes, DeleteIsOverWhenTheHostHasFreedIt) {
  const auto id = available();
  tell_hosts();

  must(remove(alice, id));
  EXPECT_EQ(*look(id).state, "deleting");
  EXPECT_EQ(used(Name::volume_gib), 2);
  host_freed(id);

  EXPECT_EQ(remove(alice, id).error().code, Code::invalid_volume_not_found);
  EXPECT_EQ(used(Name::volume_gib), 0);
  EXPECT_EQ(used(Name::volumes), 0);
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 0);
}

TEST_F(Volumes, AttachedVolumesAreNotDeleted) {
  const auto instance = running();
  const auto id = available();
  must(attach(id, instance));

  EXPECT_EQ(remove(alice, id).error().code, Code::volume_in_use);
}

TEST_F(Volumes, OtherAccountsVolumesDoNotExist) {
  const auto id = available();

  EXPECT_EQ(remove(bob, id).error().code, Code::invalid_volume_not_found);
  EXPECT_EQ(*look(id).state, "available");
}

TEST_F(Volumes, AHostsWordAboutAnotherHostsVolumeIsIgnored) {
  const auto id = create();

  must(as(alice, [&](Scope& scope) { return storage::observe_volume(scope, "h2", {id, 1, true, 0, 0, ""}); }));

  EXPECT_EQ(*look(id).state, "creating");
}

}  // namespace
}  // namespace virga::api
