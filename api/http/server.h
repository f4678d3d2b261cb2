#pragma once

// The HTTP server of every role: TCP and unix listeners, and listening sockets handed in (the metadata service's, made
// inside a VPC's namespace). Asynchronous at the edge: connections live on one I/O thread as coroutines; handlers are
// ordinary blocking functions on a bounded pool of threads. Boost.Beast is behind this header and nowhere else.
//
// Bounds: header and body size, number of connections (in all and per source; over the limit the connection idle the
// longest is closed to make room), memory of all requests and answers together, 10 s for a header, 30 s for a body, 60 s of keep-alive, requests waiting for a
// thread.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/http.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::http {

struct Limits {
  std::size_t max_header_bytes = 16 << 10;
  std::size_t max_body_bytes = 1 << 20;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};
  std::size_t max_connections = 4096;
  std::size_t max_connections_per_source = 4096;
  std::size_t max_waiting_requests = 1024;  ///< over it: 503
  std::size_t max_held_bytes = 64 << 20;    ///< of all bodies and answers beyond each one's first 16 KiB; over it: 503
};

/// Names a listener of one server.
using ListenerId = std::uint64_t;

class Server {
 public:
  /// `threads`: how many handlers may run at the same time.
  static Result<std::unique_ptr<Server>> create(const Limits& limits, int threads);
  virtual ~Server() = default;  ///< stops

  /// Listens on address:port (port 0: any) and returns the port. Handlers may throw: answered with 500.
  virtual Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port, HttpHandler handler) = 0;
  /// Listens on a unix socket, replacing a stale one, with this mode. HttpPeer has the caller's credentials.
  virtual Result<ListenerId> listen_unix(const std::string& path, unsigned mode, HttpHandler handler) = 0;
  /// Takes over a listening TCP socket.
  virtual Result<ListenerId> adopt(UniqueFd listening, HttpHandler handler) = 0;
  /// Stops listening and closes the listener's connections.
  virtual void close(ListenerId listener) = 0;

  /// Begins to serve, on threads of its own.
  virtual void start() = 0;
  /// Stops accepting, lets running requests finish for at most `grace`, closes everything.
  virtual void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(2000)) = 0;
  /// Connections open now.
  virtual std::size_t connections() const = 0;
};

}  // namespace virga::http
