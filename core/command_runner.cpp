#include "core/command_runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/unique_fd.h"

namespace virga {

namespace {

/// The only search path, for us and for the child: what the parent's environment says is nobody's choice here.
constexpr const char* search_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Error cannot_start(const std::string& program, std::string_view why) {
  return internal_error(fmt::format("cannot start {}: {}", program, why));
}

/// Absolute path of the program, or empty.
std::string find_program(const std::string& name) {
  const auto runnable = [](const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.empty()) return {};
  if (name.find('/') != std::string::npos) return name.front() == '/' && runnable(name) ? name : std::string();
  std::string_view rest = search_path;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    auto candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (runnable(candidate)) return candidate;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return {};
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

/// A process that was started without standard descriptors gets their numbers here; the child's own would collide.
UniqueFd above_standard(UniqueFd fd) {
  return fd && fd.get() <= 2 ? UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)) : std::move(fd);
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(internal_error(fmt::format("pipe: {}", std::strerror(errno))));
  // Both are owned before either is moved: a number that is freed must not be taken again for the other.
  UniqueFd read(ends[0]);
  UniqueFd write(ends[1]);
  Pipe pipe{above_standard(std::move(read)), above_standard(std::move(write))};
  if (!pipe.read || !pipe.write) return fail(internal_error("pipe: no descriptor is free"));
  return pipe;
}

/// By number: glibc 2.36 declares pidfd_open without C linkage.
UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))); }

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// Everything the child needs, made before fork: after it, in a process with threads, only system calls are safe.
struct ChildPlan {
  const char* program;
  char* const* argv;
  char* const* environment;
  int standard_input;
  int standard_output;
  int standard_error;
  int failure;  ///< errno goes here when exec fails; closed by a successful exec
  std::array<std::pair<__rlimit_resource, rlim_t>, 3> limits;
  pid_t parent;
};

[[noreturn]] void give_up(const ChildPlan& plan) {
  const int reason = errno;
  // Nothing can be done about a failing write: the parent then sees the exit code.
  [[maybe_unused]] const auto written = ::write(plan.failure, &reason, sizeof reason);
  ::_exit(127);
}

bool apply_limits(const ChildPlan& plan) {
  for (const auto& [resource, value] : plan.limits) {
    const rlimit limit{value, value};
    if (value != 0 && ::setrlimit(resource, &limit) != 0) return false;
  }
  const rlimit no_core{0, 0};
  return ::setrlimit(RLIMIT_CORE, &no_core) == 0;
}

/// Runs in the child. Only async-signal-safe calls.
[[noreturn]] void become(const ChildPlan& plan) {
  ::setsid();
  // A child must not outlive a killed parent; programs that make themselves daemons lose this by forking, as they
  // should.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(077);
  if (::dup2(plan.standard_input, 0) < 0 || ::dup2(plan.standard_output, 1) < 0 || ::dup2(plan.standard_error, 2) < 0)
    give_up(plan);
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0 || !apply_limits(plan)) give_up(plan);
  ::execve(plan.program, plan.argv, plan.environment);
  give_up(plan);
}

/// A running child with our ends of its pipes. Its destructor leaves no process behind.
class Child {
 public:
  static Result<Child> start(const Command& command, const std::string& program);
  Child(Child&&) = default;
  ~Child() {
    if (pidfd_ && !reaped_) {
      kill_group();
      wait();
    }
  }
  /// Feeds the input and collects the outputs until the child ends or the time is over.
  CommandResult communicate(const Command& command);

 private:
  Child(pid_t pid, UniqueFd pidfd, UniqueFd in, UniqueFd out, UniqueFd err)
      : pid_(pid), pidfd_(std::move(pidfd)), in_(std::move(in)), out_(std::move(out)), err_(std::move(err)) {}
  void kill_group() { ::kill(-pid_, SIGKILL); }
  int wait();
  void feed(const std::string& input);

  pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd in_;
  UniqueFd out_;
  UniqueFd err_;
  std::size_t fed_ = 0;
  bool reaped_ = false;
};

