#include "hostapi/agent/snapshot_reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace virga::hostapi {

using Kind = SnapshotStepKind;

namespace {

/// How often the progress of a copy is looked at.
constexpr std::chrono::milliseconds progress_interval{500};

bool is_making(Kind kind) { return kind == Kind::copy || kind == Kind::back_up || kind == Kind::adopt; }
std::string key_of(Kind kind) { return is_making(kind) || kind == Kind::abandon ? "make" : "remove"; }

}  // namespace

Pass SnapshotReconciler::pass() {
  const Time now = shared_.ports.clock.now();
  const bool ended = take_ended(now);
  cancel_strays();
  const auto wanted = shared_.documents.current();
  const auto listed = shared_.ports.volumes.list_snapshots();
  Seen seen;
  if (listed)
    for (const auto& snapshot : *listed) seen[snapshot.id] = snapshot;
  const auto facts = listed ? gather(*wanted, seen) : std::nullopt;
  if (!facts) return {.progressed = ended, .next = now + outage_interval};
  const auto plan = plan_snapshots(*wanted, *facts);
  report(*wanted, seen, plan);
  const bool progressed = run_all(plan, *wanted) || ended;
  if (!progressed) report(*wanted, seen, plan);  // with the reasons of this pass's failures
  Time next = now + look_interval;
  for (const auto& [id, memory] : memory_) next = memory.backoff.next(next);
  if (!plan.problems.empty()) next = std::min(next, now + outage_interval);
  if (!work_.empty()) next = std::min(next, now + progress_interval);
  if (!strays_ || !strays_->empty()) next = std::min(next, now + outage_interval);
  return {.progressed = progressed, .next = next};
}

bool SnapshotReconciler::take_ended(Time now) {
  const auto ended = copies_.take_ended();
  for (const auto& [id, done] : ended) {
    const auto work = work_.find(id);
    const bool adopted = work != work_.end() && work->second.phase == SnapshotPhase::adopting;
    end_work(id);
    if (done) {
      spdlog::info("snapshots: made {}", id.str());
      memory_[id].backoff.clear();
      continue;
    }
    spdlog::warn("snapshots: make {}: {}", id.str(), describe(done.error()));
    memory_[id].backoff.failed("make", now, done.error().message);
    if (!adopted) continue;
    // What the hypervisor made is of no use any more, and takes the room of what is tried next.
    if (const auto dropped = shared_.ports.volumes.drop_backup(id); !dropped)
      spdlog::warn("snapshots: drop the copy for {}: {}", id.str(), describe(dropped.error()));
  }
  return !ended.empty();
}

void SnapshotReconciler::cancel_strays() {
  auto& hypervisor = shared_.ports.hypervisor;
  if (!strays_) {
    const auto domains = hypervisor.list();
    if (!domains) return;
    strays_.emplace();
    for (const auto& domain : *domains)
      if (domain.state != compute::DomainState::off) strays_->insert(domain.id);
  }
  for (const auto& [id, work] : work_)
    if (work.phase == SnapshotPhase::backing_up) strays_->erase(work.instance);
  while (!strays_->empty()) {
    const auto guest = *strays_->begin();
    const auto backup = hypervisor.backup_state(guest);
    if (!backup) return;  // looked at again
    if (backup->state == compute::DiskBackup::State::running) {
      spdlog::info("snapshots: cancelling a copy that {} makes for nobody", guest.str());
      if (!hypervisor.cancel_backup(guest)) return;
    }
    strays_->erase(guest);
  }
}

std::optional<OpenVolumes> SnapshotReconciler::open_volumes() {
  const auto domains = shared_.ports.hypervisor.list();
  if (!domains) return std::nullopt;
  OpenVolumes open;
  for (const auto& domain : *domains) {
    if (domain.state == compute::DomainState::off) continue;
    for (const auto& disk : domain.disks) open[disk] = domain.id;
  }
  return open;
}

