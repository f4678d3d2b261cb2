#pragma once

// How the compute service meets its hosts. See network/sync.h.
//
// wanted_instance, observe_instance and instance_removed read and change rows of all three services: they are composed
// in api/workflows, since the services do not know one another.

#include <optional>
#include <string>
#include <vector>

#include "compute/wanted.h"
#include "core/config.h"
#include "core/scope.h"

namespace virga::compute {

/// The host of an instance that must exist there; nothing once it is shutting down (the host is then told to remove it)
/// or gone.
std::optional<std::string> host_of_instance(store::Transaction& tx, const InstanceId& instance);
std::optional<WantedInstance> wanted_instance(store::Transaction& tx, const Config& config, const InstanceId& instance);
std::vector<InstanceId> placed_instances(store::Transaction& tx);

/// Takes in what a host says of an instance: pending -> running, stopping -> stopped, a guest that ended by itself ->
/// stopped or shutting-down by its shutdown behaviour, attachments attaching -> attached, detaching -> gone.
Result<void> observe_instance(Scope& scope, const std::string& host, const ObservedInstance& observed);
/// The host no longer has it: shutting-down -> terminated; frees capacity and quota, deletes what goes with it.
Result<void> instance_removed(Scope& scope, const std::string& host, const InstanceId& instance);

/// Time's own work: forgets instances terminated more than an hour ago.
Result<void> expire(Scope& scope);

}  // namespace virga::compute
