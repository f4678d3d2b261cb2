#pragma once

// Port: the bytes of volumes, snapshots and images on one host. The real adapter (qcow2_backend) keeps a directory of qcow2 files;
// the fake (simulated_volumes) keeps the same promises in memory.
//
// File names derive from ids. Images are immutable (0444, SHA-256 known), and so are snapshots, each of which stands
// alone; a volume is an empty qcow2 or an overlay on one of them. Thread-safe; every call is idempotent and bounded in
// time.

#include <string>
#include <vector>

#include "core/result.h"
#include "storage/wanted.h"

namespace virga::storage {

class VolumeBackend {
 public:
  virtual ~VolumeBackend() = default;

  /// Creates the volume if it does not exist. Errors: its image or snapshot is not here (IncorrectState), no room.
  virtual Result<void> create(const WantedVolume& volume) = 0;
  /// Makes the volume's disk that large; never smaller: success if it is at least as large. No guest has it open; if one
  /// has after all, it fails and nothing is changed. Errors: the volume is not here (IncorrectState), no room.
  virtual Result<void> resize(const VolumeId& id, std::uint64_t size_gib) = 0;
  /// Frees it, and a removed snapshot that waited for it. Success if it does not exist. The caller makes sure that no
  /// guest has it open.
  virtual Result<void> remove(const VolumeId& id) = 0;
  /// All volumes that exist here, with the sizes of their disks as they are now.
  virtual Result<std::vector<ObservedVolume>> list() = 0;
  /// The qcow2 file a hypervisor opens.
  virtual std::string path(const VolumeId& id) const = 0;
  /// The qcow2 files that a volume is an overlay on, nearest first; by what is wanted, not by what a file's header says,
  /// which a hypervisor that was broken into may have written. Nothing for backends without such files.
  virtual std::vector<std::string> backing(const WantedVolume& /*volume*/) const { return {}; }

  /// Makes the snapshot from the volume as its file is: success if the snapshot exists. No guest has the volume open and
  /// nobody changes it until this returns; if a guest has it open after all, it fails and nothing is made. Slow: seconds
  /// to hours. Errors: the volume is not here (IncorrectState), no room.
  virtual Result<void> snapshot(const WantedSnapshot& snapshot, const WantedVolume& volume) = 0;
  /// An empty file of the volume's size, for the copy that the hypervisor of the guest that has the volume open is to
  /// make; what an earlier call made is dropped. The same errors.
  virtual Result<std::string> backup_target(const WantedSnapshot& snapshot, const WantedVolume& volume) = 0;
  /// Makes the snapshot from the finished copy in backup_target()'s file: success if the snapshot exists. As slow as
  /// snapshot(). Errors: there is no such file (IncorrectState), no room.
  virtual Result<void> adopt_backup(const WantedSnapshot& snapshot) = 0;
  /// Drops backup_target()'s file. Success if there is none.
  virtual Result<void> drop_backup(const SnapshotId& id) = 0;
  /// Frees the snapshot, at once or, without being seen any longer, with the last volume that is an overlay on it.
  /// Success if it does not exist.
  virtual Result<void> remove_snapshot(const SnapshotId& id) = 0;
  /// The snapshots that exist here (ready), and those being copied now, with how far that is.
  virtual Result<std::vector<ObservedSnapshot>> list_snapshots() = 0;

  /// Imports a file as the image's bytes: checks the header itself, refuses whatever refers to other files or is of an
  /// odd format, converts in a sandbox with limits, writes the hash. Slow (seconds to minutes).
  /// Errors: InvalidParameterValue with what is wrong with the file.
  virtual Result<ObservedImage> import_image(const ImageId& id, const std::string& source_path) = 0;
  /// Removes an image's bytes; IncorrectState while a volume is based on it.
  virtual Result<void> remove_image(const ImageId& id) = 0;
  virtual Result<std::vector<ObservedImage>> list_images() = 0;

  /// Capacity of the file system in GiB, and what is free; both without the reserve that is nobody's.
  struct Space {
    std::int64_t total_gib = 0;
    std::int64_t free_gib = 0;
  };
  virtual Result<Space> space() = 0;
  /// Files of unfinished work (a crash in the middle) that nothing refers to: removes them, returns their names. What
  /// snapshots are made from in this process is none.
  virtual Result<std::vector<std::string>> remove_leftovers() = 0;
};

}  // namespace virga::storage
