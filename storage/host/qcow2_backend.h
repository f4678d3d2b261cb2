#pragma once

// The real volume backend: a directory of qcow2 files.
//
//   images/<ami>.qcow2   0444, immutable       images/<ami>.json   its sizes and SHA-256; written last, makes it count
//   volumes/<vol>.qcow2  0600, empty or an overlay on an image or a snapshot
//   snapshots/           see snapshot_files.h
//   spool/               unfinished work; whatever lies here after a crash is removed
//   backups/             the same, but written by the hypervisors of guests that are on
//
// The directories are 0711: QEMU's own user must reach the files it is given, and can list none.
// A file is made in the spool, brought to disk, and moved to its place: it is complete or absent.

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "core/command_runner.h"
#include "storage/host/disk_copy.h"
#include "storage/host/image_import.h"
#include "storage/host/snapshot_files.h"
#include "storage/host/volume_backend.h"

namespace virga::storage {

struct Qcow2Options {
  std::string directory;  ///< absolute; made if it is absent (its parent must exist)
  CommandRunner& runner;  ///< outlives the backend
  ImportLimits limits;
};

class Qcow2Backend final : public VolumeBackend {
 public:
  static Result<std::unique_ptr<VolumeBackend>> create(Qcow2Options options);

  Result<void> create(const WantedVolume& volume) override;
  Result<void> resize(const VolumeId& id, std::uint64_t size_gib) override;
  Result<void> remove(const VolumeId& id) override;
  Result<std::vector<ObservedVolume>> list() override;
  std::string path(const VolumeId& id) const override;
  std::vector<std::string> backing(const WantedVolume& volume) const override;
  Result<void> snapshot(const WantedSnapshot& snapshot, const WantedVolume& volume) override;
  Result<std::string> backup_target(const WantedSnapshot& snapshot, const WantedVolume& volume) override;
  Result<void> adopt_backup(const WantedSnapshot& snapshot) override;
  Result<void> drop_backup(const SnapshotId& id) override;
  Result<void> remove_snapshot(const SnapshotId& id) override;
  Result<std::vector<ObservedSnapshot>> list_snapshots() override;
  Result<ObservedImage> import_image(const ImageId& id, const std::string& source_path) override;
  Result<void> remove_image(const ImageId& id) override;
  Result<std::vector<ObservedImage>> list_images() override;
  Result<Space> space() override;
  Result<std::vector<std::string>> remove_leftovers() override;

 private:
  class CopyMark;
  struct Directories {
    Directory images;
    Directory volumes;
    SnapshotFiles snapshots;
    Directory spool;
    Directory backups;
  };
  Qcow2Backend(Directories directories, CommandRunner& runner, ImportLimits limits);
  static std::string volume_file_name(const VolumeId& id);
  Result<ObservedImage> observe(const ImageId& id) const;
  /// The image, its bytes compared with the hash from its import once in the life of this process.
  Result<ObservedImage> verified_image(const ImageId& id);
  Result<void> make_volume(const WantedVolume& volume, const std::string& temporary);
  Result<void> grow(const std::string& name, std::uint64_t size_gib);
  Result<bool> is_base_of_a_volume(const ImageId& id) const;
  /// The file a new volume lies on, after it was found there; empty: none.
  Result<std::string> base_of(const WantedVolume& volume) const;
  Result<void> remove_unfinished_images(std::vector<std::string>& removed);
  Result<void> remove_unfinished_snapshots(std::vector<std::string>& removed);
  Result<void> copy(const SnapshotId& id, const DiskSource& source);

  const Directory images_;
  const Directory volumes_;
  const SnapshotFiles snapshots_;
  const Directory spool_;
  const Directory backups_;
  CommandRunner& runner_;
  const ImportLimits limits_;
  /// Held while files of volumes come and go, and while snapshots go; never during an import or a copy, or while
  /// hashing.
  std::mutex volumes_mutex_;
  /// Guards the two below.
  mutable std::mutex images_mutex_;
  std::set<ImageId> importing_;
  std::map<ImageId, bool> intact_;
  /// Guards the two below.
  mutable std::mutex snapshots_mutex_;
  std::map<SnapshotId, std::uint64_t> copying_;  ///< how many bytes there are to copy
  std::set<SnapshotId> targets_;                 ///< in backups_, made by this process
};

}  // namespace virga::storage