Result<Child> Child::start(const Command& command, const std::string& program) {
  auto in = TRY(make_pipe());
  auto out = TRY(make_pipe());
  auto err = TRY(make_pipe());
  auto failure = TRY(make_pipe());
  std::vector<char*> argv;
  for (const auto& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  auto path_variable = std::string("PATH=") + search_path;
  std::string locale_variable = "LC_ALL=C";
  const std::array<char*, 3> environment{path_variable.data(), locale_variable.data(), nullptr};
  const ChildPlan plan{program.c_str(),
                       argv.data(),
                       environment.data(),
                       in.read.get(),
                       out.write.get(),
                       err.write.get(),
                       failure.write.get(),
                       {{{RLIMIT_AS, command.max_address_space_bytes},
                         {RLIMIT_CPU, command.max_cpu_seconds},
                         {RLIMIT_FSIZE, command.max_file_bytes}}},
                       ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return fail(cannot_start(program, std::strerror(errno)));
  if (pid == 0) become(plan);

  Child child(pid, open_pidfd(pid), std::move(in.write), std::move(out.read), std::move(err.read));
  failure.write.reset();
  int reason = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure.read.get(), &reason, sizeof reason);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof reason || !child.pidfd_) {
    const auto why = got == sizeof reason ? std::strerror(reason) : "no pidfd";
    child.kill_group();
    child.wait();
    return fail(cannot_start(program, why));
  }
  make_nonblocking(child.in_.get());
  make_nonblocking(child.out_.get());
  make_nonblocking(child.err_.get());
  return child;
}

int Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void Child::feed(const std::string& input) {
  while (fed_ < input.size()) {
    // The caller has SIGPIPE blocked.
    const auto written = ::write(in_.get(), input.data() + fed_, input.size() - fed_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) break;
    fed_ += static_cast<std::size_t>(written);
  }
  in_.reset();
}

/// Reads what is there; keeps the first max_output_bytes and drops the rest, so that the child is never blocked by us.
void collect(UniqueFd& fd, std::string& text) {
  std::array<char, 16384> buffer;
  while (fd) {
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      fd.reset();
      return;
    }
    const auto room = CommandRunner::max_output_bytes - text.size();
    text.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
  }
}

/// Blocks SIGPIPE in this thread for as long as it lives, and takes back one that came meanwhile: a child that does not
/// read its input is an ordinary case.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    const timespec now{0, 0};
    while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

CommandResult Child::communicate(const Command& command) {
  const NoPipeSignal guard;
  const auto deadline = std::chrono::steady_clock::now() + command.timeout;
  CommandResult result;
  bool ended = false;
  while (!ended) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      result.timed_out = true;
      kill_group();
      break;
    }
    if (in_) feed(command.standard_input);
    // poll ignores negative descriptors: those that are closed already.
    std::array<pollfd, 4> waited{
        {{pidfd_.get(), POLLIN, 0}, {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}, {in_.get(), POLLOUT, 0}}};
    const auto step = std::min<std::int64_t>(left.count() + 1, 60'000);
    if (::poll(waited.data(), waited.size(), static_cast<int>(step)) < 0 && errno != EINTR) break;
    ended = waited[0].revents != 0;
    collect(out_, result.standard_output);
    collect(err_, result.standard_error);
  }
  result.exit_code = wait();
  // What it wrote last. Not until the end of the stream: a daemon it started may keep that open for ever.
  collect(out_, result.standard_output);
  collect(err_, result.standard_error);
  return result;
}

}  // namespace

Result<CommandResult> SystemCommandRunner::run(const Command& command) {
  if (command.argv.empty()) return fail(internal_error("an empty argument vector"));
  for (const auto& word : command.argv)
    if (word.find('\0') != std::string::npos)
      return fail(cannot_start(command.argv.front(), "a NUL byte in an argument"));
  const auto program = find_program(command.argv.front());
  if (program.empty()) return fail(cannot_start(command.argv.front(), "no such program"));
  auto child = TRY(Child::start(command, program));
  return child.communicate(command);
}

Result<CommandResult> CommandRunner::run_ok(const Command& command) {
  constexpr std::size_t shown_bytes = 4096;
  auto result = TRY(run(command));
  if (result.ok()) return result;
  const auto how = result.timed_out ? fmt::format("timed out after {} ms", command.timeout.count())
                                    : fmt::format("exit code {}", result.exit_code);
  return fail(internal_error(fmt::format("{}: {}: {}", command.argv.front(), how,
                                         std::string_view(result.standard_error).substr(0, shown_bytes))));
}

}  // namespace virga
