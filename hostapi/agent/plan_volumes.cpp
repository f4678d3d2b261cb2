#include "hostapi/agent/plan_volumes.h"

namespace virga::hostapi {
namespace {

/// The instance whose document names the volume; empty: none.
std::string named_by(const WantedState& wanted, const VolumeId& volume) {
  for (const auto& [id, entry] : wanted.instances)
    for (const auto& disk : entry->wanted.disks)
      if (disk.volume == volume) return id.str();
  return {};
}

}  // namespace

VolumePlan plan_volumes(const WantedState& wanted, const std::set<VolumeId>& existing,
                        const std::optional<std::set<VolumeId>>& attached) {
  VolumePlan plan;
  for (const auto& [id, entry] : wanted.volumes) {
    const bool exists = existing.contains(id);
    if (!entry->removed) {
      if (exists && !entry->made) plan.steps.push_back({VolumeStepKind::mark_made, id});
      if (!exists && !entry->made) plan.steps.push_back({VolumeStepKind::create, id});
      if (!exists && entry->made) plan.problems[id] = "The volume's data is missing on its host.";
      continue;
    }
    if (!exists) {
      plan.steps.push_back({VolumeStepKind::forget, id});
    } else if (!attached) {
      plan.problems[id] = "Whether a guest has the volume open is not known at present.";
    } else if (attached->contains(id)) {
      plan.problems[id] = "A guest has the volume open.";
    } else if (const auto user = named_by(wanted, id); !user.empty()) {
      plan.problems[id] = "The volume belongs to " + user + ".";
    } else {
      plan.steps.push_back({VolumeStepKind::remove, id});
    }
  }
  return plan;
}

}  // namespace virga::hostapi
