#include "api/workflows/create_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "api/workflows/block_devices.h"
#include "compute/instances.h"
#include "compute/lifecycle.h"
#include "storage/image_changes.h"
#include "storage/snapshots.h"

namespace virga::api {

namespace {

using compute::Instance;
using compute::InstanceState;
using VolumesByDevice = std::map<std::string, storage::Volume>;

struct Present {
  std::vector<storage::ImageMapping> mappings;
  VolumesByDevice volumes;
};

/// gp2's performance follows from its size: an image does not keep it.
storage::VolumeShape shape_of(const storage::Volume& volume) {
  const bool given = volume.type != "gp2";
  return {.size_gib = volume.size_gib,
          .type = volume.type,
          .iops = given ? volume.iops : std::nullopt,
          .throughput = given ? volume.throughput : std::nullopt};
}

Result<Present> volumes_of(Scope& scope, const Instance& instance) {
  Present present;
  for (const auto& attachment : storage::attachments::of_instance(scope, instance.id)) {
    if (attachment.state == storage::AttachmentState::detaching) continue;
    auto volume = TRY(storage::volumes::find(scope, attachment.volume));
    present.mappings.push_back({.device = attachment.device,
                                .snapshot = {},
                                .least_gib = volume.size_gib,
                                .shape = shape_of(volume),
                                .delete_on_termination = attachment.delete_on_termination});
    present.volumes.emplace(attachment.device, std::move(volume));
  }
  return present;
}

/// Snapshots of the volumes that stayed in the image's mappings, unless another snapshot took their place.
Result<void> take_snapshots(Scope& scope, const CreateImageWish& wish, const VolumesByDevice& volumes,
                            const InstanceId& waits_for, storage::NewImage& image) {
  for (auto& mapping : image.mappings) {
    const auto volume = volumes.find(mapping.device);
    if (volume == volumes.end() || !mapping.snapshot.empty()) continue;
    const auto snapshot = TRY(storage::snapshots::create(
        scope, {.volume = volume->second.id,
                .description = fmt::format("Created by CreateImage({}) for {}", wish.instance.str(), image.id.str()),
                .waits_for = waits_for,
                .for_image = true}));
    TRY_VOID(tags::put(scope, snapshot.id.str(), wish.snapshot_tags));
    mapping.snapshot = snapshot.id;
    mapping.shape.size_gib = std::max(mapping.shape.size_gib, snapshot.size_gib);
  }
  return {};
}

Result<Instance> instance_to_copy(Scope& scope, const InstanceId& id) {
  auto instance = TRY(compute::instances::find(scope, id));
  if (instance.state != InstanceState::running && instance.state != InstanceState::stopped)
    return fail(Code::incorrect_instance_state,
                fmt::format("The instance '{}' is not in a state from which an image can be created: it is {} and must "
                            "be running or stopped.",
                            id.str(), to_string(instance.state)));
  return instance;
}

Scope owned_by(Scope& scope, const AccountId& account) {
  return {scope.tx, account, scope.now, scope.ids, scope.actor, scope.action, scope.request_id};
}

}  // namespace

Result<ImageId> create_image(Scope& scope, const CreateImageWish& wish) {
  const auto instance = TRY(instance_to_copy(scope, wish.instance));
  auto present = TRY(volumes_of(scope, instance));
  storage::NewImage image{.id = scope.create_resource<ImageId>().id,
                          .name = wish.name,
                          .description = wish.description,
                          .root_device = instance.spec.root_device,
                          .mappings = {},
                          .min_memory_mib = storage::images::min_memory_mib(scope, instance.spec.image),
                          .source_instance = instance.id};
  image.mappings = TRY(merge_mappings(
      scope, {.root_device = image.root_device, .present = std::move(present.mappings), .requested = wish.mappings}));
  if (image.mappings.empty() || image.mappings.front().device != image.root_device)
    return fail(Code::incorrect_instance_state,
                fmt::format("The instance '{}' has no root volume to make an image of.", instance.id.str()));
  const bool reboots = wish.reboot == Reboot::if_running && instance.state == InstanceState::running;
  TRY_VOID(take_snapshots(scope, wish, present.volumes, reboots ? instance.id : InstanceId(), image));
  TRY_VOID(storage::images::create(scope, image));
  TRY_VOID(tags::put(scope, image.id.str(), wish.image_tags));
  if (reboots) compute::lifecycle::hold(scope, instance, image.id);
  return image.id;
}

void end_holds(Scope& scope) {
  for (const auto& instance : compute::instances::list_held(scope.tx)) {
    auto own = owned_by(scope, instance.account);
    if (!is_alive(instance.state))
      storage::images::give_up(own, instance.id);
    else if (storage::images::is_copying(own, instance.id))
      continue;
    // That of a volume that was taken from the instance meanwhile.
    storage::snapshots::stop_waiting(own, instance.id);
    compute::lifecycle::end_hold(own, instance);
  }
}

}  // namespace virga::api
