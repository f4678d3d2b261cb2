#include "api/http/server.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <future>
#include <system_error>
#include <thread>

#include "api/http/connection.h"
#include "api/http/edge.h"
#include "api/http/sockets.h"

namespace virga::http {
namespace asio = boost::asio;
namespace {

using asio::awaitable;
using asio::posix::stream_descriptor;
constexpr auto token = asio::as_tuple(asio::use_awaitable);

/// Accepted at one go before other work gets its turn.
constexpr int accept_burst = 64;
/// Pause after a failure to accept that waiting may cure.
constexpr std::chrono::milliseconds accept_pause{100};

struct Listener {
  Listener(asio::io_context& io, ListenerId id_in, UniqueFd fd, HttpHandler handler_in)
      : id(id_in), socket(io, fd.release()), handler(std::make_shared<const HttpHandler>(std::move(handler_in))) {}
  ListenerId id;
  stream_descriptor socket;
  std::shared_ptr<const HttpHandler> handler;
  UnixSocketFile file;
};

class AsioServer final : public Server {
 public:
  AsioServer(const Limits& limits, int threads)
      : edge_(limits, threads), work_(asio::make_work_guard(edge_.io)), overdue_(edge_.io) {}
  ~AsioServer() override { stop(std::chrono::milliseconds(2000)); }

  Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port, HttpHandler handler) override;
  Result<ListenerId> listen_unix(const std::string& path, unsigned mode, HttpHandler handler) override;
  Result<ListenerId> adopt(UniqueFd listening, HttpHandler handler) override;
  void close(ListenerId listener) override;
  void start() override;
  void stop(std::chrono::milliseconds grace) override;
  std::size_t connections() const override { return edge_.crowd.count(); }

 private:
  ListenerId add(UniqueFd fd, HttpHandler handler, UnixSocketFile file = {});
  void on_io(std::function<void()> work);
  awaitable<void> accept_loop(std::shared_ptr<Listener> listener);
  bool accept_some(Listener& listener);
  void shed(int listening);
  awaitable<void> overdue_loop();
  void close_listeners();

  Edge edge_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer overdue_;
  bool ended_ = false;  ///< I/O thread: no connection is left
  UniqueFd spare_{
      ::open("/dev/null", O_RDONLY | O_CLOEXEC)};     ///< given up to accept and close when all others are used
  std::vector<std::shared_ptr<Listener>> listeners_;  ///< shared with their accept loops
  std::atomic<ListenerId> last_id_ = 0;
  std::atomic<std::thread::id> io_thread_id_{};
  std::thread io_thread_;
  std::mutex mutex_;  ///< guards phase_
  enum class Phase { made, running, stopping, stopped } phase_ = Phase::made;
};

Result<std::uint16_t> AsioServer::listen_tcp(const std::string& address, std::uint16_t port, HttpHandler handler) {
  auto [fd, bound] = TRY(listen_tcp_socket(address, port));
  add(std::move(fd), std::move(handler));
  return bound;
}

Result<ListenerId> AsioServer::listen_unix(const std::string& path, unsigned mode, HttpHandler handler) {
  auto [fd, file] = TRY(listen_unix_socket(path, mode));
  return add(std::move(fd), std::move(handler), std::move(file));
}

Result<ListenerId> AsioServer::adopt(UniqueFd listening, HttpHandler handler) {
  TRY_VOID(prepare_adopted(listening.get()));
  return add(std::move(listening), std::move(handler));
}

ListenerId AsioServer::add(UniqueFd fd, HttpHandler handler, UnixSocketFile file) {
  const ListenerId id = ++last_id_;
  auto listener = std::make_shared<Listener>(edge_.io, id, std::move(fd), std::move(handler));
  listener->file = std::move(file);
  on_io([this, listener = std::move(listener)] {
    if (edge_.draining) return;
    listeners_.push_back(listener);
    asio::co_spawn(edge_.io, accept_loop(listener), asio::detached);
  });
  return id;
}

void AsioServer::close(ListenerId id) {
  on_io([this, id] {
    std::erase_if(listeners_, [id](const auto& listener) {
      if (listener->id != id) return false;
      listener->socket.close();
      listener->file = {};
      return true;
    });
    edge_.crowd.drop_listener(id);
  });
}

/// Does the work on the I/O thread and waits for its end; here when that thread does not run.
void AsioServer::on_io(std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  auto done = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    const bool own_thread = std::this_thread::get_id() == io_thread_id_.load();
    if (phase_ == Phase::made || phase_ == Phase::stopped || own_thread)
      task();
    else
      asio::post(edge_.io, std::move(task));
  }
  done.get();
}

