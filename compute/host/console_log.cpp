#include "compute/host/console_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "core/unique_fd.h"

namespace virga::compute {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_socket_path = 107;

std::string stem(const InstanceId& id) { return id.str().substr(InstanceId::prefix.size()); }

// The last `limit` bytes of a file; empty if it does not exist.
Result<std::string> read_end(const fs::path& path, std::size_t limit) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!file && errno == ENOENT) return std::string();
  if (!file || ::fstat(file.get(), &status) != 0) {
    return fail(internal_error(fmt::format("{}: {}", path.string(), std::strerror(errno))));
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string text(std::min(size, limit), '\0');
  const auto start = static_cast<off_t>(size - text.size());
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::pread(file.get(), text.data() + done, text.size() - done, start + static_cast<off_t>(done));
    if (count <= 0) break;  // truncated meanwhile
    done += static_cast<std::size_t>(count);
  }
  text.resize(done);
  return text;
}

void cut(const fs::path& log) {
  auto kept = read_end(log, ConsoleLogs::kept_bytes);
  if (!kept) return;
  auto old = log;
  old.replace_extension(".old");
  auto fresh = log;
  fresh.replace_extension(".new");
  // Only root writes here now, but a directory of an earlier release was QEMU's: no link is followed, no file of
  // another making written to.
  ::unlink(fresh.c_str());
  {
    const UniqueFd out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out || ::write(out.get(), kept->data(), kept->size()) != static_cast<ssize_t>(kept->size())) {
      spdlog::warn("console: cannot keep the end of {}: {}", log.string(), std::strerror(errno));
      return;
    }
  }
  std::error_code error;
  fs::rename(fresh, old, error);
  // What the guest wrote between the read and this line is lost: the price of not owning the writer.
  const UniqueFd cut_file(::open(log.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!cut_file || ::ftruncate(cut_file.get(), 0) != 0)
    spdlog::warn("console: cannot cut {}: {}", log.string(), std::strerror(errno));
}

Result<void> own(const fs::path& directory, const FileOwner& owner) {
  if (::chown(directory.c_str(), owner.uid, owner.gid) == 0) return {};
  return fail(internal_error(fmt::format("{}: {}", directory.string(), std::strerror(errno))));
}

}  // namespace

Result<ConsoleLogs> ConsoleLogs::create(fs::path directory) {
  // 17 digits, a slash and ".tty"; the screens' path is no longer.
  if (directory.string().size() + 22 > max_socket_path) {
    return fail(Code::invalid_parameter_value,
                fmt::format("The state directory's path is too long: console sockets allow {} characters for {}",
                            max_socket_path - 22, directory.string()));
  }
  ConsoleLogs logs(std::move(directory));
  for (const auto& made : {logs.directory_, logs.screens()}) {
    std::error_code error;
    fs::create_directories(made, error);
    if (!error) fs::permissions(made, fs::perms::owner_all, error);
    if (error) return fail(internal_error(fmt::format("{}: {}", made.string(), error.message())));
  }
  TRY_VOID(own(logs.directory_, {.uid = ::geteuid(), .gid = ::getegid()}));  // earlier releases gave it to QEMU
  return logs;
}

Result<void> ConsoleLogs::give_to(const FileOwner& owner) const { return own(screens(), owner); }

DomainFiles ConsoleLogs::files(const InstanceId& id) const {
  const auto base = (directory_ / stem(id)).string();
  return {.console_log = base + ".log",
          .console_socket = base + ".tty",
          .vnc_socket = (screens() / (stem(id) + ".vnc")).string()};
}

Result<std::string> ConsoleLogs::tail(const InstanceId& id) const {
  const auto base = directory_ / stem(id);
  auto text = TRY(read_end(base.string() + ".log", kept_bytes));
  if (text.size() < kept_bytes) {
    const auto older = TRY(read_end(base.string() + ".old", kept_bytes - text.size()));
    text.insert(0, older);
  }
  return text;
}

void ConsoleLogs::rotate() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (entry.path().extension() != ".log" || entry.is_symlink(error) || !entry.is_regular_file(error)) continue;
    const auto size = entry.file_size(error);
    if (!error && size > rotated_at_bytes) cut(entry.path());
  }
}

void ConsoleLogs::remove(const InstanceId& id) const {
  std::error_code error;
  std::vector<fs::path> its;  // also what virtlogd has put aside: .log.0, .log.1, ...
  for (const auto& directory : {directory_, screens()})
    for (const auto& entry : fs::directory_iterator(directory, error))
      if (entry.path().filename().string().starts_with(stem(id) + ".")) its.push_back(entry.path());
  for (const auto& file : its) fs::remove(file, error);
}

}  // namespace virga::compute
