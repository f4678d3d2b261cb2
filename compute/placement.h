#pragma once

// The scheduler: which host an instance goes to. Capacity is counted in the host's row, in the transaction that
// promises it. Spread: the host with the most free memory among those that serve the zone and have what the volumes are
// made from.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::compute {

struct Resources {
  std::int64_t vcpus = 0;
  std::int64_t memory_mib = 0;
  std::int64_t storage_gib = 0;
};

struct PlacementRequest {
  std::string zone;
  ImageId image_bytes = {};                ///< only hosts that have these bytes; empty: none are needed
  std::vector<SnapshotId> snapshots = {};  ///< and all of these
  Resources each;
  int max_count = 1;
};

/// A host for each instance that fits, at most max_count; nothing is written.
/// Errors: InsufficientInstanceCapacity, naming resource, needed and free, when fewer than `min_count` fit.
Result<std::vector<std::string>> place(Scope& scope, const PlacementRequest& request, int min_count);

/// Promises vCPUs and memory of the host to an instance, or gives them back. (Storage is counted by storage.)
void take_capacity(Scope& scope, const std::string& host, const Resources& resources);
void give_capacity_back(Scope& scope, const std::string& host, const Resources& resources);
/// For a start after a stop. Errors: InsufficientInstanceCapacity.
Result<void> take_capacity_if_free(Scope& scope, const std::string& host, const Resources& resources);

}  // namespace virga::compute
