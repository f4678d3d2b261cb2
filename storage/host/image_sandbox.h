#pragma once

// The sandbox in which a QEMU tool reads an uploaded image, or changes a volume's file: bubblewrap gives it an empty
// network, its own processes and a file tree of nothing but the programs (read-only) and the files it works on; setpriv takes the
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

/// A volume's file that is to become larger. The tool works as `user`, who must be able to write it.
struct Growth {
  std::string file;              ///< on the host: a qcow2, perhaps an overlay
  std::uint64_t file_bytes = 0;  ///< its length as it is
  std::uint64_t size_gib = 0;    ///< of the disk, as it shall be
  SandboxUser user;
};

/// A disk that is to be copied into a file that stands alone.
struct FlatCopy {
  std::string file;                  ///< on the host: a qcow2; the tool works as `user`, who must be able to read it
  std::vector<std::string> backing;  ///< what lies below it, nearest first: qcow2 files, too
  std::string output_directory;      ///< on the host; the tool writes `converted_name` into it
  std::uint64_t disk_bytes = 0;      ///< what time, CPU and size limits follow from
  SandboxUser user;
  std::uint64_t room_bytes = 0;      ///< what the output may take of the file system; it never takes more
};

/// The size at which the output of an honest conversion would have ended long before: its disk, 1 % and 1 MiB.
std::uint64_t largest_output(std::uint64_t virtual_bytes);

/// qemu-img convert into a qcow2 that stands alone, confined. Time, CPU and size limits follow from the disk's size.
Result<Command> confined_conversion(const Conversion& conversion);

/// qemu-img resize of a file that a guest has written to, confined: it is a qcow2 whatever it says, and what its header
/// refers to is not there. The files below an overlay are not needed for it.
Result<Command> confined_resize(const Growth& growth);

/// qemu-img convert of a file that a guest's hypervisor has written, and of what lies below it by our own knowledge, into
/// a qcow2 that stands alone, confined: what the file's header refers to is not there. It fails while somebody has the
/// file open for writing.
Result<Command> confined_copy(const FlatCopy& copy);

/// The compiled seccomp filter (BPF) the tool runs under: what it never needs ends in EPERM.
Result<std::string> seccomp_filter();

}  // namespace virga::storage
