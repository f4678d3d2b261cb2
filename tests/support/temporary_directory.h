#pragma once

#include <stdlib.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include "core/assert.h"

namespace virga::test {

/// A directory of the test's own, with a path short enough for unix sockets. Removed at the end, unless keep() was
/// called (by a test that failed and wants its logs read).
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = "/tmp/vgt-XXXXXX";
    VIRGA_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (kept_) {
      std::cerr << "kept: " << path_ << '\n';
    } else {
      std::filesystem::remove_all(path_, ignored);
    }
  }
  void keep() { kept_ = true; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace virga::test
