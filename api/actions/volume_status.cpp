#include "api/actions/volume_rows.h"
#include "ec2/op/DescribeVolumeAttribute.h"
#include "ec2/op/DescribeVolumeStatus.h"
#include "network/zones.h"

namespace virga::api {

namespace {

/// Performance is not measured, as EC2 does not for most types.
constexpr const char* not_measured = "not-applicable";

ec2::VolumeStatusDetails detail(std::string name, std::string status) {
  ec2::VolumeStatusDetails view;
  view.name = std::move(name);
  view.status = std::move(status);
  return view;
}

/// By what the volume's host last said of its file.
ec2::VolumeStatusInfo health_of(const storage::Volume& volume) {
  const bool made = volume.state == storage::VolumeState::available;
  ec2::VolumeStatusInfo view;
  std::string enabled = "insufficient-data";
  if (!volume.problem.empty()) {
    view.status = "impaired";
    enabled = "failed";
  } else if (made) {
    view.status = "ok";
    enabled = "passed";
  } else {
    view.status = "insufficient-data";
  }
  view.details = {detail("io-enabled", std::move(enabled)), detail("io-performance", not_measured)};
  return view;
}

ec2::VolumeStatusItem to_ec2(const storage::Volume& volume, const Config& config) {
  ec2::VolumeStatusItem view;
  view.volume_id = volume.id.str();
  view.availability_zone = volume.zone;
  if (const auto zone = network::zone_by_name(config, volume.zone)) view.availability_zone_id = zone->id;
  view.volume_status = health_of(volume);
  if (volume.attachment) {
    ec2::VolumeStatusAttachmentStatus attached;
    attached.instance_id = volume.attachment->instance.str();
    attached.io_performance = not_measured;
    view.attachment_statuses.push_back(std::move(attached));
  }
  view.operator_.emplace().managed = false;
  return view;
}

/// IncludeManagedResources adds what another service manages for the account, and none does. Events and actions tell of
/// work that is planned on a volume's hardware: there is none to tell of.
Result<ec2::DescribeVolumeStatusResult> describe_status(Call& call, const ec2::DescribeVolumeStatusRequest& request) {
  auto page = call.listing<ec2::VolumeStatusItem>();
  const auto volumes = TRY(selected_volumes(call.scope(), request.volume_ids, page.after()));
  for (const auto& volume : volumes)
    if (!page.offer(volume.id.str(), to_ec2(volume, call.config()))) break;
  ec2::DescribeVolumeStatusResult response;
  response.volume_statuses = page.take();
  return response;
}

/// Volumes have no product codes: their list is empty whether it is asked for or not. I/O of a volume is never
/// disabled, so there is nothing to enable by itself.
Result<ec2::DescribeVolumeAttributeResult> describe_attribute(Call& call,
                                                              const ec2::DescribeVolumeAttributeRequest& request) {
  const auto id = TRY(VolumeId::parse(request.volume_id.value_or("")));
  const auto volume = TRY(storage::volumes::find(call.scope(), id));
  ec2::DescribeVolumeAttributeResult response;
  response.volume_id = volume.id.str();
  if (request.attribute == "autoEnableIO") response.auto_enable_io.emplace().value = false;
  return response;
}

}  // namespace

std::vector<Action> volume_status_rows() {
  return {action("DescribeVolumeStatus", Access::read, &describe_status),
          action("DescribeVolumeAttribute", Access::read, &describe_attribute)};
}

}  // namespace virga::api