std::optional<SnapshotFacts> SnapshotReconciler::gather(const WantedState& wanted, const Seen& seen) {
  SnapshotFacts facts;
  facts.work = work_;
  for (const auto& [id, snapshot] : seen)
    if (snapshot.ready) facts.existing.insert(id);
  for (auto& [id, work] : work_) {
    if (work.phase != SnapshotPhase::backing_up) continue;
    const auto backup = shared_.ports.hypervisor.backup_state(work.instance);
    if (!backup) continue;  // libvirt is away: the copy goes on, or will be seen to have ended
    facts.backups[work.instance] = *backup;
    work.backup_bytes = std::max(work.backup_bytes, backup->total_bytes);
    work.backed_up = std::max(work.backed_up, backup->done_bytes);
  }
  if (!open_volumes_matter(wanted, facts.existing)) return facts;
  const auto volumes = shared_.ports.volumes.list();
  if (!volumes) return std::nullopt;
  for (const auto& volume : *volumes) facts.volumes.insert(volume.id);
  facts.open = open_volumes();
  return facts;
}

SnapshotReconciler::Memory& SnapshotReconciler::memory_of(const SnapshotId& id,
                                                          const Entry<storage::WantedSnapshot>& entry) {
  auto& memory = memory_[id];
  if (memory.generation != entry.wanted.generation || memory.removed != entry.removed)
    memory = Memory{.generation = entry.wanted.generation, .removed = entry.removed, .backoff = {}};
  return memory;
}

bool SnapshotReconciler::run_all(const SnapshotPlan& plan, const WantedState& wanted) {
  bool progressed = false;
  for (const auto& step : plan.steps) {
    auto& memory = memory_of(step.snapshot, *wanted.snapshots.at(step.snapshot));
    const Time now = shared_.ports.clock.now();
    const auto key = key_of(step.kind);
    if (!memory.backoff.ready(key, now)) continue;
    const auto done = run(step, wanted);
    if (!done) {
      spdlog::warn("snapshots: {} {}: {}", key, step.snapshot.str(), describe(done.error()));
      memory.backoff.failed(key, now, done.error().message);
    } else if (*done) {
      if (key == "remove") memory.backoff.succeeded(key);
      progressed = true;
    }
  }
  return progressed;
}

Result<bool> SnapshotReconciler::run(const SnapshotStep& step, const WantedState& wanted) {
  const auto& id = step.snapshot;
  const auto& snapshot = wanted.snapshots.at(id)->wanted;
  switch (step.kind) {
    case Kind::copy:
      return copy(snapshot, wanted.volumes.at(snapshot.volume)->wanted);
    case Kind::back_up:
      return back_up(step, snapshot, wanted.volumes.at(snapshot.volume)->wanted);
    case Kind::adopt:
      work_.at(id).phase = SnapshotPhase::adopting;
      shared_.readiness.release(work_.at(id).volume);  // the guest's disk is free again
      released_();
      copies_.enqueue({.snapshot = snapshot, .volume = {}});
      queued_();
      return true;
    case Kind::abandon:
      end_work(id);
      TRY_VOID(shared_.ports.volumes.drop_backup(id));
      return fail(Code::internal, "The copy of the volume's disk ended early and begins again.");
    case Kind::cancel:
      return cancel(id);
    case Kind::mark_made:
      TRY_VOID(shared_.documents.mark_made(id));
      released_();  // the volume's removal may have waited for it
      return true;
    case Kind::remove:
      TRY_VOID(shared_.ports.volumes.remove_snapshot(id));
      return true;
    case Kind::forget:
      TRY_VOID(shared_.ports.volumes.drop_backup(id));
      TRY_VOID(shared_.documents.forget(DocumentKind::snapshot, id.str()));
      memory_[id] = {};
      released_();
      return true;
  }
  return false;
}

Result<bool> SnapshotReconciler::copy(const storage::WantedSnapshot& snapshot, const storage::WantedVolume& volume) {
  if (!shared_.readiness.reserve(volume.id)) return false;  // a guest is about to open it: seen in a later pass
  const auto open = open_volumes();                         // once more: none can be added now
  if (!open || open->contains(volume.id)) {
    shared_.readiness.release(volume.id);
    released_();
    return false;
  }
  work_[snapshot.id] = {.phase = SnapshotPhase::copying, .volume = volume.id};
  copies_.enqueue({.snapshot = snapshot, .volume = volume});
  queued_();
  return true;
}

