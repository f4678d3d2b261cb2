#pragma once

// One directory of files whose names we make ourselves: everything goes through its descriptor, never follows a
// symbolic link, and is on disk when the call returns.

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::storage {

class Directory {
 public:
  /// Opens the directory, making it (and sets its mode) if it is absent. A symbolic link in its place is an error.
  static Result<Directory> open(const std::string& path, mode_t mode);

  const std::string& path() const { return path_; }
  std::string path_of(const std::string& name) const { return path_ + "/" + name; }
  int fd() const { return fd_.get(); }

  /// The regular file of that name; nothing when there is none. Anything but a regular file is an error.
  Result<std::optional<struct stat>> find(const std::string& name) const;
  Result<UniqueFd> open_file(const std::string& name) const;  ///< for reading
  /// A new, empty file for writing; one of that name that stands there from before is removed.
  Result<UniqueFd> create_file(const std::string& name, mode_t mode) const;
  /// Success when there is none. Removes empty subdirectories too.
  Result<void> remove(const std::string& name) const;
  /// Moves a finished file here from another directory of the same file system, replacing nothing that differs.
  Result<void> adopt(const Directory& from, const std::string& name, const std::string& new_name) const;
  Result<void> sync() const;
  Result<std::vector<std::string>> names() const;  ///< sorted

 private:
  Directory(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

/// An error of a system call, with errno; "no room" becomes InsufficientVolumeCapacity.
Error system_error(std::string_view what);
Result<void> sync_file(int fd);
/// Lower-case hex of the whole file's SHA-256.
Result<std::string> sha256_of(int fd);

}  // namespace virga::storage
