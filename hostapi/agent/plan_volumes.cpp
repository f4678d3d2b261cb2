#include "hostapi/agent/plan_volumes.h"

#include <algorithm>

namespace virga::hostapi {
namespace {

constexpr const char* not_known = "Whether a guest has the volume open is not known at present.";

/// The instance whose document names the volume; empty: none.
std::string named_by(const WantedState& wanted, const VolumeId& volume) {
  for (const auto& [id, entry] : wanted.instances)
    for (const auto& disk : entry->wanted.disks)
      if (disk.volume == volume) return id.str();
  return {};
}

/// Whether a snapshot is still to be made of the volume, or may be: a damaged document does not say of which one it is.
bool awaits_snapshot(const WantedState& wanted, const VolumeId& volume) {
  const bool unknown = std::any_of(wanted.damaged.begin(), wanted.damaged.end(),
                                   [](const auto& document) { return SnapshotId::parse(document.first).has_value(); });
  if (unknown) return true;
  return std::any_of(wanted.snapshots.begin(), wanted.snapshots.end(), [&](const auto& snapshot) {
    const auto& entry = *snapshot.second;
    return !entry.removed && !entry.made && entry.wanted.volume == volume;
  });
}

/// Whether the existing volume is smaller than it should be.
bool must_grow(const Entry<storage::WantedVolume>& entry, std::uint64_t size_gib) {
  return !entry.removed && size_gib != 0 && size_gib < entry.wanted.size_gib;
}

void plan_growth(const VolumeId& id, const std::optional<OpenVolumes>& open, VolumePlan& plan) {
  if (!open) {
    plan.problems[id] = not_known;
    return;
  }
  const auto user = open->find(id);
  if (user == open->end())
    plan.steps.push_back({.kind = VolumeStepKind::resize, .volume = id});
  else
    plan.steps.push_back({.kind = VolumeStepKind::resize_open, .volume = id, .instance = user->second});
}

void plan_removal(const WantedState& wanted, const VolumeId& id, const std::optional<OpenVolumes>& open,
                  VolumePlan& plan) {
  if (!open) {
    plan.problems[id] = not_known;
  } else if (open->contains(id)) {
    plan.problems[id] = "A guest has the volume open.";
  } else if (awaits_snapshot(wanted, id)) {
    plan.problems[id] = "A snapshot of the volume is being made.";
  } else if (const auto user = named_by(wanted, id); !user.empty()) {
    plan.problems[id] = "The volume belongs to " + user + ".";
  } else {
    plan.steps.push_back({.kind = VolumeStepKind::remove, .volume = id});
  }
}

}  // namespace

bool open_volumes_matter(const WantedState& wanted, const ExistingVolumes& existing) {
  return std::any_of(wanted.volumes.begin(), wanted.volumes.end(), [&](const auto& volume) {
    const auto found = existing.find(volume.first);
    return volume.second->removed || (found != existing.end() && must_grow(*volume.second, found->second));
  });
}

VolumePlan plan_volumes(const WantedState& wanted, const ExistingVolumes& existing,
                        const std::optional<OpenVolumes>& open, const std::set<VolumeId>& busy) {
  VolumePlan plan;
  for (const auto& [id, entry] : wanted.volumes) {
    const auto found = existing.find(id);
    const bool exists = found != existing.end();
    if (entry->removed) {
      if (exists)
        plan_removal(wanted, id, open, plan);
      else
        plan.steps.push_back({.kind = VolumeStepKind::forget, .volume = id});
      continue;
    }
    if (exists && !entry->made) plan.steps.push_back({.kind = VolumeStepKind::mark_made, .volume = id});
    if (!exists && !entry->made) plan.steps.push_back({.kind = VolumeStepKind::create, .volume = id});
    if (!exists && entry->made) plan.problems[id] = "The volume's data is missing on its host.";
    if (exists && must_grow(*entry, found->second) && !busy.contains(id)) plan_growth(id, open, plan);
  }
  return plan;
}

}  // namespace virga::hostapi
