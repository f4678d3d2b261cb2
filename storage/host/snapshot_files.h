#pragma once

// The directory of finished snapshots, and which volumes lie on them.
//
//   <snap>.qcow2      0440, immutable, stands alone; its group is that of the tool that copies it until a guest reads
//   it <snap>.<vol>      empty: the volume is an overlay on the snapshot. Made before the volume is, goes after it
//   <snap>.removed    empty: nobody wants the snapshot any longer, it is kept for the volumes on it and goes with the
//   last
//
// What lies on what is written down here because a volume's own header is the hypervisor's to write. The caller
// serialises whatever changes something.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/host/directory.h"
#include "storage/wanted.h"

namespace virga::storage {

class SnapshotFiles {
 public:
  static Result<SnapshotFiles> open(const std::string& path);

  std::string path(const SnapshotId& id) const;
  const Directory& directory() const { return directory_; }
  static std::string name_of(const SnapshotId& id);

  /// The file of a snapshot that is wanted; nothing when there is none.
  Result<std::optional<struct stat>> find(const SnapshotId& id) const;
  /// It was removed, and its file is there for volumes alone: nothing may take its place.
  Result<bool> is_kept_for_volumes(const SnapshotId& id) const;
  struct Found {
    SnapshotId id;
    struct stat status;
  };
  /// Those find() finds.
  Result<std::vector<Found>> list() const;

  /// Writes down that the volume is, or is about to be, an overlay on it.
  Result<void> hold(const SnapshotId& id, const VolumeId& volume) const;
  /// The volume is gone: removed snapshots that it alone lay on go too.
  Result<void> release(const VolumeId& volume) const;
  Result<void> remove(const SnapshotId& id) const;
  /// Takes away what a crash has left: notes of volumes that there are none of, removed snapshots that nothing lies on.
  Result<std::vector<std::string>> clean(const std::function<Result<bool>(const VolumeId&)>& exists) const;

 private:
  explicit SnapshotFiles(Directory directory) : directory_(std::move(directory)) {}
  Result<bool> is_held(const SnapshotId& id) const;
  Result<bool> is_removed(const SnapshotId& id) const;
  Result<void> drop(const SnapshotId& id) const;

  Directory directory_;
};

}  // namespace virga::storage
