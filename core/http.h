#pragma once

// Plain HTTP values: what handlers see. The servers and clients behind them live in api/http and hostapi.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace virga {

/// Header fields in the order received; names compare without case.
class HttpHeaders {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// The first value of that name, or nullptr.
  const std::string* find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Who is at the other end: an address for TCP, credentials for a unix socket.
struct HttpPeer {
  std::string address;     ///< "192.0.2.1" or "unix"
  std::uint16_t port = 0;
  std::int64_t uid = -1;   ///< unix sockets only (SO_PEERCRED)
  std::int64_t pid = -1;
  bool tls = false;
};

struct HttpRequest {
  std::string method;
  std::string target;  ///< as received: path, with "?query" when there is one
  HttpHeaders headers;
  std::string body;
  HttpPeer peer;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
  }
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HttpHeaders headers;
  /// Hop limit (IP_TTL) of this connection's packets from this answer on, so that it does not travel further; 0: the
  /// system's. It stays for the connection: a retransmission must not travel further either.
  int ip_ttl = 0;
  /// Set together with status 101: after the answer the connection's descriptor is handed to this function, which owns
  /// it from then on (consoles, tunnels). Called on a thread of its own; the descriptor is blocking.
  std::function<void(int fd)> upgrade;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

}  // namespace virga
