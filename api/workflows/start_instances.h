#pragma once

#include <vector>

#include "compute/lifecycle.h"
#include "core/config.h"

namespace virga::api {

/// StartInstances: to pending; interfaces that want a public address get a new one.
/// Errors: those of compute::lifecycle::start; InsufficientAddressCapacity.
Result<std::vector<compute::lifecycle::StateChange>> start_instances(Scope& scope, const Config& config,
                                                                     const std::vector<InstanceId>& ids);

}  // namespace virga::api
