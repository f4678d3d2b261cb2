#pragma once

// Changes of an instance that need more than its own row: what it is made from, its interfaces, its volumes.

#include <string>
#include <vector>

#include "compute/attributes.h"

namespace virga::api {

/// As kept in the instance's row, base64; of no bytes: empty. Errors: InvalidParameterValue (too long).
Result<std::string> checked_user_data(const std::string& bytes);

/// Of a stopped instance. Errors: InvalidInstanceAttributeValue (no such type), IncorrectInstanceState,
/// InvalidParameterCombination (too little memory for its image), AttachmentLimitExceeded (too many interfaces for it).
Result<void> change_type(Scope& scope, const compute::Instance& instance, const std::string& name);

// Of the only network interface. With several: InvalidInstanceID, since it is not said which one is meant.
Result<void> change_groups(Scope& scope, const compute::Instance& instance, const std::vector<SecurityGroupId>& groups);
Result<void> change_source_dest_check(Scope& scope, const compute::Instance& instance, bool check);

struct DeviceChange {
  std::string device;
  VolumeId volume;  ///< empty, or the volume that is there
  bool delete_on_termination = false;
};
/// All or none. Errors: InvalidInstanceAttributeValue (nothing, or another volume, is attached there).
Result<void> change_devices(Scope& scope, const compute::Instance& instance, const std::vector<DeviceChange>& changes);

}  // namespace virga::api
