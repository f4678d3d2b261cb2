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
};
/// The attachment as it is then, `detaching`. Repeating the call changes nothing. Root volumes stay where they are.
/// A running guest is asked to let go, again and again until it does or ends: its volumes are never torn from it, since
/// it would go on writing. EC2's Force asks for no more than that of a guest that answers.
/// Errors: InvalidVolume.NotFound, IncorrectState (not attached), InvalidAttachment.NotFound, OperationNotPermitted
/// (root volume).
Result<storage::Attachment> detach_volume(Scope& scope, const DetachRequest& request);

}  // namespace virga::api
