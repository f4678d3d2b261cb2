#include "network/host/dnsmasq.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "network/host/system_failure.h"

namespace virga::network {
namespace {

namespace fs = std::filesystem;

constexpr int stop_timeout_ms = 3000;
/// Far more than it needs; a leak or a flood ends the process, which is started again, and not the machine.
constexpr std::uint64_t max_memory_bytes = 512ULL << 20;
/// What it binds its sockets and answers clients without an address with, and what it changes its user with.
constexpr const char* capabilities = "--bounding-set=-all,+net_admin,+net_raw,+net_bind_service,+setuid,+setgid";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Appears whole or not at all: dnsmasq watches the directories.
Result<void> write_file(const std::string& path, const std::string& content, const std::string& staging) {
  ::unlink(staging.c_str());
  UniqueFd file(::open(staging.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return system_failure("create " + staging);
  if (::fchmod(file.get(), 0644) != 0) return system_failure("open up " + staging);
  if (::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    return system_failure("write " + staging);
  if (::rename(staging.c_str(), path.c_str()) != 0) return system_failure("rename to " + path);
  return {};
}

enum class Change { none, additions, replacements };

/// Makes the directory's files exactly these, and says what that took.
Result<Change> sync_directory(const std::string& directory, const std::map<std::string, std::string>& files,
                              const std::string& staging) {
  Change change = Change::none;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (files.contains(entry->path().filename().string())) continue;
    if (::unlink(entry->path().c_str()) != 0) return system_failure("remove " + entry->path().string());
    change = Change::replacements;
  }
  for (const auto& [name, content] : files) {
    std::string path = directory + "/" + name;
    std::string before = read_file(path);
    if (before == content) continue;
    TRY_VOID(write_file(path, content, staging));
    change = before.empty() ? std::max(change, Change::additions) : Change::replacements;
  }
  return change;
}

/// By number: glibc 2.36 declares these without C linkage.
UniqueFd open_process(int pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))); }
void signal_process(const UniqueFd& process, int number) {
  ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0U);
}

/// Waits, bounded, until the process behind the descriptor has ended.
bool ended(const UniqueFd& process, int timeout_ms) {
  pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, timeout_ms) == 1;
}

/// Whether the process lives in the calling thread's network namespace. One that was left behind in a namespace whose
/// name is gone serves nobody.
bool lives_here(int pid) {
  struct stat its {};
  struct stat own {};
  return ::stat(fmt::format("/proc/{}/ns/net", pid).c_str(), &its) == 0 &&
         ::stat("/proc/thread-self/ns/net", &own) == 0 && its.st_dev == own.st_dev && its.st_ino == own.st_ino;
}

}  // namespace

Dnsmasq::Dnsmasq(std::string root, CommandRunner& commands) : root_(std::move(root)), commands_(commands) {
  for (const char* candidate : {"virga-dns", "dnsmasq", "nobody"}) {
    const passwd* user = ::getpwnam(candidate);
    if (user == nullptr) continue;
    const group* its_group = ::getgrgid(user->pw_gid);
    user_ = candidate;
    group_ = its_group != nullptr ? its_group->gr_name : "nogroup";
    group_id_ = user->pw_gid;
    break;
  }
}

std::string Dnsmasq::directory(std::uint32_t vpc) const { return fmt::format("{}/{:08x}", root_, vpc); }

int Dnsmasq::find(std::uint32_t vpc) const {
  std::string text = read_file(directory(vpc) + "/dnsmasq.pid");
  int pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 1) return 0;
  std::string command_line = read_file(fmt::format("/proc/{}/cmdline", pid));
  return command_line.find(directory(vpc) + "/dnsmasq.conf") == std::string::npos ? 0 : pid;
}

UniqueFd Dnsmasq::process(std::uint32_t vpc) const {
  int pid = find(vpc);
  if (pid == 0) return {};
  UniqueFd process = open_process(pid);
  // Looked up again now that the descriptor pins the process, the number cannot have become another's.
  return process && find(vpc) == pid ? std::move(process) : UniqueFd();
}

