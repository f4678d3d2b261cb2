#pragma once

// Turns an uploaded file into an image's bytes. The order is the defence: our own reading of the header, a private copy
// (so that nobody changes the file between check and use), the header once more, the QEMU tool in its sandbox, our own
// reading of what it wrote.

#include "storage/host/directory.h"
#include "storage/host/image_sandbox.h"
#include "storage/host/room.h"

namespace virga::storage {

struct ImportLimits {
  std::uint64_t max_virtual_bytes = std::uint64_t{2} << 40;
  Reserve reserve;  ///< of the file system; neither a copy nor a conversion takes of it
  SandboxUser user;
  /// Who copies the disks of volumes: another one, since a user's processes are counted together.
  SandboxUser copying_user = {.uid = 65531, .gid = 65531};
};

struct ImportedFile {
  std::uint64_t virtual_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::string sha256;
};

class ImageImport {
 public:
  ImageImport(const Directory& spool, CommandRunner& runner, ImportLimits limits)
      : spool_(spool), runner_(runner), limits_(limits) {}

  /// Leaves a finished file, mode 0444 and on disk, as `to`/`name`. What it made in the spool is gone afterwards.
  /// `work` names that, and is used by one import at a time. Errors: InvalidParameterValue with what is wrong with the
  /// file, InsufficientVolumeCapacity.
  Result<ImportedFile> run(const std::string& source_path, const std::string& work, const Directory& to,
                           const std::string& name);

 private:
  Result<ImageHeader> copy_checked(const std::string& source_path, const std::string& copy_name);
  Result<void> convert(const ImageHeader& header, const std::string& copy_name, const Directory& output);
  Result<ImportedFile> take_over(const ImageHeader& header, const Directory& output);

  const Directory& spool_;
  CommandRunner& runner_;
  ImportLimits limits_;
};

}  // namespace virga::storage
