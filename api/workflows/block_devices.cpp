#include "api/workflows/block_devices.h"

#include <fmt/format.h>

#include <set>

namespace virga::api {

namespace {

int gib_of(std::int64_t bytes) { return static_cast<int>((bytes + (1LL << 30) - 1) >> 30); }

Result<PlannedVolume> plan_root(const storage::Image& image, const ec2::EbsBlockDevice& ebs) {
  const auto needed = gib_of(image.virtual_bytes);
  const int size = ebs.volume_size.value_or(image.root_gib);
  if (size < needed)
    return fail(Code::invalid_block_device_mapping,
                fmt::format("Volume of size {}GB is smaller than the image '{}', expect size >= {}GB", size,
                            image.id.str(), needed));
  auto shape = TRY(storage::check_shape({.size_gib = size,
                                         .type = ebs.volume_type.value_or(image.root_type),
                                         .iops = ebs.iops,
                                         .throughput = ebs.throughput}));
  return PlannedVolume{image.root_device, std::move(shape), true,
                       ebs.delete_on_termination.value_or(image.root_delete_on_termination)};
}

Result<PlannedVolume> plan_data(const std::string& device, const ec2::EbsBlockDevice& ebs) {
  TRY_VOID(storage::check_data_device(device));
  if (!ebs.volume_size)
    return fail(Code::missing_parameter, "The request must contain the parameter size or snapshotId");
  auto shape = TRY(storage::check_shape({.size_gib = *ebs.volume_size,
                                         .type = ebs.volume_type.value_or(""),
                                         .iops = ebs.iops,
                                         .throughput = ebs.throughput}));
  return PlannedVolume{device, std::move(shape), false, ebs.delete_on_termination.value_or(true)};
}

}  // namespace

Result<void> refuse_snapshot(const std::optional<std::string>& snapshot_id) {
  if (!snapshot_id || snapshot_id->empty()) return {};
  const auto id = TRY(SnapshotId::parse(*snapshot_id));
  return fail(id.not_found());
}

Result<std::vector<PlannedVolume>> plan_volumes(const storage::Image& image,
                                                const std::vector<ec2::BlockDeviceMapping>& mappings) {
  ec2::EbsBlockDevice root;
  std::vector<PlannedVolume> data;
  std::set<std::string> seen;
  for (const auto& mapping : mappings) {
    const auto device = mapping.device_name.value_or("");
    if (device.empty()) return fail(Code::missing_parameter, "The request must contain the parameter deviceName");
    if (!seen.insert(device).second)
      return fail(Code::invalid_block_device_mapping,
                  fmt::format("The device '{}' is used in more than one block-device mapping", device.substr(0, 32)));
    const bool is_root = device == image.root_device;
    if (mapping.no_device) {
      if (is_root)
        return fail(Code::invalid_block_device_mapping, "The root device cannot be suppressed with NoDevice.");
      continue;
    }
    const auto ebs = mapping.ebs.value_or(ec2::EbsBlockDevice{});
    TRY_VOID(refuse_snapshot(ebs.snapshot_id));
    if (is_root)
      root = ebs;
    else
      data.push_back(TRY(plan_data(device, ebs)));
  }
  std::vector<PlannedVolume> volumes = {TRY(plan_root(image, root))};
  volumes.insert(volumes.end(), data.begin(), data.end());
  return volumes;
}

}  // namespace virga::api
