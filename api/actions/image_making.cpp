#include <algorithm>

#include "api/actions/image_rows.h"
#include "api/workflows/block_devices.h"
#include "api/workflows/create_image.h"
#include "api/workflows/tag_specifications.h"
#include "ec2/op/CreateImage.h"
#include "ec2/op/DeregisterImage.h"
#include "ec2/op/RegisterImage.h"
#include "storage/snapshots.h"

namespace virga::api {

namespace {

using storage::NewImage;

constexpr std::string_view default_root_device = "/dev/sda1";

/// What ImageLocation gives: the bytes, or the snapshots, of an image that the caller sees. The caller needs the
/// snapshots of its own, for an image keeps those of its mappings from being deleted.
Result<void> start_from(Scope& scope, const std::string& location, NewImage& image, MappingWish& wish) {
  const auto source = TRY(storage::images::find_source(scope, location));
  image.bytes_of = source.bytes;
  image.min_memory_mib = source.min_memory_mib;
  if (image.root_device.empty()) image.root_device = source.root_device;
  wish.present = source.mappings;
  for (auto& mapping : wish.present) {
    if (!mapping.snapshot.empty()) TRY_VOID(storage::snapshots::find_completed(scope, mapping.snapshot));
    if (mapping.device == source.root_device) mapping.device = image.root_device;
  }
  return {};
}

Result<ec2::RegisterImageResult> register_image(Call& call, const ec2::RegisterImageRequest& request) {
  auto& scope = call.scope();
  const auto tags = TRY(tags_for(request.tag_specifications, ImageId::resource_type));
  const auto location = request.image_location.value_or("");
  NewImage image{.name = request.name.value_or(""),
                 .description = request.description.value_or(""),
                 .root_device = request.root_device_name.value_or(""),
                 .mappings = {},
                 .imds_support = request.imds_support.value_or(""),
                 .claims = {.ena_support = request.ena_support.value_or(false),
                            .sriov_net_support = request.sriov_net_support.value_or(""),
                            .boot_mode = request.boot_mode.value_or("")}};
  MappingWish wish;
  if (!location.empty())
    TRY_VOID(start_from(scope, location, image, wish));
  else if (request.block_device_mappings.empty())
    return fail(Code::missing_parameter,
                "The request must contain the parameter BlockDeviceMapping, with a snapshot for the root device, or "
                "ImageLocation: an image's id, or <owner account>/<name>");
  if (image.root_device.empty()) image.root_device = default_root_device;
  wish.root_device = image.root_device;
  wish.requested = request.block_device_mappings;
  image.mappings = TRY(merge_mappings(scope, wish));
  const auto& root = image.mappings;
  if (root.empty() || root.front().device != image.root_device ||
      (image.bytes_of.empty() && root.front().snapshot.empty()))
    return fail(Code::invalid_block_device_mapping, "No root snapshot specified in device mapping.");
  const auto id = TRY(storage::images::create(scope, image));
  TRY_VOID(tags::put(scope, id.str(), tags));
  return ec2::RegisterImageResult{id.str()};
}

Result<ec2::CreateImageResult> make_image(Call& call, const ec2::CreateImageRequest& request) {
  const auto tags = [&](std::string_view type) {
    return tags_for(request.tag_specifications, type, {ImageId::resource_type, SnapshotId::resource_type});
  };
  CreateImageWish wish;
  wish.instance = TRY(InstanceId::parse(request.instance_id.value_or("")));
  wish.name = request.name.value_or("");
  wish.description = request.description.value_or("");
  wish.reboot = request.no_reboot.value_or(false) ? Reboot::no : Reboot::if_running;
  wish.mappings = request.block_device_mappings;
  wish.image_tags = TRY(tags(ImageId::resource_type));
  wish.snapshot_tags = TRY(tags(SnapshotId::resource_type));
  const auto id = TRY(create_image(call.scope(), wish));
  return ec2::CreateImageResult{id.str()};
}

/// EC2's word for how it went with one of them.
std::string_view delete_snapshot(Scope& scope, const SnapshotId& id) {
  const auto done = storage::snapshots::remove(scope, id);
  if (done) return "success";
  if (done.error().code == Code::invalid_snapshot_in_use) return "skipped";  // by another image
  return done.error().code == Code::invalid_snapshot_not_found ? "missing-permissions" : "internal-error";
}

Result<ec2::DeregisterImageResult> deregister_image(Call& call, const ec2::DeregisterImageRequest& request) {
  auto& scope = call.scope();
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  const auto image = TRY(storage::images::find(scope, id));
  TRY_VOID(storage::images::deregister(scope, id));
  ec2::DeregisterImageResult response;
  response.return_ = true;
  if (!request.delete_associated_snapshots.value_or(false)) return response;
  std::vector<SnapshotId> snapshots;
  for (const auto& mapping : image.mappings)
    if (!mapping.snapshot.empty()) snapshots.push_back(mapping.snapshot);
  std::ranges::sort(snapshots);
  snapshots.erase(std::unique(snapshots.begin(), snapshots.end()), snapshots.end());
  for (const auto& snapshot : snapshots)
    response.delete_snapshot_results.push_back({snapshot.str(), std::string(delete_snapshot(scope, snapshot))});
  return response;
}

// Of the mappings of both: what no volume of Virga has.
#define VIRGA_REFUSED_OF_MAPPINGS                                                           \
  "BlockDeviceMappings.Ebs.AvailabilityZone", "BlockDeviceMappings.Ebs.AvailabilityZoneId", \
      "BlockDeviceMappings.Ebs.KmsKeyId", "BlockDeviceMappings.Ebs.OutpostArn",             \
      "BlockDeviceMappings.Ebs.VolumeInitializationRate", "BlockDeviceMappings.VirtualName"

}  // namespace

std::vector<Action> image_making_rows() {
  return {action("CreateImage", Access::write, &make_image,
                 {.refused = {VIRGA_REFUSED_OF_MAPPINGS},
                  .only = {{"BlockDeviceMappings.Ebs.EbsCardIndex", {"0"}},
                           {"BlockDeviceMappings.Ebs.Encrypted", {"false"}},
                           {"SnapshotLocation", {"regional"}}}}),
          action("DeregisterImage", Access::write, &deregister_image),
          action("RegisterImage", Access::write, &register_image,
                 {.refused = {"BillingProducts", VIRGA_REFUSED_OF_MAPPINGS, "KernelId", "RamdiskId", "TpmSupport",
                              "UefiData"},
                  .only = {{"Architecture", {"x86_64"}},
                           {"BlockDeviceMappings.Ebs.EbsCardIndex", {"0"}},
                           {"BlockDeviceMappings.Ebs.Encrypted", {"false"}},
                           {"BootMode", {"legacy-bios"}},
                           {"SriovNetSupport", {"simple"}},
                           {"VirtualizationType", {"hvm"}}}})};
}

}  // namespace virga::api
