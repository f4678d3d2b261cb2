#pragma once

// Images made of snapshots: what a host says of snapshots, and what the synchroniser does after each look at it.

#include "api/workflows/create_image.h"
#include "compute/instances.h"
#include "ec2/op/CreateImage.h"
#include "ec2/op/DeregisterImage.h"
#include "ec2/op/DescribeImages.h"
#include "ec2/op/RegisterImage.h"
#include "storage/image_changes.h"
#include "storage/snapshots.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {

class ImageTest : public ComputeTest {
 protected:
  /// A guest that runs, and whose volumes have been made.
  InstanceId ready_guest() {
    const auto id = running();
    volumes_ready();
    return id;
  }
  ec2::CreateImageRequest of(const InstanceId& instance, const std::string& name = "made",
                             bool no_reboot = true) const {
    ec2::CreateImageRequest request;
    request.instance_id = instance.str();
    request.name = name;
    request.no_reboot = no_reboot;
    return request;
  }
  Result<ImageId> try_make(const ec2::CreateImageRequest& request) {
    auto made = TRY(call<ec2::CreateImageResult>(alice, "CreateImage", request));
    return ImageId::trusted(*made.image_id);
  }
  ImageId make(const ec2::CreateImageRequest& request) { return must(try_make(request)); }
  /// An image of one completed snapshot of a guest's root volume.
  ImageId available(const std::string& name = "made") {
    const auto id = make(of(ready_guest(), name));
    copy_all();
    return id;
  }
  Result<ec2::RegisterImageResult> register_image(const AccountId& account, const ec2::RegisterImageRequest& request) {
    return call<ec2::RegisterImageResult>(account, "RegisterImage", request);
  }
  Result<ec2::Image> look(const AccountId& account, const ImageId& id) {
    ec2::DescribeImagesRequest request;
    request.image_ids = {id.str()};
    const auto found = TRY(call<ec2::DescribeImagesResult>(account, "DescribeImages", request));
    return found.images.at(0);
  }
  ec2::Image look(const ImageId& id) { return must(look(alice, id)); }

  std::vector<storage::Snapshot> snapshots() {
    return ask(alice, [](Scope& scope) { return storage::snapshots::list(scope); });
  }
  std::vector<SnapshotId> told_snapshots() {
    return ask(alice, [](Scope& scope) { return storage::placed_snapshots(scope.tx); });
  }
  void host_says(const SnapshotId& id, bool ready, const std::string& problem = "") {
    must(as(alice, [&](Scope& scope) {
      return storage::observe_snapshot(
          scope, "h1", {.id = id, .generation = 1, .ready = ready, .file_bytes = 4096, .problem = problem});
    }));
  }
  /// What follows every look at a host.
  void after_a_look() {
    ask(alice, [](Scope& scope) {
      Scope reconciler{scope.tx, {}, scope.now, scope.ids, "virga", "sync", {}};
      storage::images::settle(reconciler);
      end_holds(reconciler);
      return 0;
    });
  }
  /// The host completes what it has been told of.
  void copy_all() {
    for (const auto& id : told_snapshots()) host_says(id, true);
    after_a_look();
  }
  std::string image_state(const ImageId& id) { return *look(id).state; }
  static ec2::BlockDeviceMapping mapping(const std::string& device) {
    ec2::BlockDeviceMapping mapping;
    mapping.device_name = device;
    mapping.ebs.emplace();
    return mapping;
  }
  static ec2::BlockDeviceMapping without(const std::string& device) {
    ec2::BlockDeviceMapping mapping;
    mapping.device_name = device;
    mapping.no_device = "";
    return mapping;
  }
};

}  // namespace virga::api
