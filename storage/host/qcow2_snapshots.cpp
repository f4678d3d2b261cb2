#include <fmt/format.h>

#include <algorithm>

#include "storage/host/disk_copy.h"
#include "storage/host/qcow2_backend.h"

// The snapshot side of the qcow2 backend.

namespace virga::storage {
namespace {

std::string work_of(const SnapshotId& id) { return id.str() + ".output"; }

Error not_here(const VolumeId& id) {
  return {Code::incorrect_state, fmt::format("The volume '{}' is not on this host.", id.str()), {}};
}

}  // namespace

/// Notes that the snapshot is being copied for as long as it lives.
class Qcow2Backend::CopyMark {
 public:
  CopyMark(Qcow2Backend& backend, const SnapshotId& id, std::uint64_t total_bytes) : backend_(backend), id_(id) {
    const std::lock_guard lock(backend_.snapshots_mutex_);
    ours_ = backend_.copying_.emplace(id_, total_bytes).second;
  }
  ~CopyMark() {
    const std::lock_guard lock(backend_.snapshots_mutex_);
    if (ours_) backend_.copying_.erase(id_);
  }
  CopyMark(const CopyMark&) = delete;
  CopyMark& operator=(const CopyMark&) = delete;
  bool ours() const { return ours_; }

 private:
  Qcow2Backend& backend_;
  const SnapshotId id_;
  bool ours_ = false;
};

Result<void> Qcow2Backend::copy(const SnapshotId& id, const DiskSource& source) {
  const auto total_bytes = TRY(bytes_to_copy(source));
  const CopyMark mark(*this, id, total_bytes);
  if (!mark.ours()) return fail(Code::incorrect_state, "The snapshot is being made.");
  if (TRY(snapshots_.is_kept_for_volumes(id)))
    return fail(Code::incorrect_state, "The snapshot was deleted, and volumes lie on it still.");
  DiskCopy copy(spool_, runner_, limits_);
  auto done = copy.run(source, work_of(id), snapshots_.directory(), SnapshotFiles::name_of(id));
  if (!done) return fail(within("snapshot " + id.str(), std::move(done.error())));
  return {};
}

Result<void> Qcow2Backend::snapshot(const WantedSnapshot& snapshot, const WantedVolume& volume) {
  if (TRY(snapshots_.find(snapshot.id))) return {};
  if (!TRY(volumes_.find(volume_file_name(volume.id)))) return fail(not_here(volume.id));
  return copy(snapshot.id, {.file = path(volume.id), .backing = backing(volume), .size_gib = volume.size_gib});
}

Result<std::string> Qcow2Backend::backup_target(const WantedSnapshot& snapshot, const WantedVolume& volume) {
  const auto volume_name = volume_file_name(volume.id);
  if (!TRY(volumes_.find(volume_name))) return fail(not_here(volume.id));
  const auto name = SnapshotFiles::name_of(snapshot.id);
  {
    const std::lock_guard lock(snapshots_mutex_);
    targets_.insert(snapshot.id);
  }
  TRY_VOID(backups_.remove(name));
  const auto file = TRY(volumes_.open_file(volume_name));
  const auto size = TRY(volume_disk_bytes(file.get()));
  // The hypervisor's file, and then the snapshot that is made from it.
  const auto content = TRY(bytes_to_copy({.file = path(volume.id), .backing = backing(volume)}));
  const auto room = TRY(room_at(backups_.fd(), limits_.reserve));
  TRY_VOID(check_room(room, 2 * content));
  Command command;
  command.argv = {"qemu-img",
                  "create",
                  "-q",
                  "-f",
                  "qcow2",
                  "-o",
                  "compat=1.1,cluster_size=65536",
                  "--",
                  backups_.path_of(name),
                  fmt::format("{}", size)};
  TRY_VOID(runner_.run_ok(command));
  const auto target = TRY(backups_.open_file(name));
  if (::fchmod(target.get(), 0600) != 0) return fail(system_error("chmod a copy's file"));
  return backups_.path_of(name);
}

Result<void> Qcow2Backend::adopt_backup(const WantedSnapshot& snapshot) {
  if (TRY(snapshots_.find(snapshot.id))) return drop_backup(snapshot.id);
  const auto name = SnapshotFiles::name_of(snapshot.id);
  if (!TRY(backups_.find(name))) return fail(Code::incorrect_state, "There is no copy of the volume.");
  TRY_VOID(copy(snapshot.id, {.file = backups_.path_of(name), .backing = {}, .size_gib = snapshot.size_gib}));
  return drop_backup(snapshot.id);
}

Result<void> Qcow2Backend::drop_backup(const SnapshotId& id) {
  TRY_VOID(backups_.remove(SnapshotFiles::name_of(id)));
  const std::lock_guard lock(snapshots_mutex_);
  targets_.erase(id);
  return {};
}

Result<void> Qcow2Backend::remove_snapshot(const SnapshotId& id) {
  {
    const std::lock_guard lock(snapshots_mutex_);
    if (copying_.contains(id)) return fail(Code::incorrect_state, "The snapshot is being made.");
  }
  const std::lock_guard lock(volumes_mutex_);
  return snapshots_.remove(id);
}

Result<std::vector<ObservedSnapshot>> Qcow2Backend::list_snapshots() {
  std::vector<ObservedSnapshot> all;
  const auto files = TRY(snapshots_.list());
  const DiskCopy copies(spool_, runner_, limits_);
  const std::lock_guard lock(snapshots_mutex_);
  for (const auto& found : files) {
    if (copying_.contains(found.id)) continue;  // it has its name, which is perhaps not on disk yet
    ObservedSnapshot snapshot;
    snapshot.id = found.id;
    snapshot.ready = true;
    snapshot.file_bytes = static_cast<std::uint64_t>(found.status.st_blocks) * 512;
    snapshot.done_bytes = snapshot.total_bytes = snapshot.file_bytes;
    all.push_back(std::move(snapshot));
  }
  for (const auto& [id, total_bytes] : copying_) {
    ObservedSnapshot snapshot;
    snapshot.id = id;
    snapshot.total_bytes = total_bytes;
    snapshot.done_bytes = std::min(copies.done_bytes(work_of(id)), total_bytes);
    all.push_back(std::move(snapshot));
  }
  return all;
}

Result<void> Qcow2Backend::remove_unfinished_snapshots(std::vector<std::string>& removed) {
  for (const auto& name : TRY(backups_.names())) {
    const auto in_use = [&](const SnapshotId& id) { return name == SnapshotFiles::name_of(id); };
    const std::lock_guard lock(snapshots_mutex_);
    if (std::any_of(targets_.begin(), targets_.end(), in_use)) continue;
    TRY_VOID(backups_.remove(name));
    removed.push_back(name);
  }
  const auto exists = [this](const VolumeId& id) -> Result<bool> {
    const auto found = TRY(volumes_.find(volume_file_name(id)));
    return found.has_value();
  };
  const auto cleaned = TRY(snapshots_.clean(exists));
  removed.insert(removed.end(), cleaned.begin(), cleaned.end());
  return {};
}

}  // namespace virga::storage
