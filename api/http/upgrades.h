#pragma once

// Connections that left HTTP (consoles, tunnels): each runs on a thread of its own until its function returns.

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "core/unique_fd.h"

namespace virga::http {

class Upgrades {
 public:
  explicit Upgrades(std::size_t max) : max_(max) {}
  ~Upgrades() { stop(); }

  /// Whether one more may run. Ended ones are cleaned up first.
  bool room();
  /// Hands over the descriptor, made blocking. SIGPIPE is blocked on the thread: writing to a peer that left is EPIPE.
  void start(UniqueFd fd, std::function<void(int)> run);
  /// Shuts all their sockets down, so that the functions see the end, and waits for the threads.
  void stop();

 private:
  struct Session;
  void reap();

  std::size_t max_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::list<std::shared_ptr<Session>> sessions_;
};

}  // namespace virga::http