void AsioServer::start() {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::made) return;
  phase_ = Phase::running;
  asio::co_spawn(edge_.io, overdue_loop(), asio::detached);
  io_thread_ = std::thread([this] {
    io_thread_id_ = std::this_thread::get_id();
    edge_.io.run();
  });
}

void AsioServer::stop(std::chrono::milliseconds grace) {
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::stopping || phase_ == Phase::stopped) return;
    if (phase_ == Phase::made) {
      phase_ = Phase::stopped;
      close_listeners();
      edge_.io.poll();
      return;
    }
    phase_ = Phase::stopping;
  }
  on_io([this] {
    edge_.draining = true;
    close_listeners();
    edge_.crowd.drop_waiting();
  });
  if (!edge_.census.wait_empty(grace)) {
    edge_.abandoned = true;
    on_io([this] { edge_.crowd.drop_all(); });
  }
  edge_.census.wait_empty();
  edge_.pool.join();
  edge_.upgrades.stop();
  on_io([this] {
    ended_ = true;
    overdue_.cancel();
  });
  work_.reset();
  io_thread_.join();
  const std::lock_guard lock(mutex_);
  phase_ = Phase::stopped;
  // Work posted after the last look of the I/O thread.
  edge_.io.restart();
  edge_.io.poll();
}

void AsioServer::close_listeners() {
  for (const auto& listener : listeners_) {
    listener->socket.close();
    listener->file = {};
  }
  listeners_.clear();
}

awaitable<void> AsioServer::accept_loop(std::shared_ptr<Listener> listener) {
  asio::steady_timer pause(edge_.io);
  while (listener->socket.is_open()) {
    const auto [error] = co_await listener->socket.async_wait(stream_descriptor::wait_read, token);
    if (error) co_return;
    if (accept_some(*listener)) continue;
    pause.expires_after(accept_pause);
    co_await pause.async_wait(token);
  }
}

/// False: accepting fails for a reason that only time cures.
bool AsioServer::accept_some(Listener& listener) {
  for (int i = 0; i < accept_burst; ++i) {
    const int listening = listener.socket.native_handle();
    UniqueFd fd(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      auto peer = peer_of(fd.get());
      serve_connection(edge_, {std::move(fd), std::move(peer), listener.id, listener.handler});
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return true;
      case EMFILE:
      case ENFILE:
        if (edge_.crowd.evict_one()) continue;
        shed(listening);
        return false;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case EPERM:
        continue;
      default:
        spdlog::warn("cannot accept a connection: {}", std::generic_category().message(errno));
        return false;
    }
  }
  return true;
}

/// Out of descriptors with everybody busy: the next in the queue is told so by closing, instead of left waiting.
void AsioServer::shed(int listening) {
  spdlog::warn("out of file descriptors: a connection was turned away");
  spare_.reset();
  UniqueFd(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC)).reset();
  spare_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

/// Looks for overdue connections a few times within the shortest limit: one timer instead of one per connection.
awaitable<void> AsioServer::overdue_loop() {
  const auto& limits = edge_.limits;
  const auto shortest = std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout});
  const auto period = std::clamp(shortest / 10, std::chrono::milliseconds(5), std::chrono::milliseconds(1000));
  while (!ended_) {
    overdue_.expires_after(period);
    co_await overdue_.async_wait(token);
    edge_.crowd.drop_overdue(std::chrono::steady_clock::now());
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::create(const Limits& limits, int threads) {
  if (threads < 1) return fail(internal_error("an HTTP server needs at least one thread"));
  return std::make_unique<AsioServer>(limits, threads);
}

}  // namespace virga::http
