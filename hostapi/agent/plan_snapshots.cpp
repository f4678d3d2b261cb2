#include "hostapi/agent/plan_snapshots.h"

#include <algorithm>

namespace virga::hostapi {
namespace {

using Kind = SnapshotStepKind;
using Backup = compute::DiskBackup::State;
using SnapshotEntry = Entry<storage::WantedSnapshot>;

class Planner {
 public:
  Planner(const WantedState& wanted, const SnapshotFacts& facts) : wanted_(wanted), facts_(facts) {
    for (const auto& [id, work] : facts.work) {
      busy_volumes_.insert(work.volume);
      if (work.phase == SnapshotPhase::backing_up)
        busy_guests_.insert(work.instance);
      else
        ++copies_;
    }
  }
  SnapshotPlan run() {
    for (const auto& [id, entry] : wanted_.snapshots) plan(id, *entry);
    return std::move(plan_);
  }

 private:
  void add(Kind kind, const SnapshotId& id, const InstanceId& instance = {}) {
    plan_.steps.push_back({.kind = kind, .snapshot = id, .instance = instance});
  }
  void plan(const SnapshotId& id, const SnapshotEntry& entry) {
    const auto work = facts_.work.find(id);
    const bool exists = facts_.existing.contains(id);
    if (entry.removed) {
      if (work != facts_.work.end())
        add(Kind::cancel, id);
      else
        add(exists ? Kind::remove : Kind::forget, id);
    } else if (work != facts_.work.end()) {
      if (work->second.phase == SnapshotPhase::backing_up) plan_backup_end(id, work->second.instance);
    } else if (exists) {
      if (!entry.made) add(Kind::mark_made, id);
    } else if (entry.made) {
      plan_.problems[id] = "The snapshot's data is missing on its host.";
    } else {
      plan_begin(id, entry.wanted.volume);
    }
  }

  void plan_backup_end(const SnapshotId& id, const InstanceId& instance) {
    const auto backup = facts_.backups.find(instance);
    if (backup == facts_.backups.end() || backup->second.state == Backup::running) return;
    add(backup->second.state == Backup::finished ? Kind::adopt : Kind::abandon, id);
  }

  void plan_begin(const SnapshotId& id, const VolumeId& volume) {
    const auto document = wanted_.volumes.find(volume);
    if (document == wanted_.volumes.end() || document->second->remnant) {
      plan_.problems[id] = "The volume " + volume.str() + " is not on this host.";
      return;
    }
    if (!facts_.volumes.contains(volume)) {
      if (document->second->made || document->second->removed)
        plan_.problems[id] = "The data of the volume " + volume.str() + " is missing on its host.";
      return;  // else it is being made
    }
    if (busy_volumes_.contains(volume)) return;
    if (!facts_.open) {
      plan_.problems[id] = "Whether a guest has the volume open is not known at present.";
      return;
    }
    const auto user = facts_.open->find(volume);
    if (user != facts_.open->end()) {
      if (!busy_guests_.insert(user->second).second) return;
      add(Kind::back_up, id, user->second);
    } else {
      if (copies_ >= SnapshotFacts::max_copies) return;
      ++copies_;
      add(Kind::copy, id);
    }
    busy_volumes_.insert(volume);
  }

  const WantedState& wanted_;
  const SnapshotFacts& facts_;
  std::set<VolumeId> busy_volumes_;
  std::set<InstanceId> busy_guests_;
  std::size_t copies_ = 0;
  SnapshotPlan plan_;
};

}  // namespace

bool open_volumes_matter(const WantedState& wanted, const std::set<SnapshotId>& existing) {
  return std::any_of(wanted.snapshots.begin(), wanted.snapshots.end(), [&](const auto& snapshot) {
    return !snapshot.second->removed && !snapshot.second->made && !existing.contains(snapshot.first);
  });
}

SnapshotPlan plan_snapshots(const WantedState& wanted, const SnapshotFacts& facts) {
  return Planner(wanted, facts).run();
}

}  // namespace virga::hostapi
