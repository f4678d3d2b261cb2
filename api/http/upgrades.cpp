#include "api/http/upgrades.h"

#include <fcntl.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

namespace virga::http {

struct Upgrades::Session {
  /// A second descriptor of the same socket: the function may close its own at any time and the number may be reused,
  /// so shutting that one down could hit a stranger. Closed as soon as the function returns, for the peer to see it.
  std::mutex mutex;
  UniqueFd handle;
  std::atomic<bool> ended = false;
  std::thread thread;
};

namespace {

void block_sigpipe() {
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);
}

void run_logged(const std::function<void(int)>& run, int fd) {
  try {
    run(fd);
  } catch (const std::exception& error) {
    spdlog::error("an upgraded connection ended with an exception: {}", error.what());
  }
}

}  // namespace

bool Upgrades::room() {
  const std::lock_guard lock(mutex_);
  reap();
  return !stopped_ && sessions_.size() < max_;
}

void Upgrades::start(UniqueFd fd, std::function<void(int)> run) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return;
  auto session = std::make_shared<Session>();
  session->handle = UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!session->handle) return;
  // The thread owns the session together with the list: it may be the last to look at it.
  session->thread = std::thread([session, run = std::move(run), raw = fd.get()] {
    block_sigpipe();
    run_logged(run, raw);
    const std::lock_guard ending(session->mutex);
    session->handle.reset();
    session->ended = true;
  });
  fd.release();
  sessions_.push_back(std::move(session));
}

void Upgrades::reap() {
  sessions_.remove_if([](const std::shared_ptr<Session>& session) {
    if (!session->ended) return false;
    session->thread.join();
    return true;
  });
}

void Upgrades::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& session : sessions_) {
    const std::lock_guard guard(session->mutex);
    if (session->handle) ::shutdown(session->handle.get(), SHUT_RDWR);
  }
  for (const auto& session : sessions_) session->thread.join();
  sessions_.clear();
}

}  // namespace virga::http
