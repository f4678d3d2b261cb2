#pragma once

// A RunInstances request, checked against the account's resources and completed with what it leaves open.

#include <optional>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/workflows/block_devices.h"
#include "compute/instances.h"
#include "ec2/shape/RunInstancesRequest.h"
#include "network/interfaces.h"
#include "storage/images.h"

namespace virga::api {

struct LaunchPlan {
  int min_count = 1;
  int max_count = 1;
  storage::Image image;
  compute::InstanceSpec spec;  ///< of each instance; reservation, launch_index and host are filled per instance
  std::vector<network::InterfaceRequest> interfaces;  ///< by device index; the first is the primary one
  std::vector<PlannedVolume> volumes;                 ///< the root volume first
  tags::Tags instance_tags;
  tags::Tags volume_tags;
  tags::Tags interface_tags;

  std::int64_t storage_gib() const;
};

/// Errors: InvalidAMIID.*, InvalidInstanceType, InvalidKeyPair.NotFound, InvalidSubnetID.*, InvalidGroup*,
/// InvalidParameterValue, InvalidParameterCombination, MissingParameter, InvalidUserData.Malformed,
/// InvalidBlockDeviceMapping, InvalidSnapshot.NotFound, MissingInput.
Result<LaunchPlan> plan_launch(Call& call, const ec2::RunInstancesRequest& request);

}  // namespace virga::api
