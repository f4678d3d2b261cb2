#include "storage/host/qcow2_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "storage/host/image_sandbox.h"

namespace virga::storage {

namespace {

constexpr std::string_view disk_suffix = ".qcow2";
constexpr std::string_view record_suffix = ".json";

template <class IdType>
std::string disk_name(const IdType& id) {
  return id.str() + std::string(disk_suffix);
}

/// The id that a file is named after; nothing for files that are not ours.
template <class IdType>
std::optional<IdType> id_of(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  auto id = IdType::parse(name.substr(0, name.size() - suffix.size()));
  return id ? std::optional<IdType>(std::move(*id)) : std::nullopt;
}

/// The size of the disk in a volume's file, in whole GiB.
Result<std::uint64_t> size_gib_of(const Directory& volumes, const std::string& name) {
  const auto file = TRY(volumes.open_file(name));
  const auto bytes = TRY(ImageBytes::open(file.get()));
  const auto size = TRY(disk_bytes(bytes));
  return size >> 30;
}

}  // namespace

Result<std::unique_ptr<VolumeBackend>> Qcow2Backend::create(Qcow2Options options) {
  constexpr mode_t reachable = 0711;
  const auto root = TRY(Directory::open(options.directory, reachable));
  auto images = TRY(Directory::open(root.path_of("images"), reachable));
  auto volumes = TRY(Directory::open(root.path_of("volumes"), reachable));
  auto snapshots = TRY(SnapshotFiles::open(root.path_of("snapshots")));
  auto spool = TRY(Directory::open(root.path_of("spool"), 0700));
  auto backups = TRY(Directory::open(root.path_of("backups"), reachable));
  return std::unique_ptr<VolumeBackend>(
      new Qcow2Backend({std::move(images), std::move(volumes), std::move(snapshots), std::move(spool), std::move(backups)},
                       options.runner, options.limits));
}

Qcow2Backend::Qcow2Backend(Directories directories, CommandRunner& runner, ImportLimits limits)
    : images_(std::move(directories.images)),
      volumes_(std::move(directories.volumes)),
      snapshots_(std::move(directories.snapshots)),
      spool_(std::move(directories.spool)),
      backups_(std::move(directories.backups)),
      runner_(runner),
      limits_(limits) {}

std::string Qcow2Backend::volume_file_name(const VolumeId& id) { return disk_name(id); }
std::string Qcow2Backend::path(const VolumeId& id) const { return volumes_.path_of(disk_name(id)); }

Result<void> Qcow2Backend::create(const WantedVolume& volume) {
  const auto name = disk_name(volume.id);
  if (TRY(volumes_.find(name))) return {};
  if (!volume.image.empty()) {
    const auto image = TRY(verified_image(volume.image));
    if (volume.size_gib << 30 < image.virtual_bytes)
      return fail(Code::invalid_parameter_value,
                  fmt::format("The volume size of {} GiB is smaller than its image, which needs {} GiB.",
                              volume.size_gib, ((image.virtual_bytes - 1) >> 30) + 1));
  }
  const std::lock_guard lock(volumes_mutex_);
  if (TRY(volumes_.find(name))) return {};
  auto made = make_volume(volume, name);
  if (!made) {
    (void)spool_.remove(name);  // remove_leftovers tries again
    // The last step may have failed with the file in its place: then the snapshot below it is in use.
    const auto stands = volumes_.find(name);
    if (!volume.snapshot.empty() && stands && !*stands) (void)snapshots_.release(volume.id);
    return fail(within("create " + volume.id.str(), std::move(made.error())));
  }
  return {};
}

Result<void> Qcow2Backend::make_volume(const WantedVolume& volume, const std::string& temporary) {
  const auto room = TRY(room_at(volumes_.fd(), limits_.reserve));
  TRY_VOID(check_room(room, 0));
  TRY_VOID(spool_.remove(temporary));
  Command command;
  command.argv = {"qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=1.1,cluster_size=65536"};
  // Both formats are named: what a guest writes into its disk is never taken for a header. Nor is the base opened here,
  // where no sandbox is (-u): it comes of an upload or of a guest, and the size is given.
  if (const auto base = TRY(base_of(volume)); !base.empty())
    command.argv.insert(command.argv.end(), {"-u", "-F", "qcow2", "-b", base});
  if (!volume.snapshot.empty()) TRY_VOID(snapshots_.hold(volume.snapshot, volume.id));
  command.argv.insert(command.argv.end(), {"--", spool_.path_of(temporary), fmt::format("{}G", volume.size_gib)});
  TRY_VOID(runner_.run_ok(command));
  const auto file = TRY(spool_.open_file(temporary));
  if (::fchmod(file.get(), 0600) != 0) return fail(system_error("chmod a volume"));
  TRY_VOID(sync_file(file.get()));
  return volumes_.adopt(spool_, temporary, temporary);
}

Result<std::string> Qcow2Backend::base_of(const WantedVolume& volume) const {
  if (!volume.image.empty()) {
    if (!TRY(images_.find(disk_name(volume.image)))) return fail(observe(volume.image).error());
    return images_.path_of(disk_name(volume.image));
  }
  if (volume.snapshot.empty()) return std::string();
  if (!TRY(snapshots_.find(volume.snapshot)))
    return fail(Code::incorrect_state, fmt::format("The snapshot '{}' is not on this host.", volume.snapshot.str()));
  const auto file = TRY(snapshots_.directory().open_file(SnapshotFiles::name_of(volume.snapshot)));
  const auto size = TRY(volume_disk_bytes(file.get()));
  if (volume.size_gib << 30 < size)
    return fail(Code::invalid_parameter_value,
                fmt::format("The volume size of {} GiB is smaller than its snapshot, which needs {} GiB.",
                            volume.size_gib, ((size - 1) >> 30) + 1));
  return snapshots_.path(volume.snapshot);
}

Result<void> Qcow2Backend::resize(const VolumeId& id, std::uint64_t size_gib) {
  const auto name = disk_name(id);
  const std::lock_guard lock(volumes_mutex_);
  if (!TRY(volumes_.find(name)))
    return fail(Code::incorrect_state, fmt::format("The volume '{}' is not on this host.", id.str()));
  const auto before = TRY(size_gib_of(volumes_, name));
  if (before >= size_gib) return {};
  const auto room = TRY(room_at(volumes_.fd(), limits_.reserve));
  TRY_VOID(check_room(room, 0));
  auto grown = grow(name, size_gib);
  if (!grown) return fail(within("resize " + id.str(), std::move(grown.error())));
  return {};
}

/// A guest has written the file, and a hypervisor that was broken into its header: the tool works on it as a user who
/// owns nothing else, and sees nothing else. Whatever ends this in between, the next try and the next start of the
/// guest give the file its owner.
Result<void> Qcow2Backend::grow(const std::string& name, std::uint64_t size_gib) {
  const auto file = TRY(volumes_.open_file(name));
  const auto bytes = TRY(ImageBytes::open(file.get()));
  const auto command = TRY(confined_resize(
      {.file = volumes_.path_of(name), .file_bytes = bytes.size(), .size_gib = size_gib, .user = limits_.user}));
  if (::fchown(file.get(), limits_.user.uid, limits_.user.gid) != 0) return fail(system_error("lend a volume"));
  auto done = runner_.run_ok(command);
  if (::fchown(file.get(), ::geteuid(), ::getegid()) != 0) return fail(system_error("take a volume back"));
  TRY_VOID(std::move(done));
  TRY_VOID(sync_file(file.get()));
  const auto after = TRY(size_gib_of(volumes_, name));
  if (after < size_gib) return fail(internal_error("the volume did not grow"));
  return {};
}

Result<void> Qcow2Backend::remove(const VolumeId& id) {
  const std::lock_guard lock(volumes_mutex_);
  TRY_VOID(volumes_.remove(disk_name(id)));
  TRY_VOID(volumes_.sync());
  return snapshots_.release(id);
}

Result<std::vector<ObservedVolume>> Qcow2Backend::list() {
  std::vector<ObservedVolume> found;
  for (const auto& name : TRY(volumes_.names())) {
    const auto id = id_of<VolumeId>(name, disk_suffix);
    if (!id) continue;
    const auto status = volumes_.find(name);
    if (status && !*status) continue;  // gone meanwhile
    ObservedVolume volume;
    volume.id = *id;
    volume.ready = status.has_value();
    if (status) {
      volume.allocated_bytes = static_cast<std::uint64_t>((*status)->st_blocks) * 512;
      volume.size_gib = size_gib_of(volumes_, name).value_or(0);
    } else {
      volume.problem = "The volume's file cannot be read.";
    }
    found.push_back(std::move(volume));
  }
  return found;
}

Result<VolumeBackend::Space> Qcow2Backend::space() {
  const auto room = TRY(room_at(volumes_.fd(), limits_.reserve));
  const auto in_gib = [](std::uint64_t bytes) { return static_cast<std::int64_t>(bytes >> 30); };
  return Space{in_gib(room.total_bytes), in_gib(room.free_bytes)};
}

Result<std::vector<std::string>> Qcow2Backend::remove_leftovers() {
  const std::lock_guard lock(volumes_mutex_);
  const std::lock_guard images_lock(images_mutex_);
  std::vector<std::string> removed;
  const auto is_being_copied = [&](const auto& is_of) {
    const std::lock_guard snapshots_lock(snapshots_mutex_);
    return std::any_of(copying_.begin(), copying_.end(), [&](const auto& copy) { return is_of(copy.first); });
  };
  for (const auto& name : TRY(spool_.names())) {
    const auto is_of = [&](const auto& id) { return name.starts_with(id.str() + "."); };
    if (std::any_of(importing_.begin(), importing_.end(), is_of) || is_being_copied(is_of)) continue;
    std::error_code error;
    std::filesystem::remove_all(spool_.path_of(name), error);
    if (error) return fail(internal_error(fmt::format("remove {}: {}", spool_.path_of(name), error.message())));
    removed.push_back(name);
  }
  TRY_VOID(remove_unfinished_images(removed));
  TRY_VOID(remove_unfinished_snapshots(removed));
  return removed;
}

Result<void> Qcow2Backend::remove_unfinished_images(std::vector<std::string>& removed) {
  for (const auto& name : TRY(images_.names())) {
    const auto id = id_of<ImageId>(name, disk_suffix);
    const bool half_record = name.ends_with(".json.tmp");  // as replace_file calls it
    const bool half_image =
        id && !importing_.contains(*id) && !TRY(images_.find(id->str() + std::string(record_suffix)));
    if (!half_image && !(half_record && importing_.empty())) continue;
    TRY_VOID(images_.remove(name));
    removed.push_back(name);
  }
  return images_.sync();
}

}  // namespace virga::storage
