#include "storage/host/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "storage/wanted.h"

namespace virga::storage {

Error system_error(std::string_view what) {
  const int number = errno;
  auto context = fmt::format("{}: {}", what, std::strerror(number));
  if (number == ENOSPC || number == EDQUOT)
    return {Code::insufficient_volume_capacity, std::string(no_room_problem), std::move(context)};
  return internal_error(std::move(context));
}

Result<void> sync_file(int fd) {
  if (::fsync(fd) != 0) return fail(system_error("fsync"));
  return {};
}

Result<Directory> Directory::open(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail(system_error("mkdir " + path));
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(system_error("open directory " + path));
  if (::fchmod(fd.get(), mode) != 0) return fail(system_error("chmod " + path));
  return Directory(path, std::move(fd));
}

Result<std::optional<struct stat>> Directory::find(const std::string& name) const {
  struct stat status {};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return fail(system_error("stat " + path_of(name)));
  }
  if (!S_ISREG(status.st_mode)) return fail(internal_error(path_of(name) + " is not a regular file"));
  return status;
}

Result<UniqueFd> Directory::open_file(const std::string& name) const {
  UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(system_error("open " + path_of(name)));
  return fd;
}

Result<UniqueFd> Directory::create_file(const std::string& name, mode_t mode) const {
  TRY_VOID(remove(name));
  UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return fail(system_error("create " + path_of(name)));
  if (::fchmod(fd.get(), mode) != 0) return fail(system_error("chmod " + path_of(name)));
  return fd;
}

Result<void> Directory::remove(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno == EISDIR && (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)) return {};
  return fail(system_error("remove " + path_of(name)));
}

Result<void> Directory::adopt(const Directory& from, const std::string& name, const std::string& new_name) const {
  if (::renameat(from.fd(), name.c_str(), fd_.get(), new_name.c_str()) != 0)
    return fail(system_error(fmt::format("rename {} to {}", from.path_of(name), path_of(new_name))));
  return sync();
}

Result<void> Directory::sync() const {
  if (::fsync(fd_.get()) != 0) return fail(system_error("fsync " + path_));
  return {};
}

Result<std::vector<std::string>> Directory::names() const {
  // A descriptor of its own: the read position is not shared with other threads.
  const int own = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return fail(system_error("open " + path_));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own), &::closedir);
  if (!stream) {
    ::close(own);
    return fail(system_error("list " + path_));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> sha256_of(int fd) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return fail(internal_error("SHA-256"));
  std::vector<char> buffer(1 << 20);
  for (off_t offset = 0;;) {
    const auto got = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("read for SHA-256"));
    if (got == 0) break;
    if (EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(got)) != 1)
      return fail(internal_error("SHA-256"));
    offset += got;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context.get(), digest.data(), &length) != 1) return fail(internal_error("SHA-256"));
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace virga::storage
