#include "api/workflows/block_devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/snapshots.h"

namespace virga::api {

namespace {

using storage::ImageMapping;

/// A root volume and the 25 others that a guest can have.
constexpr std::size_t max_mappings = 26;

Error bad_mapping(std::string text) { return {Code::invalid_block_device_mapping, std::move(text), {}}; }

Result<storage::Snapshot> named_snapshot(Scope& scope, const std::string& text) {
  const auto id = TRY(SnapshotId::parse(text));
  return storage::snapshots::find_completed(scope, id);
}

/// Puts another snapshot under a mapping; without a size of its own the volume is as large as the snapshot.
Result<void> fill(Scope& scope, ImageMapping& mapping, const std::string& snapshot_id) {
  const auto snapshot = TRY(named_snapshot(scope, snapshot_id));
  mapping.snapshot = snapshot.id;
  mapping.least_gib = snapshot.size_gib;
  mapping.shape.size_gib = snapshot.size_gib;
  return {};
}

/// Type and performance belong together: those of another type are not taken over.
void reshape(storage::VolumeShape& shape, const ec2::EbsBlockDevice& ebs) {
  if (ebs.volume_size) shape.size_gib = *ebs.volume_size;
  if (ebs.volume_type && *ebs.volume_type != shape.type) {
    shape.type = *ebs.volume_type;
    shape.iops.reset();
    shape.throughput.reset();
  }
  if (ebs.iops) shape.iops = ebs.iops;
  if (ebs.throughput) shape.throughput = ebs.throughput;
}

Result<void> check(const ImageMapping& mapping) {
  if (mapping.shape.size_gib < mapping.least_gib) {
    const auto what = mapping.snapshot.empty() ? std::string("the image") : "snapshot '" + mapping.snapshot.str() + "'";
    return fail(bad_mapping(fmt::format("Volume of size {}GB is smaller than {}, expect size >= {}GB",
                                        mapping.shape.size_gib, what, mapping.least_gib)));
  }
  TRY_VOID(storage::check_shape(mapping.shape));
  return {};
}

class Merge {
 public:
  Merge(Scope& scope, const MappingWish& wish) : scope_(scope), root_(wish.root_device), mappings_(wish.present) {}

  Result<void> apply(const ec2::BlockDeviceMapping& request) {
    const auto device = request.device_name.value_or("");
    if (device.empty()) return fail(Code::missing_parameter, "The request must contain the parameter deviceName");
    if (!seen_.insert(device).second)
      return fail(bad_mapping(
          fmt::format("The device '{}' is used in more than one block-device mapping", device.substr(0, 32))));
    if (request.no_device) return leave_out(device);
    const auto ebs = request.ebs.value_or(ec2::EbsBlockDevice{});
    const auto present = std::ranges::find(mappings_, device, &ImageMapping::device);
    return present == mappings_.end() ? add(device, ebs) : change(*present, ebs);
  }

  Result<std::vector<ImageMapping>> take() {
    for (const auto& mapping : mappings_) TRY_VOID(check(mapping));
    if (mappings_.size() > max_mappings)
      return fail(bad_mapping(fmt::format("There may be at most {} block-device mappings.", max_mappings)));
    std::ranges::stable_partition(mappings_, [&](const ImageMapping& m) { return m.device == root_; });
    return std::move(mappings_);
  }

 private:
  Result<void> leave_out(const std::string& device) {
    if (device == root_) return fail(bad_mapping("The root device cannot be suppressed with NoDevice."));
    std::erase_if(mappings_, [&](const ImageMapping& m) { return m.device == device; });
    return {};
  }

  Result<void> change(ImageMapping& mapping, const ec2::EbsBlockDevice& ebs) {
    const auto snapshot = ebs.snapshot_id.value_or("");
    if (!snapshot.empty() && snapshot != mapping.snapshot.str()) {
      if (mapping.device == root_) return fail(bad_mapping("snapshotId cannot be modified on root device"));
      TRY_VOID(fill(scope_, mapping, snapshot));
    }
    reshape(mapping.shape, ebs);
    mapping.delete_on_termination = ebs.delete_on_termination.value_or(mapping.delete_on_termination);
    return {};
  }

  Result<void> add(const std::string& device, const ec2::EbsBlockDevice& ebs) {
    if (device != root_) TRY_VOID(storage::check_data_device(device));
    ImageMapping mapping{.device = device};
    mapping.shape.type = "gp2";
    if (ebs.snapshot_id && !ebs.snapshot_id->empty())
      TRY_VOID(fill(scope_, mapping, *ebs.snapshot_id));
    else if (!ebs.volume_size)
      return fail(Code::missing_parameter, "The request must contain the parameter size or snapshotId");
    reshape(mapping.shape, ebs);
    mapping.delete_on_termination = ebs.delete_on_termination.value_or(true);
    mappings_.push_back(std::move(mapping));
    return {};
  }

  Scope& scope_;
  std::string root_;
  std::vector<ImageMapping> mappings_;
  std::set<std::string> seen_;
};

}  // namespace

Result<std::vector<storage::ImageMapping>> merge_mappings(Scope& scope, const MappingWish& wish) {
  Merge merge(scope, wish);
  for (const auto& request : wish.requested) TRY_VOID(merge.apply(request));
  return merge.take();
}

Result<std::vector<PlannedVolume>> plan_volumes(Scope& scope, const storage::Image& image,
                                                const std::vector<ec2::BlockDeviceMapping>& mappings) {
  std::vector<PlannedVolume> volumes;
  for (const auto& mapping : TRY(merge_mappings(
           scope, {.root_device = image.root_device, .present = image.mappings, .requested = mappings}))) {
    const bool root = mapping.device == image.root_device;
    auto shape = TRY(storage::check_shape(mapping.shape));
    volumes.push_back({.device = mapping.device,
                       .shape = std::move(shape),
                       .root = root,
                       .delete_on_termination = mapping.delete_on_termination,
                       .image_bytes = root ? image.bytes : ImageId(),
                       .snapshot = mapping.snapshot});
  }
  return volumes;
}

}  // namespace virga::api
