#include "api/actions/volume_rows.h"
#include "ec2/op/DescribeVolumesModifications.h"
#include "ec2/op/ModifyVolume.h"
#include "storage/modifications.h"

namespace virga::api {

namespace {

ec2::VolumeModification to_ec2(const storage::Modification& modification) {
  ec2::VolumeModification view;
  view.volume_id = modification.volume.str();
  view.modification_state = std::string(storage::to_string(modification.state));
  if (!modification.problem.empty()) view.status_message = modification.problem;
  view.original_size = modification.original.size_gib;
  view.original_volume_type = modification.original.type;
  view.original_iops = modification.original.iops;
  view.original_throughput = modification.original.throughput;
  view.original_multi_attach_enabled = false;
  view.target_size = modification.target.size_gib;
  view.target_volume_type = modification.target.type;
  view.target_iops = modification.target.iops;
  view.target_throughput = modification.target.throughput;
  view.target_multi_attach_enabled = false;
  view.progress = modification.progress_percent();
  view.start_time = modification.started;
  view.end_time = modification.ended;
  view.operator_.emplace().managed = false;
  return view;
}

Result<ec2::ModifyVolumeResult> modify_volume(Call& call, const ec2::ModifyVolumeRequest& request) {
  const auto id = TRY(VolumeId::parse(request.volume_id.value_or("")));
  if (!request.size && !request.volume_type && !request.iops && !request.throughput && !request.multi_attach_enabled)
    return fail(Code::missing_parameter,
                "The request must contain at least one of the parameters size, volumeType, iops, throughput and "
                "multiAttachEnabled");
  const storage::Change change{
      .size_gib = request.size, .type = request.volume_type, .iops = request.iops, .throughput = request.throughput};
  const auto begun = TRY(storage::modifications::begin(call.scope(), id, change));
  ec2::ModifyVolumeResult response;
  response.volume_modification = to_ec2(begun);
  return response;
}

Result<std::vector<storage::Modification>> selected(Scope& scope, const std::vector<std::string>& texts,
                                                    const std::string& after) {
  if (texts.empty()) return storage::modifications::list(scope, after);
  const auto ids = TRY(distinct_volumes(texts));
  std::vector<storage::Modification> modifications;
  for (const auto& id : ids) {
    auto modification = TRY(storage::modifications::find(scope, id));
    modifications.push_back(std::move(modification));
  }
  return modifications;
}

Result<ec2::DescribeVolumesModificationsResult> describe_modifications(
    Call& call, const ec2::DescribeVolumesModificationsRequest& request) {
  auto page = call.listing<ec2::VolumeModification>();
  const auto modifications = TRY(selected(call.scope(), request.volume_ids, page.after()));
  for (const auto& modification : modifications)
    if (!page.offer(modification.volume.str(), to_ec2(modification))) break;
  ec2::DescribeVolumesModificationsResult response;
  response.volumes_modifications = page.take();
  return response;
}

}  // namespace

std::vector<Action> volume_modification_rows() {
  return {action("ModifyVolume", Access::write, &modify_volume, {.only = {{"MultiAttachEnabled", {"false"}}}}),
          action("DescribeVolumesModifications", Access::read, &describe_modifications)};
}

}  // namespace virga::api
