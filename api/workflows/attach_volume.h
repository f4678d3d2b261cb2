#pragma once

// Attaching and detaching volumes: rules that need the instance as well as the volume.

#include <optional>
#include <string>

#include "storage/volumes.h"

namespace virga::api {

/// Errors: InvalidVolume.NotFound, InvalidInstanceID.NotFound, IncorrectState, VolumeInUse, InvalidVolume.ZoneMismatch,
/// UnsupportedOperation (on another host), InvalidParameterValue (device), AttachmentLimitExceeded.
Result<storage::Attachment> attach_volume(Scope& scope, const VolumeId& volume, const InstanceId& instance,
                                          const std::string& device);

struct DetachRequest {
  VolumeId volume;
  std::optional<InstanceId> instance;  ///< must be the one it is attached to, where given
  std::optional<std::string> device;
  bool force = false;
};
/// The attachment as it is then, `detaching`. Repeating the call changes nothing. Root volumes stay where they are.
/// Errors: InvalidVolume.NotFound, IncorrectState (not attached), InvalidAttachment.NotFound, OperationNotPermitted
/// (root volume), UnsupportedOperation (Force while the guest runs).
Result<storage::Attachment> detach_volume(Scope& scope, const DetachRequest& request);

}  // namespace virga::api
