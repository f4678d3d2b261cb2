#pragma once

// Serial console files of the guests of one host: <digits of the instance's id>.log, written by QEMU in append mode.
// A guest that floods its serial port must not fill the disk (threat F05), so files over 1 MiB are cut: their end is
// kept in <digits>.old and the file is truncated, which works because QEMU appends.

#include <filesystem>
#include <string>

#include "compute/host/domain_xml.h"
#include "core/ids.h"
#include "core/result.h"

namespace virga::compute {

class ConsoleLogs {
 public:
  static constexpr std::size_t kept_bytes = 64 << 10;
  static constexpr std::size_t rotated_at_bytes = 1 << 20;

  /// Makes the directory, and beside it the one of the screens' sockets, both for root alone. Errors: the path is too
  /// long for the sockets in it.
  static Result<ConsoleLogs> create(std::filesystem::path directory);

  /// Lets QEMU, running as this user, make its screens' sockets. The logs and the serial sockets are opened by libvirt
  /// as root: were their directory QEMU's, a link planted there would make root write elsewhere.
  Result<void> give_to(const FileOwner& owner) const;

  DomainFiles files(const InstanceId& id) const;
  /// The last `kept_bytes` of what the guest has written; empty before its first start.
  Result<std::string> tail(const InstanceId& id) const;
  /// Cuts every file that has grown too large. Called every second or so.
  void rotate() const;
  /// Deletes all files of the instance.
  void remove(const InstanceId& id) const;
  const std::filesystem::path& directory() const { return directory_; }

 private:
  explicit ConsoleLogs(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path screens() const { return directory_.parent_path() / "screens"; }
  std::filesystem::path directory_;
};

}  // namespace virga::compute
