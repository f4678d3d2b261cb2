#include "daemon/process.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace virga::daemon {

namespace {
Error failed_call(const std::string& what) { return internal_error(fmt::format("{}: {}", what, std::strerror(errno))); }

Result<passwd> entry_of(const std::string& user) {
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr)
    return fail(Code::invalid_parameter_value,
                fmt::format("There is no user '{}' (control.user in virga.toml); scripts/up makes it.", user));
  return *entry;
}
}  // namespace

void set_up_log(const Config& config) {
  auto logger = std::make_shared<spdlog::logger>("virga", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(config.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

Result<unsigned> uid_of(const std::string& user) { return TRY(entry_of(user)).pw_uid; }
Result<unsigned> gid_of(const std::string& user) { return TRY(entry_of(user)).pw_gid; }

Result<void> make_directory(const std::filesystem::path& path, unsigned mode, const std::string& user) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail(failed_call("mkdir " + path.string()));
  if (geteuid() == 0) {
    const auto owner = TRY(entry_of(user));
    if (chown(path.c_str(), owner.pw_uid, owner.pw_gid) != 0) return fail(failed_call("chown " + path.string()));
  }
  if (chmod(path.c_str(), mode) != 0 && geteuid() == 0) return fail(failed_call("chmod " + path.string()));
  return {};
}

Result<void> drop_privileges(const std::string& user) {
  if (geteuid() != 0) return {};
  const auto entry = TRY(entry_of(user));
  // The order matters: groups while still root, the user last; PR_SET_NO_NEW_PRIVS closes setuid programs too.
  if (setgroups(0, nullptr) != 0) return fail(failed_call("setgroups"));
  if (setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid) != 0) return fail(failed_call("setresgid"));
  if (setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid) != 0) return fail(failed_call("setresuid"));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(failed_call("PR_SET_NO_NEW_PRIVS"));
  if (setuid(0) == 0) return fail(internal_error("privileges could not be dropped"));
  return {};
}

namespace {
sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

void block_signals() {
  const sigset_t set = end_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void wait_for_end() {
  const sigset_t set = end_signals();
  int signal = 0;
  sigwait(&set, &signal);
  spdlog::info("signal {}: ending", signal);
}

int refuse(const Error& error) {
  fmt::print(stderr, "virga: {}\n", describe(error));
  return 1;
}

}  // namespace virga::daemon
