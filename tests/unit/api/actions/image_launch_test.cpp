#include "storage/modifications.h"
#include "tests/unit/api/actions/image_fixture.h"

namespace virga::api {
namespace {

class ImageLaunch : public ImageTest {
 protected:
  /// An image of a guest with a data volume of 3 GiB on /dev/sdf.
  ImageId image_with_data() {
    auto request = launch();
    request.block_device_mappings = {mapping("/dev/sdf")};
    request.block_device_mappings[0].ebs->volume_size = 3;
    const auto guest = InstanceId::trusted(*run(request).instances.at(0).instance_id);
    observe(guest, compute::GuestState::running);
    volumes_ready();
    const auto id = make(of(guest));
    copy_all();
    return id;
  }
  ec2::RunInstancesRequest launch_of(const ImageId& id) const {
    auto request = launch();
    request.image_id = id.str();
    return request;
  }
  /// The volumes of a launch, by device.
  std::map<std::string, storage::Volume> volumes_of(const ec2::RunInstancesRequest& request) {
    const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
    return ask(alice, [&](Scope& scope) {
      std::map<std::string, storage::Volume> found;
      for (const auto& attachment : storage::attachments::of_instance(scope, id))
        found.emplace(attachment.device, must(storage::volumes::find(scope, attachment.volume)));
      return found;
    });
  }
  SnapshotId snapshot_of(const ImageId& id, const std::string& device) {
    for (const auto& mapping : look(id).block_device_mappings)
      if (mapping.device_name == device) return SnapshotId::trusted(*mapping.ebs->snapshot_id);
    return {};
  }
  Result<ec2::Reservation> try_run_as_bob(const ImageId& id) {
    return call<ec2::Reservation>(bob, "RunInstances", launch_of(id));
  }
};

TEST_F(ImageLaunch, MakesTheVolumesOfTheImageFromItsSnapshots) {
  const auto id = image_with_data();

  const auto volumes = volumes_of(launch_of(id));

  ASSERT_EQ(volumes.size(), 2U);
  EXPECT_EQ(volumes.at("/dev/sda1").snapshot, snapshot_of(id, "/dev/sda1"));
  EXPECT_TRUE(volumes.at("/dev/sda1").image.empty());
  EXPECT_EQ(volumes.at("/dev/sdf").snapshot, snapshot_of(id, "/dev/sdf"));
  EXPECT_EQ(volumes.at("/dev/sdf").size_gib, 3);
  EXPECT_NE(look(id).last_launched_time, std::nullopt);
}

TEST_F(ImageLaunch, FollowsAVolumeThatGrewWhileItWasCopied) {
  const auto guest = ready_guest();
  const auto id = make(of(guest));
  const auto volume = ask(alice, [&](Scope& scope) {
    return storage::attachments::of_instance(scope, guest).at(0).volume;
  });
  must(as(alice, [&](Scope& scope) {
    return storage::modifications::begin(scope, volume, {.size_gib = 9, .type = {}, .iops = {}, .throughput = {}});
  }));
  copy_all();

  EXPECT_EQ(*look(id).block_device_mappings.at(0).ebs->volume_size, 9);
  EXPECT_EQ(volumes_of(launch_of(id)).at("/dev/sda1").size_gib, 9);
}

TEST_F(ImageLaunch, TheRequestChangesSizeTypeAndFateAndLeavesOut) {
  const auto id = image_with_data();
  auto request = launch_of(id);
  request.block_device_mappings = {mapping("/dev/sda1"), mapping("/dev/sdf"), mapping("/dev/sdg")};
  request.block_device_mappings[0].ebs->volume_size = 9;
  request.block_device_mappings[0].ebs->volume_type = "gp3";
  request.block_device_mappings[1].ebs->delete_on_termination = false;
  request.block_device_mappings[2].ebs->snapshot_id = snapshot_of(id, "/dev/sdf").str();

  const auto volumes = volumes_of(request);

  EXPECT_EQ(volumes.at("/dev/sda1").size_gib, 9);
  EXPECT_EQ(volumes.at("/dev/sda1").iops, 3000);
  EXPECT_FALSE(volumes.at("/dev/sdf").attachment->delete_on_termination);
  EXPECT_EQ(volumes.at("/dev/sdf").size_gib, 3);
  EXPECT_EQ(volumes.at("/dev/sdg").snapshot, snapshot_of(id, "/dev/sdf"));
  EXPECT_EQ(volumes.at("/dev/sdg").size_gib, 3);

  request.block_device_mappings = {without("/dev/sdf")};
  EXPECT_EQ(volumes_of(request).size(), 1U);
}

TEST_F(ImageLaunch, RefusesVolumesSmallerThanTheirSnapshotsAndSnapshotsThatAreNotThere) {
  const auto id = image_with_data();
  auto request = launch_of(id);
  request.block_device_mappings = {mapping("/dev/sdf")};
  request.block_device_mappings[0].ebs->volume_size = 2;
  EXPECT_EQ(try_run(request).error().code, Code::invalid_block_device_mapping);
  request.block_device_mappings = {mapping("/dev/sdh")};
  request.block_device_mappings[0].ebs->snapshot_id = "snap-0123456789abcdef0";
  EXPECT_EQ(try_run(request).error().code, Code::invalid_snapshot_not_found);
  request.block_device_mappings[0].ebs->snapshot_id = "snap-x";
  EXPECT_EQ(try_run(request).error().code, Code::invalid_snapshot_id_malformed);
  request.block_device_mappings = {mapping("/dev/sda1")};
  request.block_device_mappings[0].ebs->snapshot_id = snapshot_of(id, "/dev/sdf").str();
  EXPECT_EQ(try_run(request).error().code, Code::invalid_block_device_mapping);
}

TEST_F(ImageLaunch, ASnapshotThatIsPendingCannotBeUsed) {
  make(of(ready_guest()));
  auto request = launch();
  request.block_device_mappings = {mapping("/dev/sdf")};
  request.block_device_mappings[0].ebs->snapshot_id = snapshots().at(0).id.str();

  EXPECT_EQ(try_run(request).error().code, Code::incorrect_state);
}

TEST_F(ImageLaunch, GoesOnlyToTheHostThatHasTheSnapshots) {
  const auto id = image_with_data();
  add_host("h2", R"(["us-east-1a"])", 64, 999999, 1000);
  observe_image("h2");

  const auto guest = InstanceId::trusted(*run(launch_of(id)).instances.at(0).instance_id);

  EXPECT_EQ(ask(alice, [&](Scope& scope) { return must(compute::instances::find(scope, guest)); }).spec.host, "h1");
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE host SET state = 'down' WHERE name = 'h1'"); });
  EXPECT_EQ(try_run(launch_of(id)).error().code, Code::insufficient_instance_capacity);
  EXPECT_TRUE(try_run(launch())) << "the imported image is on the other host too";
}

class Threat_B01_Images : public ImageLaunch {};
TEST_F(Threat_B01_Images, APrivateImageAndItsSnapshotsAreNobodyElses) {
  const auto id = image_with_data();
  const auto root = snapshot_of(id, "/dev/sda1");

  EXPECT_EQ(look(bob, id).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(try_run_as_bob(id).error().code, Code::invalid_ami_id_not_found);
  auto request = launch();
  request.block_device_mappings = {mapping("/dev/sdf")};
  request.block_device_mappings[0].ebs->snapshot_id = root.str();
  EXPECT_EQ(call<ec2::Reservation>(bob, "RunInstances", request).error().code, Code::invalid_snapshot_not_found);
  ec2::RegisterImageRequest own;
  own.name = "stolen";
  own.block_device_mappings = {mapping("/dev/sda1")};
  own.block_device_mappings[0].ebs->snapshot_id = root.str();
  EXPECT_EQ(register_image(bob, own).error().code, Code::invalid_snapshot_not_found);
}

TEST_F(Threat_B01_Images, ASharedImageIsLaunchedFromButGivesNobodyItsSnapshots) {
  const auto id = image_with_data();
  must(as(alice, [&](Scope& scope) { return storage::images::share(scope, id, bob); }));

  EXPECT_TRUE(try_run_as_bob(id));
  EXPECT_NE(look(id).source_instance_id, std::nullopt);
  EXPECT_EQ(must(look(bob, id)).source_instance_id, std::nullopt) << "it is alice's";
  ec2::RegisterImageRequest copy;
  copy.name = "copy";
  copy.image_location = id.str();
  EXPECT_EQ(register_image(bob, copy).error().code, Code::invalid_snapshot_not_found)
      << "its owner could never delete the snapshot";
  ec2::DeregisterImageRequest request;
  request.image_id = id.str();
  EXPECT_EQ(call<ec2::DeregisterImageResult>(bob, "DeregisterImage", request).error().code, Code::auth_failure);
  must(as(alice, [&](Scope& scope) { return storage::images::unshare(scope, id, bob); }));
  EXPECT_EQ(try_run_as_bob(id).error().code, Code::invalid_ami_id_not_found);
}

class RegisterImage : public ImageLaunch {};

TEST_F(RegisterImage, MakesAnImageOfASnapshotWithWhatTheRequestSays) {
  const auto snapshot = snapshot_of(available(), "/dev/sda1");
  ec2::RegisterImageRequest request;
  request.name = "registered";
  request.root_device_name = "/dev/xvda";
  request.imds_support = "v2.0";
  request.ena_support = true;
  request.sriov_net_support = "simple";
  request.boot_mode = "legacy-bios";
  request.block_device_mappings = {mapping("/dev/sdb"), mapping("/dev/xvda")};
  request.block_device_mappings[0].ebs->volume_size = 4;
  auto& root = *request.block_device_mappings[1].ebs;
  root.snapshot_id = snapshot.str();
  root.volume_type = "gp3";
  root.iops = 4000;
  root.throughput = 200;
  root.volume_size = 8;

  const auto id = ImageId::trusted(*must(register_image(alice, request)).image_id);

  const auto image = look(id);
  EXPECT_EQ(*image.state, "available");
  EXPECT_EQ(*image.imds_support, "v2.0");
  EXPECT_TRUE(*image.ena_support);
  EXPECT_EQ(*image.sriov_net_support, "simple");
  EXPECT_EQ(*image.boot_mode, "legacy-bios");
  EXPECT_EQ(image.source_instance_id, std::nullopt);
  const auto& shown = *image.block_device_mappings.at(0).ebs;
  EXPECT_EQ(*image.block_device_mappings.at(0).device_name, "/dev/xvda");
  EXPECT_EQ(*shown.snapshot_id, snapshot.str());
  EXPECT_EQ(*shown.iops, 4000);
  EXPECT_EQ(*shown.throughput, 200);
  const auto volumes = volumes_of(launch_of(id));
  EXPECT_EQ(volumes.at("/dev/xvda").iops, 4000);
  EXPECT_EQ(volumes.at("/dev/sdb").size_gib, 4);
}

TEST_F(RegisterImage, ImdsSupportDecidesTheDefaultsOfALaunch) {
  const auto id = available();
  must(as(alice, [&](Scope& scope) { return storage::images::require_imds_v2(scope, id); }));

  const auto options = [&](const ec2::RunInstancesRequest& request) {
    return find(InstanceId::trusted(*run(request).instances.at(0).instance_id)).metadata_options.value();
  };
  EXPECT_EQ(*options(launch_of(id)).http_tokens, "required");
  EXPECT_EQ(*options(launch_of(id)).http_put_response_hop_limit, 2);
  auto request = launch_of(id);
  request.metadata_options.emplace().http_tokens = "optional";
  EXPECT_EQ(*options(request).http_tokens, "optional");
  EXPECT_EQ(*options(launch()).http_tokens, "optional");
}

TEST_F(RegisterImage, SaysNothingThatTheRequestDidNotSay) {
  ec2::RegisterImageRequest request;
  request.name = "plain";
  request.block_device_mappings = {mapping("/dev/sda1")};
  request.block_device_mappings[0].ebs->snapshot_id = snapshot_of(available(), "/dev/sda1").str();
  request.block_device_mappings[0].ebs->volume_type = "standard";

  const auto image = look(ImageId::trusted(*must(register_image(alice, request)).image_id));

  EXPECT_EQ(*image.root_device_name, "/dev/sda1");
  EXPECT_FALSE(*image.ena_support);
  EXPECT_EQ(image.boot_mode, std::nullopt);
  EXPECT_EQ(image.sriov_net_support, std::nullopt);
  EXPECT_EQ(image.imds_support, std::nullopt);
  EXPECT_EQ(image.description, std::nullopt);
  EXPECT_EQ(image.block_device_mappings.at(0).ebs->iops, std::nullopt);
}

TEST_F(RegisterImage, RefusesWhatHasNoRootSnapshot) {
  ec2::RegisterImageRequest request;
  request.name = "registered";
  EXPECT_EQ(register_image(alice, request).error().code, Code::missing_parameter);
  request.block_device_mappings = {mapping("/dev/sda1")};
  request.block_device_mappings[0].ebs->volume_size = 4;
  EXPECT_EQ(register_image(alice, request).error().code, Code::invalid_block_device_mapping);
  request.block_device_mappings[0].device_name = "/dev/sdb";
  EXPECT_EQ(register_image(alice, request).error().code, Code::invalid_block_device_mapping);
  request.root_device_name = "/dev/nvme0";
  request.block_device_mappings = {mapping("/dev/nvme0")};
  request.block_device_mappings[0].ebs->snapshot_id = snapshot_of(available(), "/dev/sda1").str();
  EXPECT_EQ(register_image(alice, request).error().code, Code::invalid_parameter_value);
}

TEST_F(RegisterImage, OfAnImageTakesOverItsMappings) {
  const auto source = image_with_data();
  ec2::RegisterImageRequest request;
  request.name = "copy";
  request.image_location = alice.str() + "/made";
  request.block_device_mappings = {mapping("/dev/sdf"), mapping("/dev/sdg")};
  request.block_device_mappings[0].ebs->volume_size = 7;
  request.block_device_mappings[1].ebs->volume_size = 1;

  const auto id = ImageId::trusted(*must(register_image(alice, request)).image_id);

  const auto mappings = look(id).block_device_mappings;
  ASSERT_EQ(mappings.size(), 3U);
  EXPECT_EQ(*mappings[0].ebs->snapshot_id, snapshot_of(source, "/dev/sda1").str());
  EXPECT_EQ(*mappings[1].ebs->volume_size, 7);

  request.name = "of the import";
  request.image_location = image_.str();
  request.block_device_mappings = {mapping("/dev/sdg")};
  request.block_device_mappings[0].ebs->snapshot_id = snapshot_of(source, "/dev/sdf").str();
  const auto imported = ImageId::trusted(*must(register_image(alice, request)).image_id);
  const auto volumes = volumes_of(launch_of(imported));
  EXPECT_EQ(volumes.at("/dev/sda1").image, image_);
  EXPECT_EQ(volumes.at("/dev/sdg").snapshot, snapshot_of(source, "/dev/sdf"));
}

class DeregisterImage : public ImageLaunch {
 protected:
  ec2::DeregisterImageResult deregister(const ImageId& id, bool with_snapshots) {
    ec2::DeregisterImageRequest request;
    request.image_id = id.str();
    request.delete_associated_snapshots = with_snapshots;
    return must(call<ec2::DeregisterImageResult>(alice, "DeregisterImage", request));
  }
  Result<void> remove(const SnapshotId& id) {
    return as(alice, [&](Scope& scope) { return storage::snapshots::remove(scope, id); });
  }
};

TEST_F(DeregisterImage, KeepsTheSnapshotsWhichCanBeDeletedFromThenOn) {
  const auto id = available();
  const auto snapshot = snapshot_of(id, "/dev/sda1");
  EXPECT_EQ(remove(snapshot).error().code, Code::invalid_snapshot_in_use);

  EXPECT_TRUE(deregister(id, false).delete_snapshot_results.empty());

  EXPECT_EQ(look(alice, id).error().code, Code::invalid_ami_id_not_found);
  EXPECT_EQ(snapshots().size(), 1U);
  EXPECT_TRUE(remove(snapshot));
  EXPECT_EQ(number("SELECT count(*) FROM image_mapping"), 0);
}

TEST_F(DeregisterImage, DeletesTheSnapshotsThatNoOtherImageHas) {
  const auto id = image_with_data();
  ec2::RegisterImageRequest request;
  request.name = "other";
  request.block_device_mappings = {mapping("/dev/sda1")};
  request.block_device_mappings[0].ebs->snapshot_id = snapshot_of(id, "/dev/sdf").str();
  must(register_image(alice, request));
  const auto shared = snapshot_of(id, "/dev/sdf");

  const auto answer = deregister(id, true);

  ASSERT_EQ(answer.delete_snapshot_results.size(), 2U);
  for (const auto& result : answer.delete_snapshot_results)
    EXPECT_EQ(*result.return_code, *result.snapshot_id == shared.str() ? "skipped" : "success");
  ASSERT_EQ(snapshots().size(), 1U);
  EXPECT_EQ(snapshots()[0].id, shared);
}

TEST_F(DeregisterImage, AnImportedImageThatStaysForItsFileKeepsNoSnapshot) {
  const auto source = image_with_data();
  const auto data = snapshot_of(source, "/dev/sdf");
  deregister(source, false);
  ask(alice, [&](Scope& scope) {
    return scope.tx.execute(
        "INSERT INTO image_mapping (image, device, snapshot, size_gib, type, delete_on_termination)"
        " VALUES (?, '/dev/sdf', ?, 3, 'gp2', 1)",
        image_, data);
  });

  deregister(image_, false);

  EXPECT_TRUE(remove(data));
}

}  // namespace
}  // namespace virga::api
