#pragma once

// Copies a disk into a qcow2 file that stands alone. Whoever wrote the disk's file may have been broken into: the tool
// that reads it works in the image sandbox, where there is nothing but that file and the files that Virga itself says
// lie below it.

#include <string>
#include <vector>

#include "storage/host/directory.h"
#include "storage/host/image_import.h"

namespace virga::storage {

struct DiskSource {
  std::string file;                  ///< a qcow2 file of ours; nobody has it open for writing
  std::vector<std::string> backing;  ///< qcow2 files, nearest first: what lies below it, whatever its header says
  std::uint64_t size_gib = 0;        ///< what the disk was made for: the copy takes no more room
};

/// What a copy takes at most, as far as can be told: what its files take.
Result<std::uint64_t> bytes_to_copy(const DiskSource& source);

/// The size of the disk in an open qcow2 file. An error unless it can be a volume's.
Result<std::uint64_t> volume_disk_bytes(int fd);

class DiskCopy {
 public:
  DiskCopy(const Directory& spool, CommandRunner& runner, const ImportLimits& limits)
      : spool_(spool), runner_(runner), limits_(limits) {}

  /// Leaves a finished file, mode 0440 and on disk, as `to`/`name`. What it made in the spool is gone afterwards.
  /// Errors: InsufficientVolumeCapacity.
  Result<void> run(const DiskSource& source, const std::string& work, const Directory& to, const std::string& name);
  /// Of the copy of that name that is under way: what is written so far.
  std::uint64_t done_bytes(const std::string& work) const;

 private:
  Result<void> convert(const DiskSource& source, std::uint64_t disk_bytes, const Directory& output);
  Result<void> take_over(std::uint64_t disk_bytes, const Directory& output) const;

  const Directory& spool_;
  CommandRunner& runner_;
  const ImportLimits& limits_;
};

}  // namespace virga::storage
