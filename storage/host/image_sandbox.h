#pragma once

// The sandbox in which a QEMU tool reads an uploaded image: bubblewrap gives it an empty network, its own processes and
// a file tree of nothing but the programs (read-only), the one input and the one output directory; setpriv takes the
// user and every capability away; a seccomp filter and resource limits do the rest. Only the argument vector is made
// here; CommandRunner runs it.

#include "core/command_runner.h"
#include "storage/host/image_header.h"

namespace virga::storage {

/// Who the tool runs as. It must own the output directory and be able to read the input. A number of its own without an
/// entry in /etc/passwd: nobody else's processes or files have it (Debian gives 65000 to 65533 to no one, systemd's
/// dynamic users end at 65519), and nothing has to be set up.
struct SandboxUser {
  std::uint32_t uid = 65530;
  std::uint32_t gid = 65530;
};

struct Conversion {
  std::string input;             ///< a file on the host
  std::string output_directory;  ///< on the host; the tool writes `converted_name` into it
  ImageHeader header;            ///< of the input, as read by us
  SandboxUser user;
  std::uint64_t room_bytes = 0;  ///< what the output may take of the file system; it never takes more
};
inline constexpr const char* converted_name = "image.qcow2";

/// The size at which the output of an honest conversion would have ended long before: its disk, 1 % and 1 MiB.
std::uint64_t largest_output(std::uint64_t virtual_bytes);

/// qemu-img convert into a qcow2 that stands alone, confined. Time, CPU and size limits follow from the disk's size.
Result<Command> confined_conversion(const Conversion& conversion);

/// The compiled seccomp filter (BPF) the tool runs under: what it never needs ends in EPERM.
Result<std::string> seccomp_filter();

}  // namespace virga::storage
