#pragma once

// What to do about snapshots: pure.
//
//            volume closed: copy                        volume open: back_up              adopt
//   wanted --------------------> copying --> made      wanted --------------> backing up --------> adopting --> made
//      ^                            |                      ^                      |                    |
//      +----------- failed ---------+                      +------ abandon -------+------ failed ------+
//
// A volume is copied for one snapshot at a time, and a guest's hypervisor makes one copy at a time. A snapshot that was
// made and is gone is never made anew: it would show another moment.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compute/host/hypervisor.h"
#include "hostapi/agent/documents.h"
#include "hostapi/agent/plan_volumes.h"

namespace virga::hostapi {

enum class SnapshotPhase { copying, backing_up, adopting };

/// A snapshot that this process is making.
struct SnapshotWork {
  SnapshotPhase phase = SnapshotPhase::copying;
  VolumeId volume;
  InstanceId instance = {};        ///< backing_up: whose hypervisor does it
  std::uint64_t backup_bytes = 0;  ///< what there was to copy for the hypervisor; 0: not known
  std::uint64_t backed_up = 0;     ///< of that
};

enum class SnapshotStepKind {
  copy,     ///< from the volume's file, in the background
  back_up,  ///< by the hypervisor of the guest that has the volume open
  adopt,    ///< what the hypervisor has finished, in the background
  abandon,  ///< what the hypervisor has not
  cancel,   ///< the work for a snapshot that is wanted no longer
  mark_made,
  remove,
  forget,
};

struct SnapshotStep {
  SnapshotStepKind kind = SnapshotStepKind::copy;
  SnapshotId snapshot;
  InstanceId instance = {};  ///< back_up
  auto operator<=>(const SnapshotStep&) const = default;
};

struct SnapshotFacts {
  static constexpr std::size_t max_copies = 2;  ///< under way in the background at once
  std::set<SnapshotId> existing;
  std::set<VolumeId> volumes;  ///< that exist
  std::map<SnapshotId, SnapshotWork> work;
  std::map<InstanceId, compute::DiskBackup> backups;  ///< of those at work, where it is known
  std::optional<OpenVolumes> open;                    ///< nothing when it is not known
};

struct SnapshotPlan {
  std::vector<SnapshotStep> steps;
  std::map<SnapshotId, std::string> problems;  ///< of those there is nothing to do about
};

/// Whether anything is to be made, for which one must know who has which volume open.
bool open_volumes_matter(const WantedState& wanted, const std::set<SnapshotId>& existing);

SnapshotPlan plan_snapshots(const WantedState& wanted, const SnapshotFacts& facts);

}  // namespace virga::hostapi
