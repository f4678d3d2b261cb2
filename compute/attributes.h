#pragma once

// What may be changed of an instance after its launch. Some of it only while the instance is stopped, since a guest has
// it from its start: type, user data, EBS optimisation. The rest is so at once.

#include <optional>
#include <string>

#include "compute/instances.h"
#include "core/scope.h"

namespace virga::compute::attributes {

/// What one call changes; a member without value: as it was.
struct Changes {
  std::optional<InstanceType> type = {};
  std::optional<std::string> user_data = {};  ///< base64; empty: no user data any more
  std::optional<bool> ebs_optimized = {};
  std::optional<bool> protect_termination = {};
  std::optional<bool> protect_stop = {};
  std::optional<ShutdownBehavior> shutdown_behavior = {};
  std::optional<bool> monitoring = {};
  std::optional<MetadataOptions> metadata = {};
  std::optional<std::string> cpu_credits = {};  ///< standard | unlimited
  std::optional<AutoRecovery> auto_recovery = {};
};

/// The instance as it is then. Its document is computed anew.
/// Errors: InvalidInstanceID.NotFound, IncorrectInstanceState (being terminated; or not stopped where it must be).
Result<Instance> change(Scope& scope, const InstanceId& id, const Changes& changes);

/// Errors: IncorrectInstanceState when it is being terminated or is terminated: nothing of it can be changed then.
Result<void> check_changeable(const Instance& instance);

}  // namespace virga::compute::attributes
