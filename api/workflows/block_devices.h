#pragma once

// The volumes of a launch: what the image has and what BlockDeviceMapping.N says of it.

#include <string>
#include <vector>

#include "ec2/shape/BlockDeviceMapping.h"
#include "storage/images.h"
#include "storage/volumes.h"

namespace virga::api {

struct PlannedVolume {
  std::string device;
  storage::VolumeShape shape;
  bool root = false;
  bool delete_on_termination = true;
};

/// The root volume first, then the empty ones.
/// Errors: InvalidBlockDeviceMapping, InvalidParameterValue, MissingParameter, InvalidSnapshot.NotFound.
Result<std::vector<PlannedVolume>> plan_volumes(const storage::Image& image,
                                                const std::vector<ec2::BlockDeviceMapping>& mappings);

/// A mapping of a snapshot names nothing: Virga has no snapshots yet.
/// Errors: InvalidSnapshot.NotFound, InvalidSnapshotID.Malformed.
Result<void> refuse_snapshot(const std::optional<std::string>& snapshot_id);

}  // namespace virga::api
