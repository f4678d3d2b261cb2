#pragma once

// One accepted connection: reads requests, has them handled, answers, until either side ends it. Lives on the I/O
// thread.

#include <cstdint>
#include <memory>

#include "api/http/edge.h"
#include "core/http.h"
#include "core/unique_fd.h"

namespace virga::http {

/// What a listener knows of a connection it has accepted.
struct Accepted {
  UniqueFd fd;
  HttpPeer peer;
  std::uint64_t listener = 0;
  std::shared_ptr<const HttpHandler> handler;  ///< shared: a closed listener's requests may still run
};

/// Serves the connection from now on. Closes it when the crowd has no room for it.
void serve_connection(Edge& edge, Accepted accepted);

}  // namespace virga::http
