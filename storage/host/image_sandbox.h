#pragma once

// The sandbox in which a QEMU tool reads an uploaded image: bubblewrap gives it an empty network, its own processes and
// a file tree of nothing but the programs (read-only), the one input and the one output directory; setpriv takes the
// user and every capability away; a seccomp filter and resource limits do the rest. Only the argument vector is made
// here; CommandRunner runs it.

#include "core/command_runner.h"
#include "storage/host/image_header.h"

namespace virga::storage {

/// Who the tool runs as. It must own the output directory and be able to read the input.
struct SandboxUser {
  std::uint32_t uid = 65534;
  std::uint32_t gid = 65534;
};

struct Conversion {
  std::string input;             ///< a file on the host
  std::string output_directory;  ///< on the host; the tool writes `converted_name` into it
  ImageHeader header;            ///< of the input, as read by us
  SandboxUser user;
};
inline constexpr const char* converted_name = "image.qcow2";

/// qemu-img convert into a qcow2 that stands alone, confined. Time, CPU and size limits follow from the disk's size.
Result<Command> confined_conversion(const Conversion& conversion);

/// The compiled seccomp filter (BPF) the tool runs under: what it never needs ends in EPERM.
Result<std::string> seccomp_filter();

}  // namespace virga::storage
