#pragma once

// The volumes of a launch or of an image: what there is already (the image's, the instance's) and what
// BlockDeviceMapping.N says of it.

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
  ImageId image_bytes = {};  ///< at most one of the two is set: what is in it
  SnapshotId snapshot = {};
};

/// A launch's volumes, the root volume first.
/// Errors: InvalidBlockDeviceMapping, InvalidParameterValue, InvalidParameterCombination, MissingParameter,
/// InvalidSnapshot.NotFound, InvalidSnapshotID.Malformed, IncorrectState (a snapshot that is not completed).
Result<std::vector<PlannedVolume>> plan_volumes(Scope& scope, const storage::Image& image,
                                                const std::vector<ec2::BlockDeviceMapping>& mappings);

/// What an image's volumes are to be.
struct MappingWish {
  std::string root_device;
  std::vector<storage::ImageMapping> present;      ///< what there is without a request
  std::vector<ec2::BlockDeviceMapping> requested;  ///< changes of it, and additions
};
/// The mappings that follow, each checked, the root device's first if it is among them. A request for a device that is
/// present changes what it says; NoDevice leaves the device out; any other device is new. Errors: as above.
Result<std::vector<storage::ImageMapping>> merge_mappings(Scope& scope, const MappingWish& wish);

}  // namespace virga::api
