#include "storage/host/disk_copy.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace virga::storage {
namespace {

constexpr std::uint64_t largest_volume_gib = 65'536;

Result<UniqueFd> open_disk(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(system_error("open " + path));
  return fd;
}

Result<struct stat> status_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail(system_error("fstat"));
  if (!S_ISREG(status.st_mode)) return fail(internal_error("not a regular file"));
  return status;
}

/// The file is the sandbox's user's for as long as this lives, then ours. Whatever ends this in between, the next copy
/// and the next start of a guest give the file its owner.
class Lent {
 public:
  static Result<Lent> to(const std::string& path, const SandboxUser& user) {
    auto file = TRY(open_disk(path));
    if (::fchown(file.get(), user.uid, static_cast<gid_t>(-1)) != 0) return fail(system_error("lend " + path));
    return Lent(std::move(file));
  }
  ~Lent() {
    if (file_) static_cast<void>(::fchown(file_.get(), ::geteuid(), ::getegid()));
  }
  Lent(Lent&&) = default;
  Lent& operator=(Lent&&) = delete;

 private:
  explicit Lent(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

/// The group in which the tool can read the files below: they belong to us and to whoever reads them.
Result<std::uint32_t> reading_group(const std::vector<std::string>& backing, std::uint32_t otherwise) {
  for (const auto& path : backing) {
    const auto file = TRY(open_disk(path));
    const auto status = TRY(status_of(file.get()));
    if ((status.st_mode & S_IROTH) == 0) return status.st_gid;
  }
  return otherwise;
}

class SpoolDirectory {
 public:
  explicit SpoolDirectory(std::string path) : path_(std::move(path)) { clear(); }
  ~SpoolDirectory() { clear(); }
  SpoolDirectory(const SpoolDirectory&) = delete;
  SpoolDirectory& operator=(const SpoolDirectory&) = delete;

 private:
  void clear() {
    std::error_code ignored;  // what cannot be removed now is found again by remove_leftovers
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string path_;
};

}  // namespace

Result<std::uint64_t> bytes_to_copy(const DiskSource& source) {
  std::uint64_t sum = 0;
  auto files = source.backing;
  files.push_back(source.file);
  for (const auto& path : files) {
    const auto file = TRY(open_disk(path));
    const auto status = TRY(status_of(file.get()));
    sum += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return sum;
}

Result<std::uint64_t> volume_disk_bytes(int fd) {
  const auto bytes = TRY(ImageBytes::open(fd));
  const auto size = TRY(disk_bytes(bytes));
  if (size == 0 || size % 512 != 0 || size >> 30 > largest_volume_gib)
    return fail(internal_error(fmt::format("a disk of {} bytes is no volume's", size)));
  return size;
}

Result<void> DiskCopy::convert(const DiskSource& source, std::uint64_t disk_bytes, const Directory& output) {
  const auto room = TRY(room_at(spool_.fd(), limits_.reserve));
  const auto needed = TRY(bytes_to_copy(source));
  TRY_VOID(check_room(room, needed));
  auto user = limits_.copying_user;
  user.gid = TRY(reading_group(source.backing, user.gid));
  const auto command = TRY(confined_copy({.file = source.file,
                                          .backing = source.backing,
                                          .output_directory = output.path(),
                                          .disk_bytes = std::min(disk_bytes, source.size_gib << 30),
                                          .user = user,
                                          .room_bytes = room.free_bytes}));
  const auto lent = TRY(Lent::to(source.file, user));
  const auto result = TRY(runner_.run(command));
  if (result.ok()) return {};
  constexpr std::size_t shown_bytes = 4096;
  constexpr std::uint64_t longest_write = 2 << 20;
  const auto context =
      fmt::format("copy of {} {}, exit code {}: {}", source.file, result.timed_out ? "timed out" : "failed",
                  result.exit_code, std::string_view(result.standard_error).substr(0, shown_bytes));
  const auto written = TRY(output.find(converted_name));
  const bool at_its_end =
      written && static_cast<std::uint64_t>(written->st_size) + longest_write >= command.max_file_bytes;
  const bool for_want_of_room = at_its_end && command.max_file_bytes >= room.free_bytes;
  const auto left = TRY(room_at(spool_.fd(), limits_.reserve));
  if (auto enough = check_room(for_want_of_room ? Room{} : left, 0); !enough)
    return fail(within(context, std::move(enough.error())));
  return fail(Code::internal, "The volume's disk could not be copied.", context);
}

Result<void> DiskCopy::take_over(std::uint64_t disk_bytes, const Directory& output) const {
  const auto status = TRY(output.find(converted_name));
  if (!status || status->st_nlink != 1) return fail(internal_error("the copy left no file of its own"));
  const auto file = TRY(output.open_file(converted_name));
  const auto bytes = TRY(ImageBytes::open(file.get()));
  const auto written = TRY(check_qcow2(bytes, disk_bytes));
  if (written.virtual_bytes != disk_bytes) return fail(internal_error("the copy is of another size"));
  if (::fchown(file.get(), ::geteuid(), limits_.copying_user.gid) != 0 || ::fchmod(file.get(), 0440) != 0)
    return fail(system_error("own a snapshot"));
  return sync_file(file.get());
}

Result<void> DiskCopy::run(const DiskSource& source, const std::string& work, const Directory& to,
                           const std::string& name) {
  const SpoolDirectory cleared(spool_.path_of(work));
  const auto file = TRY(open_disk(source.file));
  const auto disk_bytes = TRY(volume_disk_bytes(file.get()));
  const auto output = TRY(Directory::open(spool_.path_of(work), 0700));
  if (::fchown(output.fd(), limits_.copying_user.uid, limits_.copying_user.gid) != 0)
    return fail(system_error("chown the output"));
  TRY_VOID(convert(source, disk_bytes, output));
  TRY_VOID(take_over(disk_bytes, output));
  auto adopted = to.adopt(output, converted_name, name);
  if (!adopted) (void)to.remove(name);  // a name that is perhaps not on disk is none
  return adopted;
}

std::uint64_t DiskCopy::done_bytes(const std::string& work) const {
  struct stat status {};
  const auto path = spool_.path_of(work) + "/" + converted_name;
  if (::lstat(path.c_str(), &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace virga::storage
