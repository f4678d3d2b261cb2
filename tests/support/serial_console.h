#pragma once

#include <chrono>
#include <string>

#include "core/unique_fd.h"

namespace virga::test {

/// A guest's interactive serial console: a client of its unix socket.
class SerialConsole {
 public:
  /// Connects; ok() tells whether it did.
  explicit SerialConsole(const std::string& path);
  bool ok() const { return static_cast<bool>(socket_); }
  void type(const std::string& text);
  /// Whether `text` appeared in what was read since the last call that found something.
  bool expect(const std::string& text, std::chrono::milliseconds deadline);
  const std::string& seen() const { return seen_; }

 private:
  UniqueFd socket_;
  std::string seen_;
};

}  // namespace virga::test
