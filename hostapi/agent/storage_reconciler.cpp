#include "hostapi/agent/storage_reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace virga::hostapi {

using Kind = VolumeStepKind;

namespace {

/// What was resized and still seems too small is resized again after this long only.
constexpr std::chrono::milliseconds repeat_interval{5'000};

bool is_resize(Kind kind) { return kind == Kind::resize || kind == Kind::resize_open; }

std::string key_of(Kind kind) {
  switch (kind) {
    case Kind::create:
      return "create";
    case Kind::resize:
    case Kind::resize_open:
      return "resize";
    case Kind::mark_made:
    case Kind::remove:
    case Kind::forget:
      break;
  }
  return "remove";
}

ExistingVolumes sizes_of(const std::vector<storage::ObservedVolume>& volumes) {
  ExistingVolumes sizes;
  for (const auto& volume : volumes) sizes[volume.id] = volume.size_gib;
  return sizes;
}

}  // namespace

Pass StorageReconciler::pass() {
  const Time now = shared_.ports.clock.now();
  remove_leftovers();
  auto images = shared_.ports.volumes.list_images();
  const auto existing = shared_.ports.volumes.list();
  if (!existing || !images) {
    const auto& error = existing ? images.error() : existing.error();
    spdlog::warn("storage: {}", describe(error));
    shared_.observed.set_problems("storage", {"storage: " + describe(error)});
    return {.progressed = false, .next = now + outage_interval};
  }
  const auto wanted = shared_.documents.current();
  std::set<std::string> bases;
  for (const auto& image : *images) bases.insert(image.id.str());
  for (const auto& [id, entry] : wanted->snapshots)
    if (entry->made) bases.insert(id.str());
  if (bases != bases_) {  // volumes may have waited for one of them
    for (auto& [id, memory] : memory_) memory.backoff.clear();
    bases_ = std::move(bases);
  }
  report_capacity(*existing);
  shared_.observed.set_images(imports_.merged_with(std::move(*images)));

  const auto sizes = sizes_of(*existing);
  const auto plan = plan_volumes(*wanted, sizes, open_volumes(*wanted, sizes), shared_.readiness.busy_volumes());
  report(*wanted, *existing, plan);
  const bool progressed = run_all(plan, *wanted);
  if (!progressed) report(*wanted, *existing, plan);  // with the reasons of this pass's failures
  Time next = now + look_interval;
  for (const auto& [id, memory] : memory_) next = memory.backoff.next(next);
  if (!plan.problems.empty()) next = std::min(next, now + outage_interval);
  return {.progressed = progressed, .next = next};
}

void StorageReconciler::remove_leftovers() {
  if (cleaned_) return;
  const auto removed = shared_.ports.volumes.remove_leftovers();
  if (!removed) {
    spdlog::warn("storage: remove leftovers: {}", describe(removed.error()));
    return;
  }
  for (const auto& name : *removed) spdlog::info("storage: removed {}, left by an interrupted run", name);
  cleaned_ = true;
}

std::optional<OpenVolumes> StorageReconciler::open_volumes(const WantedState& wanted, const ExistingVolumes& existing) {
  if (!open_volumes_matter(wanted, existing)) return std::nullopt;
  const auto domains = shared_.ports.hypervisor.list();
  if (!domains) return std::nullopt;
  OpenVolumes open;
  for (const auto& domain : *domains) {
    if (domain.state == compute::DomainState::off) continue;
    for (const auto& disk : domain.disks) open[disk] = domain.id;
  }
  return open;
}

bool StorageReconciler::is_about_to_change(const VolumeId& id, const Entry<storage::WantedVolume>& entry,
                                           const VolumePlan& plan) {
  const bool planned = std::find(plan.steps.begin(), plan.steps.end(),
                                 VolumeStep{.kind = Kind::resize, .volume = id}) != plan.steps.end();
  return planned && memory_of(id, entry).backoff.problem_of(key_of(Kind::resize)).empty();
}

StorageReconciler::Memory& StorageReconciler::memory_of(const VolumeId& id, const Entry<storage::WantedVolume>& entry) {
  auto& memory = memory_[id];
  if (memory.generation != entry.wanted.generation || memory.removed != entry.removed) {
    memory = Memory{.generation = entry.wanted.generation, .removed = entry.removed, .backoff = {}, .resized = {}};
  }
  return memory;
}

bool StorageReconciler::run_all(const VolumePlan& plan, const WantedState& wanted) {
  bool progressed = false;
  for (const auto& step : plan.steps) {
    auto& memory = memory_of(step.volume, *wanted.volumes.at(step.volume));
    const Time now = shared_.ports.clock.now();
    if (!memory.backoff.ready(key_of(step.kind), now)) continue;
    if (is_resize(step.kind) && memory.resized && now - *memory.resized < repeat_interval) continue;
    const auto done = run(step, wanted);
    if (done) {
      memory.backoff.succeeded(key_of(step.kind));
      if (is_resize(step.kind)) memory.resized = now;
      progressed = true;
    } else {
      spdlog::warn("storage: {} {}: {}", key_of(step.kind), step.volume.str(), describe(done.error()));
      memory.backoff.failed(key_of(step.kind), now, done.error().message);
    }
  }
  return progressed;
}

Result<void> StorageReconciler::run(const VolumeStep& step, const WantedState& wanted) {
  switch (step.kind) {
    case Kind::create:
      return shared_.ports.volumes.create(wanted.volumes.at(step.volume)->wanted);
    case Kind::mark_made:
      return shared_.documents.mark_made(step.volume);
    case Kind::resize:
      return shared_.ports.volumes.resize(step.volume, wanted.volumes.at(step.volume)->wanted.size_gib);
    case Kind::resize_open:
      return shared_.ports.hypervisor.resize_disk(step.instance, step.volume,
                                                  wanted.volumes.at(step.volume)->wanted.size_gib);
    case Kind::remove:
      return shared_.ports.volumes.remove(step.volume);
    case Kind::forget:
      TRY_VOID(shared_.documents.forget(DocumentKind::volume, step.volume.str()));
      memory_[step.volume] = {};
      return {};
  }
  return {};
}

void StorageReconciler::report(const WantedState& wanted, const std::vector<storage::ObservedVolume>& existing,
                               const VolumePlan& plan) {
  std::map<VolumeId, const storage::ObservedVolume*> found;
  for (const auto& volume : existing) found[volume.id] = &volume;
  std::vector<storage::ObservedVolume> observed;
  std::set<VolumeId> ready;
  for (const auto& [id, entry] : wanted.volumes) {
    const auto there = found.find(id);
    storage::ObservedVolume volume;
    volume.id = id;
    volume.generation = entry->wanted.generation;
    if (there != found.end()) {
      volume.ready = there->second->ready;
      volume.allocated_bytes = there->second->allocated_bytes;
      volume.size_gib = there->second->size_gib;
      volume.problem = there->second->problem;
    }
    if (const auto stuck = plan.problems.find(id); stuck != plan.problems.end()) volume.problem = stuck->second;
    if (const auto why = memory_of(id, *entry).backoff.any_problem(); !why.empty()) volume.problem = why;
    if (volume.ready && !entry->removed && !is_about_to_change(id, *entry, plan)) ready.insert(id);
    observed.push_back(std::move(volume));
  }
  std::vector<std::string> problems;
  for (const auto& [id, volume] : found) {
    if (wanted.volumes.contains(id)) continue;
    if (!wanted.is_damaged(id.str())) {
      problems.push_back("storage: " + id.str() + " exists without a document; left alone");
      continue;
    }
    if (volume->ready) ready.insert(id);  // guests that use it go on doing so
    auto damaged = *volume;
    damaged.generation = 0;
    damaged.problem = "The wanted document is damaged.";
    observed.push_back(std::move(damaged));
  }
  shared_.observed.set_problems("storage", std::move(problems));
  shared_.observed.set_volumes(std::move(observed));
  std::erase_if(memory_, [&](const auto& entry) { return !wanted.volumes.contains(entry.first); });
  if (shared_.readiness.set_volumes(std::move(ready))) ready_();
}

void StorageReconciler::report_capacity(const std::vector<storage::ObservedVolume>& existing) {
  const auto space = shared_.ports.volumes.space();
  if (!space) return;
  // What others keep on the file system is not ours to promise, nor is what images take.
  std::uint64_t in_volumes = 0;
  for (const auto& volume : existing) in_volumes += volume.allocated_bytes;
  const auto volumes_gib = static_cast<std::int64_t>(in_volumes >> 30);
  shared_.observed.set_storage_capacity(std::min(space->total_gib, space->free_gib + volumes_gib));
}

}  // namespace virga::hostapi