bool Dnsmasq::is_configured(std::uint32_t vpc) const {
  return ::access((directory(vpc) + "/dnsmasq.conf").c_str(), F_OK) == 0;
}

Result<void> Dnsmasq::prepare_directories(const std::string& own) const {
  std::error_code error;
  fs::create_directories(root_, error);
  if (error) return fail(internal_error("create " + root_ + ": " + error.message()));
  // Whatever the umask: dnsmasq must get through, though it need not look around.
  for (const fs::path& path : {fs::path(root_).parent_path(), fs::path(root_)})
    if (::chmod(path.c_str(), 0711) != 0) return system_failure("open up " + path.string());
  // Names of tenants' guests are for the DNS user only.
  for (const std::string& path : {own, own + "/dhcp", own + "/dns"}) {
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return system_failure("create " + path);
    if (::chown(path.c_str(), 0, group_id_) != 0 || ::chmod(path.c_str(), 0750) != 0)
      return system_failure("hand over " + path);
  }
  return {};
}

Result<bool> Dnsmasq::apply(const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged) {
  std::string own = directory(layout.number);
  std::string staging = own + "/staging";
  TRY_VOID(prepare_directories(own));
  Change reservations = TRY(sync_directory(own + "/dhcp", dhcp_host_files(layout, plugged), staging));
  Change hosts = TRY(sync_directory(own + "/dns", dns_host_files(layout), staging));
  std::string wanted = dnsmasq_configuration(layout, {.directory = own, .user = user_, .group = group_});
  bool same_configuration = read_file(own + "/dnsmasq.conf") == wanted;
  int pid = find(layout.number);
  // A reservation that went may have left a lease, which would keep the address from its next owner. Leases are in the
  // process only, so a new process has none; guests that hold one renew it as if nothing had happened.
  if (pid != 0 && lives_here(pid) && same_configuration && reservations != Change::replacements) {
    // The watch on the directories misses removals; the signal makes it read them anew.
    bool changed = reservations != Change::none || hosts != Change::none;
    if (changed) signal_process(process(layout.number), SIGHUP);
    return false;
  }
  TRY_VOID(stop(layout.number));
  if (!same_configuration) TRY_VOID(write_file(own + "/dnsmasq.conf", wanted, staging));
  TRY_VOID(start(layout.number));
  return true;
}

Result<void> Dnsmasq::start(std::uint32_t vpc) {
  Command command;
  command.argv = {"setpriv", "--no-new-privs", capabilities, "dnsmasq",
                  "--conf-file=" + directory(vpc) + "/dnsmasq.conf"};
  command.timeout = std::chrono::seconds(10);
  command.max_address_space_bytes = max_memory_bytes;
  TRY(commands_.run_ok(command));
  return {};
}

Result<void> Dnsmasq::stop(std::uint32_t vpc) const {
  UniqueFd running = process(vpc);
  if (!running) return {};
  for (int signal : {SIGTERM, SIGKILL}) {
    signal_process(running, signal);
    if (ended(running, stop_timeout_ms)) return {};
  }
  return fail(internal_error(fmt::format("dnsmasq of {:08x} does not end", vpc)));
}

Result<void> Dnsmasq::remove(std::uint32_t vpc) {
  TRY_VOID(stop(vpc));
  std::error_code error;
  fs::remove_all(directory(vpc), error);
  if (error) return fail(internal_error("remove " + directory(vpc) + ": " + error.message()));
  fs::remove(root_, error);  // only the last one leaves it empty
  return {};
}

std::set<std::uint32_t> Dnsmasq::vpcs() const {
  std::set<std::uint32_t> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(root_, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    std::uint32_t number = 0;
    auto [rest, failure] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
    if (name.size() == 8 && failure == std::errc() && rest == name.data() + 8) numbers.insert(number);
  }
  return numbers;
}

}  // namespace virga::network
