#pragma once

// Listening sockets and who is at the other end of an accepted one.

#include <string>
#include <utility>

#include "core/http.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::http {

/// A listening, non-blocking TCP socket, and its port. Errors: invalid_parameter_value (address), unavailable (in use).
Result<std::pair<UniqueFd, std::uint16_t>> listen_tcp_socket(const std::string& address, std::uint16_t port);

/// A listening unix socket and its file, which goes with it.
class UnixSocketFile {
 public:
  UnixSocketFile() = default;
  /// Remembers which file it is, so that a successor's file is left alone.
  explicit UnixSocketFile(std::string path);
  UnixSocketFile(UnixSocketFile&& other) noexcept { swap(other); }
  UnixSocketFile& operator=(UnixSocketFile&& other) noexcept {
    UnixSocketFile taken(std::move(other));
    swap(taken);
    return *this;
  }
  /// Removes the file if it still is the same one.
  ~UnixSocketFile();

 private:
  void swap(UnixSocketFile& other) noexcept {
    path_.swap(other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
  }
  std::string path_;
  unsigned long device_ = 0;
  unsigned long inode_ = 0;
};

/// Replaces a socket nobody listens on. Nobody can connect before the mode is set.
/// Errors: unavailable (somebody listens there), internal (not a socket, no such folder, no permission).
Result<std::pair<UniqueFd, UnixSocketFile>> listen_unix_socket(const std::string& path, unsigned mode);

/// Checks that it listens and makes it non-blocking and close-on-exec.
Result<void> prepare_adopted(int fd);

/// IPv4 addresses in IPv6 sockets appear as IPv4.
HttpPeer peer_of(int fd);

}  // namespace virga::http
