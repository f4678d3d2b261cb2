#include "api/workflows/attach_volume.h"

#include <fmt/format.h>

#include "compute/instances.h"

namespace virga::api {

using compute::InstanceState;
using storage::AttachmentState;

namespace {

Result<void> check_volume(const storage::Volume& volume) {
  if (volume.attachment)
    return fail(Code::volume_in_use, fmt::format("{} is already attached to an instance", volume.id.str()));
  if (volume.state != storage::VolumeState::available)
    return fail(Code::incorrect_state,
                fmt::format("Volume '{}' is not 'available' (it is '{}').", volume.id.str(), volume.wire_state()));
  return {};
}

Result<void> check_places(const storage::Volume& volume, const compute::Instance& instance) {
  if (volume.zone != instance.spec.zone)
    return fail(Code::invalid_volume_zone_mismatch,
                fmt::format("The volume '{}' is not in the same availability zone as instance '{}'", volume.id.str(),
                            instance.id.str()));
  if (volume.host != instance.spec.host)
    return fail(Code::unsupported_operation,
                fmt::format("The volume '{}' is kept by another host of the zone than the one instance '{}' runs on.",
                            volume.id.str(), instance.id.str()));
  return {};
}

}  // namespace

Result<storage::Attachment> attach_volume(Scope& scope, const VolumeId& volume_id, const InstanceId& instance_id,
                                          const std::string& device) {
  const auto volume = TRY(storage::volumes::find(scope, volume_id));
  const auto instance = TRY(compute::instances::find(scope, instance_id));
  if (instance.state != InstanceState::running && instance.state != InstanceState::stopped)
    return fail(Code::incorrect_state, fmt::format("Instance '{}' is not 'running' or 'stopped' (it is '{}').",
                                                   instance_id.str(), compute::to_string(instance.state)));
  TRY_VOID(check_volume(volume));
  TRY_VOID(check_places(volume, instance));

  TRY_VOID(storage::check_data_device(device));
  const bool guest_is_off = instance.state == InstanceState::stopped;
  return storage::attachments::attach(scope,
                                      {.volume = volume_id,
                                       .instance = instance_id,
                                       .device = device,
                                       .state = guest_is_off ? AttachmentState::attached : AttachmentState::attaching});
}

Result<storage::Attachment> detach_volume(Scope& scope, const DetachRequest& request) {
  const auto volume = TRY(storage::volumes::find(scope, request.volume));
  if (!volume.attachment)
    return fail(Code::incorrect_state,
                fmt::format("Volume '{}' is in the '{}' state.", volume.id.str(), volume.wire_state()));
  auto attachment = *volume.attachment;
  if ((request.instance && *request.instance != attachment.instance) ||
      (request.device && *request.device != attachment.device))
    return fail(Code::invalid_attachment_not_found,
                fmt::format("The volume '{}' is not attached to that instance as that device.", volume.id.str()));
  const auto instance = TRY(compute::instances::find(scope, attachment.instance));
  const bool guest_is_off = instance.state == InstanceState::stopped;
  if (attachment.root)
    return fail(Code::operation_not_permitted, fmt::format("Unable to detach root volume '{}' from instance '{}'",
                                                           attachment.device, instance.id.str()));
  if (guest_is_off)
    storage::attachments::end(scope, attachment);
  else if (attachment.state != AttachmentState::detaching)
    storage::attachments::begin_detach(scope, attachment);
  attachment.state = AttachmentState::detaching;
  return attachment;
}

}  // namespace virga::api
