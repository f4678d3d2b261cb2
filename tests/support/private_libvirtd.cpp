#include "tests/support/private_libvirtd.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/assert.h"
#include "core/command_runner.h"
#include "core/unique_fd.h"
#include "tests/support/eventually.h"

namespace virga::test {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

int read_pid(const fs::path& path) { return std::atoi(read(path).c_str()); }

bool in_path(const std::string& program) {
  for (const char* folder : {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin", "/usr/local/sbin"}) {
    if (::access((std::string(folder) + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

fs::path source_file(const char* name) { return fs::path(VIRGA_SOURCE_DIR) / name; }

// A new libvirtd asks every QEMU for its capabilities, which takes 5 to 20 s. What the first one of all tests learned
// is given to the others; libvirt checks whether it still holds.
fs::path capabilities_cache() { return fs::path(VIRGA_BINARY_DIR) / "libvirt-capabilities"; }

void keep_capabilities(const fs::path& cache) {
  std::error_code error;
  if (fs::exists(capabilities_cache(), error)) return;
  const auto fresh = capabilities_cache().string() + fmt::format(".{}", ::getpid());
  fs::copy(cache, fresh, fs::copy_options::recursive, error);
  fs::rename(fresh, capabilities_cache(), error);
  if (error) fs::remove_all(fresh, error);  // another test was faster
}

}  // namespace

int run(const std::vector<std::string>& argv) {
  Command command;
  command.argv = argv;
  command.timeout = std::chrono::minutes(1);
  SystemCommandRunner runner;
  const auto result = runner.run(command);
  if (!result || result->timed_out) return 124;
  if (result->exit_code != 0) std::fputs(result->standard_error.c_str(), stderr);
  return result->exit_code;
}

bool wait_for_end(int pid, std::chrono::milliseconds deadline) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH;
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, static_cast<int>(deadline.count())) == 1;
}

std::optional<std::string> no_guests_reason() {
  if (::geteuid() != 0) return "needs root: libvirtd, mount namespaces";
  for (const char* program : {"libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "unshare"}) {
    if (!in_path(program)) return fmt::format("{} is not installed", program);
  }
  return std::nullopt;
}

fs::path tiny_image() {
  if (const char* given = std::getenv("VIRGA_TINY_IMAGE")) return given;
  const auto image = fs::path(VIRGA_BINARY_DIR) / "tiny.qcow2";
  if (fs::exists(image)) return image;
  const auto fresh = image.string() + fmt::format(".{}", ::getpid());
  VIRGA_ASSERT(run({source_file("scripts/images/tiny").string(), "-o", fresh}) == 0);
  fs::rename(fresh, image);
  return image;
}

PrivateLibvirtd::PrivateLibvirtd(fs::path directory) : directory_(std::move(directory)) {
  std::error_code none_yet;
  fs::create_directories(directory_);
  fs::copy(capabilities_cache(), directory_ / "cache", fs::copy_options::recursive, none_yet);
  VIRGA_ASSERT(start());
}

PrivateLibvirtd::~PrivateLibvirtd() {
  keep_capabilities(directory_ / "cache");
  run({source_file("scripts/private-libvirtd").string(), directory_.string(), "stop"});
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory_ / "run/qemu", ignored)) {
    if (entry.path().extension() != ".pid" || entry.path().stem() == "driver") continue;
    const int pid = read_pid(entry.path());
    if (pid > 0 && read(fmt::format("/proc/{}/comm", pid)).starts_with("qemu-system")) ::kill(pid, SIGKILL);
  }
}

bool PrivateLibvirtd::start() {
  return run({source_file("scripts/private-libvirtd").string(), directory_.string(), "start"}) == 0;
}

std::string PrivateLibvirtd::uri() const {
  return "qemu+unix:///system?socket=" + (directory_ / "run/libvirt-sock").string();
}

int PrivateLibvirtd::pid() const { return read_pid(directory_ / "run/libvirtd.pid"); }

int PrivateLibvirtd::guest_pid(const std::string& name) const {
  return read_pid(directory_ / "run/qemu" / (name + ".pid"));
}

std::string PrivateLibvirtd::guest_command_line(const std::string& name) const {
  auto line = read(fmt::format("/proc/{}/cmdline", guest_pid(name)));
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

}  // namespace virga::test
