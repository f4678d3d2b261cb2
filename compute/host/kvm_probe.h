#pragma once

// Whether KVM really runs guests here. That /dev/kvm opens says little: inside some virtual machines it opens, and
// guests then hang or QEMU aborts.

#include <filesystem>
#include <string>

#include "core/command_runner.h"

namespace virga::compute {

struct KvmVerdict {
  bool works = false;
  std::string detail;  ///< why not; for the log
};

/// Runs a guest of 64 MiB whose firmware starts a boot sector that ends QEMU with a certain exit code; at most 8 s.
/// The verdict is kept in `directory` for this boot of this kernel.
KvmVerdict probe_kvm(CommandRunner& runner, const std::filesystem::path& directory);

}  // namespace virga::compute
