#include "network/host/name_space.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

#include "network/host/system_failure.h"

namespace virga::network {
namespace {

namespace fs = std::filesystem;

constexpr const char* directory = "/run/netns";
constexpr unsigned long nsfs_magic = 0x6e736673;

std::string path_of(const std::string& name) { return std::string(directory) + "/" + name; }

/// A file in the directory that no namespace is mounted on is left over from a crash between the two steps.
bool is_mounted(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == nsfs_magic;
}

/// As iproute2 does: the directory is a shared mount, so that namespaces pinned here are seen by every mount namespace.
Result<void> prepare_directory() {
  if (::mkdir(directory, 0755) != 0 && errno != EEXIST) return system_failure("mkdir /run/netns");
  if (::mount("", directory, "none", MS_SHARED | MS_REC, nullptr) == 0) return {};
  if (errno != EINVAL) return system_failure("share /run/netns");
  if (::mount(directory, directory, "none", MS_BIND | MS_REC, nullptr) != 0) return system_failure("bind /run/netns");
  if (::mount("", directory, "none", MS_SHARED | MS_REC, nullptr) != 0) return system_failure("share /run/netns");
  return {};
}

/// Runs `work` in a fresh thread after `enter` put that thread where it belongs.
Result<void> in_thread(const std::function<Result<void>()>& enter, const std::function<Result<void>()>& work) {
  Result<void> result;
  std::thread([&] {
    try {
      result = enter();
      if (result) result = work();
    } catch (const std::exception& exception) {
      result = fail(internal_error(std::string("work in a network namespace: ") + exception.what()));
    }
  }).join();
  return result;
}

Result<void> new_name_space() {
  if (::unshare(CLONE_NEWNET) != 0) return system_failure("unshare the network namespace");
  return {};
}

}  // namespace

bool name_space_exists(const std::string& name) { return is_mounted(path_of(name)); }

Result<void> create_name_space(const std::string& name) {
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  std::string path = path_of(name);
  if (is_mounted(path)) return {};
  TRY_VOID(prepare_directory());
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0));
  if (!file) return system_failure("create " + path);
  return in_thread(new_name_space, [&]() -> Result<void> {
    std::string own = "/proc/self/task/" + std::to_string(::gettid()) + "/ns/net";
    if (::mount(own.c_str(), path.c_str(), "none", MS_BIND, nullptr) != 0) return system_failure("pin " + path);
    return {};
  });
}

Result<void> remove_name_space(const std::string& name) {
  std::string path = path_of(name);
  if (is_mounted(path) && ::umount2(path.c_str(), MNT_DETACH) != 0) return system_failure("unmount " + path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_failure("unlink " + path);
  return {};
}

std::vector<std::string> list_name_spaces(std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (auto name = entry->path().filename().string(); name.starts_with(prefix)) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

Result<UniqueFd> open_name_space(const std::string& name) {
  std::string path = path_of(name);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_failure("open " + path);
  if (!is_mounted(path)) return fail(internal_error(path + " is no namespace"));
  return fd;
}

Result<UniqueFd> open_own_name_space() {
  UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) return system_failure("open the own network namespace");
  return fd;
}

Result<std::uint64_t> name_space_identity(const std::string& name) {
  UniqueFd fd = TRY(open_name_space(name));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_failure("look at " + name);
  return status.st_ino;
}

Result<void> in_name_space(const std::string& name, const std::function<Result<void>()>& work) {
  UniqueFd fd = TRY(open_name_space(name));
  auto enter = [&]() -> Result<void> {
    if (::setns(fd.get(), CLONE_NEWNET) != 0) return system_failure("enter " + name);
    return {};
  };
  return in_thread(enter, work);
}

Result<void> in_scratch_name_space(const std::function<Result<void>()>& work) {
  return in_thread(new_name_space, work);
}

}  // namespace virga::network
