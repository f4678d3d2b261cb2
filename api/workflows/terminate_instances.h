#pragma once

#include <vector>

#include "compute/lifecycle.h"

namespace virga::api {

/// TerminateInstances: to shutting-down; an instance that no host was ever told of is terminated at once.
Result<std::vector<compute::lifecycle::StateChange>> terminate_instances(Scope& scope,
                                                                         const std::vector<InstanceId>& ids);

}  // namespace virga::api
