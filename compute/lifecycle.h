#pragma once

// What moves an instance from state to state (compute/state.h draws the machine): the user's calls and the host's
// observations. Every change of state is journalled and touches the instance's document, in the same transaction.

#include <chrono>
#include <string>
#include <vector>

#include "compute/instances.h"
#include "core/scope.h"

namespace virga::compute::lifecycle {

/// For the answers of Start, Stop and Terminate.
struct StateChange {
  InstanceId id;
  InstanceState previous;
  InstanceState current;
};

enum class Stop { orderly, forced };

/// All or none. Repeating a call succeeds and changes nothing.
/// Errors: InvalidInstanceID.NotFound, IncorrectInstanceState, InsufficientInstanceCapacity.
Result<std::vector<StateChange>> start(Scope& scope, const std::vector<InstanceId>& ids);
/// Errors: InvalidInstanceID.NotFound, IncorrectInstanceState, OperationNotPermitted (protected).
Result<std::vector<StateChange>> stop(Scope& scope, const std::vector<InstanceId>& ids, Stop how);
/// Errors: InvalidInstanceID.NotFound, IncorrectInstanceState.
Result<void> reboot(Scope& scope, const std::vector<InstanceId>& ids);
/// To shutting-down; `gone` ends it when its host no longer has it.
/// Errors: InvalidInstanceID.NotFound, OperationNotPermitted (protected).
Result<std::vector<StateChange>> terminate(Scope& scope, const std::vector<InstanceId>& ids);

/// The guest is to be off, though its state does not say so, while its volumes are copied for an image.
void hold(Scope& scope, const Instance& instance, const ImageId& image);
/// It need not be off any more: a guest that should run is started again.
void end_hold(Scope& scope, const Instance& instance);

/// Takes in what the host says of the guest. Words about an earlier start are ignored.
/// `scope.account` is the instance's own.
void observe(Scope& scope, const Instance& instance, const ObservedInstance& observed);
/// shutting-down -> terminated: gives back capacity and quota. Its volumes and interfaces are not compute's.
void gone(Scope& scope, const Instance& instance);

/// Whether the host was ever given a document of it: if not, there is nothing there to remove.
bool told_to_host(store::Transaction& tx, const Instance& instance);
/// Whether an observation made under this generation of the document speaks of what is wanted now.
bool is_current(store::Transaction& tx, const Instance& instance, std::uint64_t generation);

/// How long a host may fail to start a guest before the launch (or start) is given up.
inline constexpr std::chrono::minutes launch_deadline{5};
/// How long a terminated instance stays visible.
inline constexpr std::chrono::hours terminated_visible{1};

}  // namespace virga::compute::lifecycle
