#pragma once

// What the listeners and connections of one server share. Used on the I/O thread only, unless said otherwise.
// Includes Asio: for the files of this folder only.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <mutex>

#include "api/http/crowd.h"
#include "api/http/memory_budget.h"
#include "api/http/server.h"
#include "api/http/upgrades.h"

namespace virga::http {

/// Counts what is still alive, for stop() to wait on. Thread-safe.
class Census {
 public:
  void enter() { change(+1); }
  void leave() { change(-1); }
  /// False: some were still alive after `limit`.
  bool wait_empty(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return empty_.wait_for(lock, limit, [this] { return alive_ == 0; });
  }
  void wait_empty() {
    std::unique_lock lock(mutex_);
    empty_.wait(lock, [this] { return alive_ == 0; });
  }

 private:
  void change(int by) {
    const std::lock_guard lock(mutex_);
    alive_ += by;
    if (alive_ == 0) empty_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable empty_;
  int alive_ = 0;
};

struct Edge {
  Edge(const Limits& limits_in, int threads)
      : limits(limits_in),
        max_requests(limits_in.max_waiting_requests + static_cast<std::size_t>(threads)),
        pool(static_cast<std::size_t>(threads)),
        crowd(limits_in.max_connections, limits_in.max_connections_per_source),
        memory(limits_in.max_held_bytes) {}

  static constexpr std::size_t max_upgrades = 512;

  const Limits limits;
  const std::size_t max_requests;       ///< running and waiting together
  std::size_t requests = 0;             ///< running and waiting now
  bool draining = false;                ///< answers are followed by closing
  std::atomic<bool> abandoned = false;  ///< grace is over: requests still waiting for a thread are not begun
  Census census;                        ///< connections' coroutines
  boost::asio::io_context io{1};
  boost::asio::thread_pool pool;
  Crowd crowd;
  MemoryBudget memory;
  Upgrades upgrades{max_upgrades};
};

}  // namespace virga::http
