#pragma once

// What to do about volumes: pure. A volume that existed and is gone is never made anew: that would hide its loss. One
// that is larger than wanted stays as large: there may be data at its end.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hostapi/agent/documents.h"

namespace virga::hostapi {

enum class VolumeStepKind {
  create,
  mark_made,
  resize,       ///< its file, which nobody has open
  resize_open,  ///< by the hypervisor of the guest that has it open
  remove,
  forget,
};

struct VolumeStep {
  VolumeStepKind kind = VolumeStepKind::create;
  VolumeId volume;
  InstanceId instance = {};  ///< resize_open
  auto operator<=>(const VolumeStep&) const = default;
};

struct VolumePlan {
  std::vector<VolumeStep> steps;
  std::map<VolumeId, std::string> problems;  ///< of those there is nothing to do about
};

/// Volumes in the backend, and the sizes of their disks in GiB; 0: not known.
using ExistingVolumes = std::map<VolumeId, std::uint64_t>;
/// Volumes a domain has open, and whose it is.
using OpenVolumes = std::map<VolumeId, InstanceId>;

/// Whether what must be done depends on who has a volume open.
bool open_volumes_matter(const WantedState& wanted, const ExistingVolumes& existing);

/// `open`: nothing when it is not known. `busy`: being copied now, which growth waits for; removal waits for all the
/// snapshots that are still to be made of the volume.
VolumePlan plan_volumes(const WantedState& wanted, const ExistingVolumes& existing,
                        const std::optional<OpenVolumes>& open, const std::set<VolumeId>& busy = {});

}  // namespace virga::hostapi
