#pragma once

// What to do about volumes: pure. A volume that existed and is gone is never made anew: that would hide its loss.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hostapi/agent/documents.h"

namespace virga::hostapi {

enum class VolumeStepKind { create, mark_made, remove, forget };

struct VolumeStep {
  VolumeStepKind kind = VolumeStepKind::create;
  VolumeId volume;
  auto operator<=>(const VolumeStep&) const = default;
};

struct VolumePlan {
  std::vector<VolumeStep> steps;
  std::map<VolumeId, std::string> problems;  ///< of those there is nothing to do about
};

/// `existing`: volumes in the backend. `attached`: volumes a domain has open; nothing when that is not known.
VolumePlan plan_volumes(const WantedState& wanted, const std::set<VolumeId>& existing,
                        const std::optional<std::set<VolumeId>>& attached);

}  // namespace virga::hostapi
