#include "storage/host/image_sandbox.h"

#include <fmt/format.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/json_values.h"
#include "core/unique_fd.h"

namespace virga::storage {

namespace {

/// Doors of the kernel that a program which reads one file and writes another has no business at.
constexpr int forbidden_calls[] = {
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(personality),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(syslog),
};

constexpr std::uint64_t mib = 1 << 20;
constexpr int worker_threads = 4;

void append(std::vector<std::string>& argv, const std::vector<std::string>& more) {
  argv.insert(argv.end(), more.begin(), more.end());
}

/// Limits that would hurt bubblewrap itself, so they are set inside. qemu-img has 6 threads: its own, one for deferred
/// frees, and the workers (which would be 64). Stacks of 1 MiB instead of 8 and one heap keep it at about 105 MiB of
/// address space, of which 1 GiB is allowed. Processes are counted per user over the whole machine: 32 let five
/// installations that share a machine convert at the same time, and each converts one image at a time; of those that
/// copy two volumes at a time, two.
std::vector<std::string> process_limits() {
  return {"/usr/bin/prlimit", "--nproc=32", "--nofile=32", "--stack=1048576", "--"};
}

std::string input_of(ImageFormat format) {
  // The driver is always named, and a qcow2 input opens nothing else, whatever its header says.
  nlohmann::json node = {{"driver", driver_name(format)}, {"file", {{"driver", "file"}, {"filename", "/input"}}}};
  if (format != ImageFormat::raw) node["backing"] = nullptr;
  return "json:" + node.dump();
}

std::string main_loop() { return fmt::format("main-loop,id=loop,thread-pool-max={}", worker_threads); }

}  // namespace

Result<std::string> seccomp_filter() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
  if (!filter) return fail(internal_error("seccomp_init"));
  for (const int call : forbidden_calls)
    if (const int error = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0); error != 0)
      return fail(internal_error(fmt::format("seccomp rule for call {}: {}", call, error)));
  const UniqueFd memory(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory || ::seccomp_export_bpf(filter.get(), memory.get()) != 0)
    return fail(internal_error("seccomp_export_bpf"));
  const auto size = ::lseek(memory.get(), 0, SEEK_END);
  std::string program(size > 0 ? static_cast<std::size_t>(size) : 0, '\0');
  if (program.empty() || ::pread(memory.get(), program.data(), program.size(), 0) != size)
    return fail(internal_error("reading the seccomp filter"));
  return program;
}

namespace {

/// qemu-img with these arguments, in a file tree of the programs and what `binds` puts there.
Result<Command> confined(const std::vector<std::string>& binds, const SandboxUser& user,
                         const std::vector<std::string>& arguments) {
  Command command;
  command.argv = {"bwrap", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
                  "--die-with-parent", "--new-session", "--clearenv", "--setenv", "LC_ALL", "C",
                  // One heap for all threads: each further one takes 64 MiB of address space.
                  "--setenv", "MALLOC_ARENA_MAX", "1", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
                  "--symlink", "usr/lib64", "/lib64", "--dev", "/dev"};
  append(command.argv, binds);
  append(command.argv, {"--chdir", "/",
                        // Root's capabilities go, but for those that setpriv needs to take away the user and the rest.
                        "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add",
                        "CAP_SETPCAP", "--seccomp", "0", "--"});
  append(command.argv, process_limits());
  append(command.argv, {"/usr/bin/setpriv", fmt::format("--reuid={}", user.uid), fmt::format("--regid={}", user.gid),
                        "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"});
  append(command.argv, {"/usr/bin/qemu-img"});
  append(command.argv, arguments);
  command.standard_input = TRY(seccomp_filter());
  command.max_address_space_bytes = 1024 * mib;
  return command;
}

}  // namespace

std::uint64_t largest_output(std::uint64_t virtual_bytes) {
  // Tables take 1/8192 of the data for the map and 1/32768 for the counts; a small disk has a few clusters of them.
  return virtual_bytes + virtual_bytes / 100 + mib;
}

Result<Command> confined_conversion(const Conversion& conversion) {
  const auto virtual_bytes = conversion.header.virtual_bytes;
  const auto megabytes = virtual_bytes / mib;
  auto command = TRY(confined(
      {"--ro-bind", conversion.input, "/input", "--bind", conversion.output_directory, "/output"}, conversion.user,
      {"convert", "-q", "--object", main_loop(), "-O", "qcow2", "-o", "compat=1.1,cluster_size=65536",
       input_of(conversion.header.format), fmt::format("/output/{}", converted_name)}));
  // A slow disk copies 20 MiB/s; a compressed image costs about 1 s of CPU for 40 MiB.
  command.max_cpu_seconds = 30 + megabytes / 20;
  command.timeout = std::chrono::seconds(60 + megabytes / 20);
  // 0 would mean no limit.
  command.max_file_bytes = std::max<std::uint64_t>(std::min(largest_output(virtual_bytes), conversion.room_bytes), 1);
  return command;
}

Result<Command> confined_copy(const FlatCopy& copy) {
  std::vector<std::string> binds = {"--bind", copy.output_directory, "/output"};
  const auto node_of = [&](const std::string& file, const std::string& name, const nlohmann::json& below) {
    append(binds, {"--ro-bind", file, name});
    return nlohmann::json{
        {"driver", "qcow2"}, {"backing", below}, {"file", {{"driver", "file"}, {"filename", name}}}};
  };
  nlohmann::json node = nullptr;
  for (auto number = copy.backing.size(); number > 0; --number)
    node = node_of(copy.backing[number - 1], fmt::format("/base-{}", number), node);
  node = node_of(copy.file, "/volume", node);
  auto command = TRY(confined(binds, copy.user,
                              {"convert", "-q", "--object", main_loop(), "-O", "qcow2", "-o",
                               "compat=1.1,cluster_size=65536", "json:" + node.dump(),
                               fmt::format("/output/{}", converted_name)}));
  const auto megabytes = copy.disk_bytes / mib;
  command.max_cpu_seconds = 30 + megabytes / 20;
  command.timeout = std::chrono::seconds(60 + megabytes / 20);
  command.max_file_bytes = std::max<std::uint64_t>(std::min(largest_output(copy.disk_bytes), copy.room_bytes), 1);
  return command;
}

Result<Command> confined_resize(const Growth& growth) {
  // Without its backing file an overlay is a disk with holes, which is all that its tables say; the name stays in its
  // header. A reference to a file of data leads to nothing in here.
  const nlohmann::json node = {
      {"driver", "qcow2"}, {"backing", nullptr}, {"file", {{"driver", "file"}, {"filename", "/volume"}}}};
  auto command = TRY(
      confined({"--bind", growth.file, "/volume"}, growth.user,
               {"resize", "-q", "--object", main_loop(), "json:" + node.dump(), fmt::format("{}G", growth.size_gib)}));
  command.max_cpu_seconds = 30;
  command.timeout = std::chrono::seconds(60);
  // Only tables are written, at the end of the file: 1/8192 of the disk at the very most.
  command.max_file_bytes = growth.file_bytes + (growth.size_gib << 30) / 8192 + 16 * mib;
  return command;
}

}  // namespace virga::storage
