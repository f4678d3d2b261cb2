#pragma once

// The network interfaces of a launch: from SubnetId, SecurityGroup*, PrivateIpAddress and Placement, or from
// NetworkInterface.N, which excludes the former.

#include <vector>

#include "api/call.h"
#include "compute/instance_types.h"
#include "ec2/shape/RunInstancesRequest.h"
#include "network/interfaces.h"

namespace virga::api {

/// At least one, ascending by device index, all in one zone and VPC; `instance` and `host` are still empty.
/// Errors: InvalidParameterCombination, InvalidParameterValue, MissingParameter, InvalidSubnetID.*, InvalidGroup*,
/// MissingInput, AttachmentLimitExceeded.
Result<std::vector<network::InterfaceRequest>> plan_interfaces(Call& call, const ec2::RunInstancesRequest& request,
                                                               int max_count, const compute::InstanceType& type);

/// Of a network interface. Errors: InvalidParameterValue (longer than EC2 has it).
Result<void> check_interface_description(const std::string& description);

}  // namespace virga::api
