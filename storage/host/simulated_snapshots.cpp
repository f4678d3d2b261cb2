#include <algorithm>

#include "core/durable_file.h"
#include "core/json_values.h"
#include "storage/host/simulated_volumes.h"

// The snapshot side of the simulated volumes.

namespace virga::storage {
namespace {

constexpr std::uint64_t file_bytes = 1 << 20;  ///< what each takes on the simulated disk

Error not_here() { return {Code::incorrect_state, "The volume is not on this host.", {}}; }

}  // namespace

std::string SimulatedVolumes::snapshot_path(const SnapshotId& id) const {
  return (directory_ / (id.str() + ".json")).string();
}
std::string SimulatedVolumes::target_path(const SnapshotId& id) const {
  return (directory_ / (id.str() + ".backup")).string();
}

std::vector<std::string> SimulatedVolumes::backing(const WantedVolume& volume) const {
  if (!volume.snapshot.empty()) return {snapshot_path(volume.snapshot)};
  if (!volume.image.empty()) return {image_path(volume.image)};
  return {};
}

bool SimulatedVolumes::is_base_of_a_volume(const SnapshotId& id) const {
  return std::any_of(volumes_.begin(), volumes_.end(), [&](const auto& entry) { return entry.second.snapshot == id; });
}

Result<void> SimulatedVolumes::write(const Snapshot& snapshot) {
  const nlohmann::json json = {{"made", snapshot.made}, {"removed", snapshot.removed}};
  TRY_VOID(replace_file(snapshot_path(snapshot.made.id), json.dump(), Durability::process_end));
  snapshots_[snapshot.made.id] = snapshot;
  return {};
}

Result<void> SimulatedVolumes::snapshot(const WantedSnapshot& snapshot, const WantedVolume& volume) {
  TRY_VOID(faults_.enter("storage.snapshot", snapshot.id.str()));
  {
    const std::lock_guard lock(mutex_);
    if (snapshots_.contains(snapshot.id)) return {};
    const auto found = volumes_.find(volume.id);
    if (found == volumes_.end()) return fail(not_here());
    auto made = snapshot;
    made.size_gib = found->second.size_gib;
    TRY_VOID(write({.made = made}));
  }
  faults_.leave("storage.snapshot");
  return {};
}

Result<std::string> SimulatedVolumes::backup_target(const WantedSnapshot& snapshot, const WantedVolume& volume) {
  TRY_VOID(faults_.enter("storage.backup_target", snapshot.id.str()));
  {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(volume.id);
    if (found == volumes_.end()) return fail(not_here());
    auto made = snapshot;
    made.size_gib = found->second.size_gib;
    TRY_VOID(replace_file(target_path(snapshot.id), nlohmann::json(made).dump(), Durability::process_end));
  }
  faults_.leave("storage.backup_target");
  return target_path(snapshot.id);
}

Result<void> SimulatedVolumes::adopt_backup(const WantedSnapshot& snapshot) {
  TRY_VOID(faults_.enter("storage.adopt_backup", snapshot.id.str()));
  {
    const std::lock_guard lock(mutex_);
    if (snapshots_.contains(snapshot.id)) return {};
    const auto text = read_file(target_path(snapshot.id));
    const auto json = nlohmann::json::parse(text.value_or(""), nullptr, false);
    if (!json.is_object()) return fail(Code::incorrect_state, "There is no copy of the volume.");
    TRY_VOID(write({.made = json.get<WantedSnapshot>()}));
    TRY_VOID(remove_file(target_path(snapshot.id), Durability::process_end));
  }
  faults_.leave("storage.adopt_backup");
  return {};
}

Result<void> SimulatedVolumes::drop_backup(const SnapshotId& id) {
  TRY_VOID(faults_.enter("storage.drop_backup", id.str()));
  const std::lock_guard lock(mutex_);
  return remove_file(target_path(id), Durability::process_end);
}

Result<void> SimulatedVolumes::remove_snapshot(const SnapshotId& id) {
  TRY_VOID(faults_.enter("storage.remove_snapshot", id.str()));
  {
    const std::lock_guard lock(mutex_);
    const auto found = snapshots_.find(id);
    if (found != snapshots_.end() && is_base_of_a_volume(id)) {
      auto hidden = found->second;
      hidden.removed = true;
      TRY_VOID(write(hidden));
    } else if (found != snapshots_.end()) {
      TRY_VOID(remove_file(snapshot_path(id), Durability::process_end));
      snapshots_.erase(found);
    }
  }
  faults_.leave("storage.remove_snapshot");
  return {};
}

Result<std::vector<ObservedSnapshot>> SimulatedVolumes::list_snapshots() {
  TRY_VOID(faults_.enter("storage.list_snapshots", "@storage"));
  const std::lock_guard lock(mutex_);
  std::vector<ObservedSnapshot> all;
  for (const auto& [id, snapshot] : snapshots_) {
    if (snapshot.removed) continue;
    all.push_back({.id = id,
                   .generation = snapshot.made.generation,
                   .ready = true,
                   .done_bytes = file_bytes,
                   .total_bytes = file_bytes,
                   .file_bytes = file_bytes,
                   .problem = {}});
  }
  return all;
}

}  // namespace virga::storage
