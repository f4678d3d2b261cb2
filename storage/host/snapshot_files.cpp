#include "storage/host/snapshot_files.h"

#include <algorithm>
#include <string_view>

namespace virga::storage {
namespace {

constexpr std::string_view disk_suffix = ".qcow2";
constexpr std::string_view removed_suffix = ".removed";

/// A file's name in its two parts.
struct Name {
  SnapshotId snapshot;
  std::string_view rest;  ///< with its dot
};

std::optional<Name> parse(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  auto id = SnapshotId::parse(name.substr(0, dot));
  if (!id) return std::nullopt;
  return Name{std::move(*id), name.substr(dot)};
}

std::string note_of(const SnapshotId& id, const VolumeId& volume) { return id.str() + "." + volume.str(); }
std::string mark_of(const SnapshotId& id) { return id.str() + std::string(removed_suffix); }

}  // namespace

Result<SnapshotFiles> SnapshotFiles::open(const std::string& path) {
  constexpr mode_t reachable = 0711;
  auto directory = TRY(Directory::open(path, reachable));
  // The last process may have ended between giving a file its name and bringing the name to disk.
  TRY_VOID(directory.sync());
  return SnapshotFiles(std::move(directory));
}

std::string SnapshotFiles::name_of(const SnapshotId& id) { return id.str() + std::string(disk_suffix); }
std::string SnapshotFiles::path(const SnapshotId& id) const { return directory_.path_of(name_of(id)); }

Result<bool> SnapshotFiles::is_removed(const SnapshotId& id) const {
  const auto mark = TRY(directory_.find(mark_of(id)));
  return mark.has_value();
}

Result<bool> SnapshotFiles::is_held(const SnapshotId& id) const {
  const auto names = TRY(directory_.names());
  const auto prefix = id.str() + "." + std::string(VolumeId::prefix);
  return std::any_of(names.begin(), names.end(), [&](const auto& name) { return name.starts_with(prefix); });
}

Result<std::optional<struct stat>> SnapshotFiles::find(const SnapshotId& id) const {
  if (TRY(is_removed(id))) return std::nullopt;
  return directory_.find(name_of(id));
}

Result<bool> SnapshotFiles::is_kept_for_volumes(const SnapshotId& id) const {
  const auto file = TRY(directory_.find(name_of(id)));
  const bool removed = TRY(is_removed(id));
  return file.has_value() && removed;
}

Result<std::vector<SnapshotFiles::Found>> SnapshotFiles::list() const {
  std::vector<Found> found;
  for (const auto& name : TRY(directory_.names())) {
    const auto parts = parse(name);
    if (!parts || parts->rest != disk_suffix) continue;
    const auto status = TRY(find(parts->snapshot));
    if (status) found.push_back({parts->snapshot, *status});
  }
  return found;
}

Result<void> SnapshotFiles::hold(const SnapshotId& id, const VolumeId& volume) const {
  const auto note = TRY(directory_.create_file(note_of(id, volume), 0400));
  return directory_.sync();
}

Result<void> SnapshotFiles::release(const VolumeId& volume) const {
  const auto suffix = "." + volume.str();
  for (const auto& name : TRY(directory_.names())) {
    const auto parts = parse(name);
    if (!parts || parts->rest != suffix) continue;
    TRY_VOID(directory_.remove(name));
    const bool is_unwanted = TRY(is_removed(parts->snapshot));
    const bool has_others = TRY(is_held(parts->snapshot));
    if (is_unwanted && !has_others) TRY_VOID(drop(parts->snapshot));
  }
  return directory_.sync();
}

Result<void> SnapshotFiles::remove(const SnapshotId& id) const {
  if (!TRY(directory_.find(name_of(id)))) return {};
  if (!TRY(is_held(id))) return drop(id);
  const auto mark = TRY(directory_.create_file(mark_of(id), 0400));
  return directory_.sync();
}

Result<void> SnapshotFiles::drop(const SnapshotId& id) const {
  // The mark last: as long as there is a file that nobody wants, something says so.
  TRY_VOID(directory_.remove(name_of(id)));
  TRY_VOID(directory_.sync());
  TRY_VOID(directory_.remove(mark_of(id)));
  return directory_.sync();
}

Result<std::vector<std::string>> SnapshotFiles::clean(
    const std::function<Result<bool>(const VolumeId&)>& exists) const {
  std::vector<std::string> removed;
  for (const auto& name : TRY(directory_.names())) {
    const auto parts = parse(name);
    if (!parts) continue;
    const auto volume = VolumeId::parse(parts->rest.substr(1));
    if (!volume || TRY(exists(*volume))) continue;
    TRY_VOID(release(*volume));
    removed.push_back(name);
  }
  for (const auto& name : TRY(directory_.names())) {
    const auto parts = parse(name);
    if (!parts || parts->rest != removed_suffix || TRY(is_held(parts->snapshot))) continue;
    TRY_VOID(drop(parts->snapshot));
    removed.push_back(SnapshotFiles::name_of(parts->snapshot));
  }
  return removed;
}

}  // namespace virga::storage
