#pragma once

// RunInstances: rows of all three services in the request's one transaction. Nothing slow happens here; the answer is
// `pending`, and the hosts' agents make it true.

#include <vector>

#include "api/workflows/launch_plan.h"

namespace virga::api {

struct Launched {
  ReservationId reservation;
  std::vector<InstanceId> instances;
};

/// As many as fit, up to MaxCount; fewer than MinCount: nothing at all.
/// Errors: InsufficientInstanceCapacity, InsufficientFreeAddressesInSubnet, InstanceLimitExceeded, VcpuLimitExceeded,
/// VolumeLimitExceeded, MaxStorageExceeded, InsufficientAddressCapacity, and those of network::allocate_interface.
Result<Launched> run_instances(Scope& scope, const Config& config, const LaunchPlan& plan);

}  // namespace virga::api
