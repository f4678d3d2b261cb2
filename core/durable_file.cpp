#include "core/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/unique_fd.h"

namespace virga {
namespace {

tl::unexpected<Error> system_error(std::string_view what, const std::filesystem::path& path) {
  return fail(internal_error(std::string(what) + " " + path.string() + ": " + std::strerror(errno)));
}

Result<void> write_all(int fd, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("write", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> flush_directory(const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return system_error("flush directory", directory);
  return {};
}

}  // namespace

Result<void> replace_file(const std::filesystem::path& path, std::string_view content, Durability durability) {
  auto temporary = path;
  temporary += ".tmp";
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return system_error("remove", temporary);
  {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return system_error("create", temporary);
    TRY_VOID(write_all(fd.get(), content, temporary));
    if (durability == Durability::power_loss && ::fsync(fd.get()) != 0) return system_error("flush", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return system_error("rename", temporary);
  if (durability == Durability::power_loss) return flush_directory(path.parent_path());
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", path);
  std::string content;
  char buffer[16 << 10];
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read", path);
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > max_bytes) return fail(internal_error("read " + path.string() + ": too large"));
  }
}

Result<void> remove_file(const std::filesystem::path& path, Durability durability) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return system_error("remove", path);
  }
  if (durability == Durability::power_loss) return flush_directory(path.parent_path());
  return {};
}

}  // namespace virga
