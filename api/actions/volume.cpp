#include <fmt/format.h>

#include <algorithm>

#include "api/actions/ids.h"
#include "api/actions/volume_rows.h"
#include "api/workflows/attach_volume.h"
#include "api/workflows/tag_specifications.h"
#include "ec2/op/AttachVolume.h"
#include "ec2/op/CreateVolume.h"
#include "ec2/op/DeleteVolume.h"
#include "ec2/op/DescribeVolumes.h"
#include "ec2/op/DetachVolume.h"
#include "network/zones.h"
#include "storage/snapshots.h"

namespace virga::api {

namespace {

ec2::VolumeAttachment to_ec2(const storage::Attachment& attachment) {
  ec2::VolumeAttachment view;
  view.volume_id = attachment.volume.str();
  view.instance_id = attachment.instance.str();
  view.device = attachment.device;
  view.state = std::string(storage::to_string(attachment.state));
  view.attach_time = attachment.attached;
  view.delete_on_termination = attachment.delete_on_termination;
  return view;
}

ec2::Volume to_ec2(const storage::Volume& volume, const tags::Tags& tags, const Config& config) {
  ec2::Volume view;
  view.volume_id = volume.id.str();
  view.size = volume.size_gib;
  view.snapshot_id = volume.snapshot.str();
  view.availability_zone = volume.zone;
  if (const auto zone = network::zone_by_name(config, volume.zone)) view.availability_zone_id = zone->id;
  view.state = std::string(volume.wire_state());
  view.create_time = volume.created;
  view.volume_type = volume.type;
  view.iops = volume.iops;
  view.throughput = volume.throughput;
  view.encrypted = false;
  view.multi_attach_enabled = false;
  view.fast_restored = false;
  view.operator_.emplace().managed = false;
  view.tags = api::to_ec2(tags);
  if (volume.attachment) view.attachments.push_back(to_ec2(*volume.attachment));
  return view;
}

Result<std::string> zone_of(Call& call, const ec2::CreateVolumeRequest& request) {
  const auto name = request.availability_zone.value_or("");
  const auto id = request.availability_zone_id.value_or("");
  if (name.empty() && id.empty())
    return fail(Code::missing_parameter, "The request must contain the parameter AvailabilityZone");
  if (!name.empty() && !id.empty())
    return fail(Code::invalid_parameter_combination, "AvailabilityZone and AvailabilityZoneId may not both be given.");
  const auto zone = name.empty() ? network::zone_by_id(call.config(), id) : network::zone_by_name(call.config(), name);
  if (!zone)
    return fail(Code::invalid_zone_not_found,
                "The zone '" + (name.empty() ? id : name).substr(0, 64) + "' does not exist.");
  return zone->name;
}

/// The snapshot that the volume is to begin with, which its size must do for. Nothing: an empty volume.
Result<std::optional<storage::Snapshot>> base_of(Scope& scope, const ec2::CreateVolumeRequest& request) {
  if (!request.snapshot_id || request.snapshot_id->empty()) return std::nullopt;
  const auto id = TRY(SnapshotId::parse(*request.snapshot_id));
  auto snapshot = TRY(storage::snapshots::find_completed(scope, id));
  if (request.size && *request.size < snapshot.size_gib)
    return fail(Code::invalid_parameter_value,
                fmt::format("Volume of {}GiB is smaller than snapshot '{}', expect size >= {}GiB", *request.size,
                            id.str(), snapshot.size_gib));
  return snapshot;
}

Result<ec2::Volume> create_volume(Call& call, const ec2::CreateVolumeRequest& request) {
  const auto zone = TRY(zone_of(call, request));
  const auto base = TRY(base_of(call.scope(), request));
  if (!request.size && !base)
    return fail(Code::missing_parameter, "The request must contain the parameter size or snapshotId");
  const auto shape = TRY(storage::check_shape({.size_gib = request.size ? *request.size : base->size_gib,
                                               .type = request.volume_type.value_or(""),
                                               .iops = request.iops,
                                               .throughput = request.throughput}));
  const auto tags = TRY(tags_for(request.tag_specifications, VolumeId::resource_type));
  const auto volume = TRY(storage::volumes::create(
      call.scope(), {.shape = shape,
                     .zone = zone,
                     .host = base ? std::optional(base->host) : std::nullopt,  // it lies on the snapshot's file
                     .snapshot = base ? base->id : SnapshotId()}));
  TRY_VOID(tags::put(call.scope(), volume.id.str(), tags));
  return to_ec2(volume, tags, call.config());
}

Result<ec2::Volume> current_volume(Call& call, const ec2::Volume& first) {
  const auto volume = TRY(storage::volumes::find(call.scope(), VolumeId::trusted(first.volume_id.value_or(""))));
  return to_ec2(volume, tags::of(call.scope(), volume.id.str()), call.config());
}

Result<ec2::DescribeVolumesResult> describe_volumes(Call& call, const ec2::DescribeVolumesRequest& request) {
  auto page = call.listing<ec2::Volume>();
  const auto volumes = TRY(selected_volumes(call.scope(), request.volume_ids, page.after()));
  for (const auto& volume : volumes)
    if (!page.offer(volume.id.str(), to_ec2(volume, tags::of(call.scope(), volume.id.str()), call.config()))) break;
  ec2::DescribeVolumesResult response;
  response.volumes = page.take();
  return response;
}

Result<ec2::NoOutput> delete_volume(Call& call, const ec2::DeleteVolumeRequest& request) {
  const auto id = TRY(VolumeId::parse(request.volume_id.value_or("")));
  TRY_VOID(storage::volumes::remove(call.scope(), id));
  return ec2::NoOutput{};
}

Result<ec2::VolumeAttachment> attach(Call& call, const ec2::AttachVolumeRequest& request) {
  const auto volume = TRY(VolumeId::parse(request.volume_id.value_or("")));
  const auto instance = TRY(InstanceId::parse(request.instance_id.value_or("")));
  return to_ec2(TRY(attach_volume(call.scope(), volume, instance, request.device.value_or(""))));
}

/// With Force too the guest is asked, and asked again (see detach_volume).
Result<ec2::VolumeAttachment> detach(Call& call, const ec2::DetachVolumeRequest& request) {
  DetachRequest wish;
  wish.volume = TRY(VolumeId::parse(request.volume_id.value_or("")));
  if (request.instance_id && !request.instance_id->empty())
    wish.instance = TRY(InstanceId::parse(*request.instance_id));
  if (request.device && !request.device->empty()) wish.device = request.device;
  return to_ec2(TRY(detach_volume(call.scope(), wish)));
}

}  // namespace

Result<std::vector<VolumeId>> distinct_volumes(const std::vector<std::string>& texts) {
  auto ids = TRY(parse_ids<VolumeId>(texts));
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Result<std::vector<storage::Volume>> selected_volumes(Scope& scope, const std::vector<std::string>& texts,
                                                      const std::string& after) {
  if (texts.empty()) return storage::volumes::list(scope, after);
  const auto ids = TRY(distinct_volumes(texts));
  std::vector<storage::Volume> volumes;
  for (const auto& id : ids) {
    auto volume = TRY(storage::volumes::find(scope, id));
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

std::vector<Action> volume_actions() {
  std::vector<Action> rows = {
      action("CreateVolume", Access::write, &create_volume,
             {.refused = {"KmsKeyId", "Operator", "OutpostArn", "VolumeInitializationRate"},
              .only = {{"Encrypted", {"false"}}, {"MultiAttachEnabled", {"false"}}},
              .refresh = refresh_with(&current_volume)}),
      // IncludeManagedResources adds what another service manages for the account, and none does.
      action("DescribeVolumes", Access::read, &describe_volumes), action("DeleteVolume", Access::write, &delete_volume),
      action("AttachVolume", Access::write, &attach, {.only = {{"EbsCardIndex", {"0"}}}}),
      action("DetachVolume", Access::write, &detach)};
  for (const auto family : {volume_modification_rows, volume_status_rows})
    for (auto& row : family()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace virga::api
