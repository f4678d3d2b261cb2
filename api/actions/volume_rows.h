#pragma once

// What the files about volumes share, and the rows of those that volume.cpp lists.

#include <string>
#include <vector>

#include "api/action.h"
#include "storage/volumes.h"

namespace virga::api {

std::vector<Action> volume_modification_rows();  // ModifyVolume, DescribeVolumesModifications
std::vector<Action> volume_status_rows();        // DescribeVolumeStatus, DescribeVolumeAttribute

/// The ids of a request, each once and in order. Errors: InvalidVolumeID.Malformed.
Result<std::vector<VolumeId>> distinct_volumes(const std::vector<std::string>& texts);
/// Those named, or all behind `after`, in order. Errors: InvalidVolumeID.Malformed, InvalidVolume.NotFound.
Result<std::vector<storage::Volume>> selected_volumes(Scope& scope, const std::vector<std::string>& texts,
                                                      const std::string& after);

}  // namespace virga::api
