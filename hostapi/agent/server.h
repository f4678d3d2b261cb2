#pragma once

// The host API as HTTP. Routes (bodies are JSON unless said otherwise; errors are {"code", "message"}):
//
//   PUT    /v1/vpcs/{id}  /v1/volumes/{id}  /v1/instances/{id}      the wanted document; 204
//   DELETE /v1/vpcs/{id}  /v1/volumes/{id}  /v1/instances/{id}  /v1/images/{id}     204
//   GET    /v1/state                                                HostState
//   GET    /v1/events?after=N&wait_ms=M&boot_id=B                   {"sequence", "boot_id"}: answered at the next
//   change GET    /v1/instances/{id}/console                               the last output, as it is GET
//   /v1/instances/{id}/serial                (Upgrade)       bytes to and from the serial console GET
//   /v1/vpcs/{id}/connect?address=A&port=P   (Upgrade)       bytes to and from A:P inside the VPC POST /v1/images/{id}
//   {"path"}                              202; for who may read as much as this role POST   /v1/simulate {"fault",
//   "object", "count", "delay_ms"}   204; simulated hosts only
//
// Who may speak: root and the control role's user, by the credentials of the unix socket; all others get 403.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/faults.h"
#include "core/http.h"
#include "core/unique_fd.h"
#include "hostapi/agent/agent.h"

namespace virga::hostapi {

struct ServerOptions {
  std::int64_t control_uid = -1;  ///< the control role's user; -1: root alone may speak
  Faults* faults = nullptr;       ///< of a simulated host
};

class Server {
 public:
  Server(Agent& agent, ServerOptions options);
  ~Server();

  /// Thread-safe; at most Observed::max_waiters calls block (for events), so a server with more threads always answers.
  HttpResponse handle(const HttpRequest& request);
  /// Ends the streams that are open.
  void close();

 private:
  /// The request with its path taken apart: {"v1", "instances", id, "console"}.
  struct Route {
    const HttpRequest& request;
    std::vector<std::string_view> parts;
    bool is(std::string_view method, std::string_view collection, std::size_t size) const;
  };
  Result<HttpResponse> dispatch(const Route& route);
  Result<HttpResponse> documents(const Route& route);
  Result<HttpResponse> put(DocumentKind kind, std::string_view id, const std::string& body);
  Result<HttpResponse> confirm(const HttpRequest& request);
  Result<HttpResponse> events(const HttpRequest& request);
  Result<HttpResponse> console(std::string_view id);
  Result<HttpResponse> serial(const HttpRequest& request, std::string_view id);
  Result<HttpResponse> connect(const HttpRequest& request, std::string_view id);
  Result<HttpResponse> import_image(const HttpRequest& request, std::string_view id);
  Result<HttpResponse> simulate(const HttpRequest& request);
  /// An answer that turns the connection into a stream to `other`.
  HttpResponse stream_to(UniqueFd other) const;

  Agent& agent_;
  const ServerOptions options_;
  std::shared_ptr<UniqueFd> stop_;  // shared with the streams, which may outlive the server
};

}  // namespace virga::hostapi