Result<bool> SnapshotReconciler::back_up(const SnapshotStep& step, const storage::WantedSnapshot& snapshot,
                                         const storage::WantedVolume& volume) {
  const auto target = TRY(shared_.ports.volumes.backup_target(snapshot, volume));
  const auto begun = shared_.ports.hypervisor.begin_backup(step.instance, volume.id, target);
  if (!begun) {
    // The guest may just have gone off, or have let go of the volume: the next look says what is to be done. And after
    // a call without an answer the copy may have begun all the same.
    if (strays_) strays_->insert(step.instance);
    TRY_VOID(shared_.ports.volumes.drop_backup(snapshot.id));
    return fail(begun.error());
  }
  shared_.readiness.set_busy(volume.id);
  work_[snapshot.id] = {.phase = SnapshotPhase::backing_up, .volume = volume.id, .instance = step.instance};
  return true;
}

Result<bool> SnapshotReconciler::cancel(const SnapshotId& id) {
  const auto& work = work_.at(id);
  if (work.phase == SnapshotPhase::backing_up) {
    TRY_VOID(shared_.ports.hypervisor.cancel_backup(work.instance));
  } else if (!copies_.withdraw(id)) {
    return false;  // it is under way and ends by itself; what it makes is removed then
  }
  end_work(id);
  TRY_VOID(shared_.ports.volumes.drop_backup(id));
  return true;
}

void SnapshotReconciler::end_work(const SnapshotId& id) {
  const auto found = work_.find(id);
  if (found == work_.end()) return;
  if (found->second.phase != SnapshotPhase::adopting) shared_.readiness.release(found->second.volume);
  work_.erase(found);
  released_();
}

void SnapshotReconciler::show_progress(storage::ObservedSnapshot& snapshot, const Seen& seen) const {
  const auto work = work_.find(snapshot.id);
  if (work == work_.end()) return;
  const auto copy = seen.find(snapshot.id);
  const std::uint64_t copied = copy == seen.end() ? 0 : copy->second.done_bytes;
  const std::uint64_t to_copy = copy == seen.end() ? 0 : copy->second.total_bytes;
  if (work->second.phase == SnapshotPhase::copying) {
    snapshot.done_bytes = copied;
    snapshot.total_bytes = to_copy;
    return;
  }
  // Two halves: the hypervisor's copy, and ours of that.
  const auto half = std::max<std::uint64_t>(work->second.backup_bytes, 1);
  snapshot.total_bytes = 2 * half;
  snapshot.done_bytes = std::min(work->second.backed_up, half);
  if (work->second.phase == SnapshotPhase::backing_up) return;
  const double share = to_copy == 0 ? 0.0 : static_cast<double>(copied) / static_cast<double>(to_copy);
  snapshot.done_bytes = half + static_cast<std::uint64_t>(static_cast<double>(half) * std::min(share, 1.0));
}

void SnapshotReconciler::report(const WantedState& wanted, const Seen& seen, const SnapshotPlan& plan) {
  std::vector<storage::ObservedSnapshot> observed;
  for (const auto& [id, entry] : wanted.snapshots) {
    storage::ObservedSnapshot snapshot;
    const auto there = seen.find(id);
    if (there != seen.end() && there->second.ready) snapshot = there->second;
    snapshot.id = id;
    snapshot.generation = entry->wanted.generation;
    if (!snapshot.ready) show_progress(snapshot, seen);
    if (const auto stuck = plan.problems.find(id); stuck != plan.problems.end()) snapshot.problem = stuck->second;
    if (const auto why = memory_of(id, *entry).backoff.any_problem(); !why.empty() && !work_.contains(id))
      snapshot.problem = why;
    observed.push_back(std::move(snapshot));
  }
  std::vector<std::string> problems;
  for (const auto& [id, snapshot] : seen) {
    if (wanted.snapshots.contains(id) || !snapshot.ready) continue;
    if (!wanted.is_damaged(id.str())) {
      problems.push_back("storage: " + id.str() + " exists without a document; left alone");
      continue;
    }
    auto damaged = snapshot;
    damaged.generation = 0;
    damaged.problem = "The wanted document is damaged.";
    observed.push_back(std::move(damaged));
  }
  shared_.observed.set_problems("snapshots", std::move(problems));
  shared_.observed.set_snapshots(std::move(observed));
  std::erase_if(memory_, [&](const auto& entry) { return !wanted.snapshots.contains(entry.first); });
}

}  // namespace virga::hostapi
