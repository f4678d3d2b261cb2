#include "compute/host/guest_user.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/unique_fd.h"

namespace virga::compute {
namespace {

constexpr std::size_t entry_bytes = 64 << 10;  // a group with some thousand members

Error failed(const std::string& what, int number) {
  return internal_error(fmt::format("{}: {}", what, std::strerror(number)));
}

}  // namespace

Result<FileOwner> guest_readers(const FileOwner& user) {
  std::string buffer(entry_bytes, '\0');
  passwd entry{};
  passwd* found = nullptr;
  if (const int error = ::getpwuid_r(user.uid, &entry, buffer.data(), buffer.size(), &found); error != 0) {
    return fail(failed(fmt::format("user {}", user.uid), error));
  }
  if (found == nullptr) return user;
  const std::string name = entry.pw_name;
  group group_entry{};
  group* group_found = nullptr;
  const int error = ::getgrnam_r(name.c_str(), &group_entry, buffer.data(), buffer.size(), &group_found);
  if (error != 0) return fail(failed("group " + name, error));
  return FileOwner{.uid = user.uid, .gid = group_found == nullptr ? user.gid : group_entry.gr_gid};
}

Result<void> let_read(const std::string& path, const FileOwner& readers) {
  constexpr mode_t wanted = 0440;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail(failed(path, errno));
  if (!S_ISREG(status.st_mode)) return fail(internal_error(path + " is not a regular file"));
  // The mode last: it is the owner's to change, and a change of owner takes bits away.
  if ((status.st_uid != ::geteuid() || status.st_gid != readers.gid) &&
      ::fchown(file.get(), ::geteuid(), readers.gid) != 0) {
    return fail(failed("chown " + path, errno));
  }
  if ((status.st_mode & 07777) != wanted && ::fchmod(file.get(), wanted) != 0) {
    return fail(failed("chmod " + path, errno));
  }
  return {};
}

}  // namespace virga::compute
