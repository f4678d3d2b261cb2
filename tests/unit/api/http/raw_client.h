#pragma once

// A client that sends exactly the bytes it is told, for tests of the server's edge.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "core/unique_fd.h"

namespace virga::http::test {

/// No test waits longer than this for anything.
constexpr int patience_ms = 10'000;

class RawClient {
 public:
  /// To a port of 127.0.0.1; `source` is the address to come from.
  explicit RawClient(std::uint16_t port, const char* source = nullptr) : RawClient() {
    if (source != nullptr) {
      sockaddr_in from{};
      from.sin_family = AF_INET;
      ::inet_pton(AF_INET, source, &from.sin_addr);
      ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from));
    }
    connect(port);
  }
  /// Not connected yet, but it has its descriptor.
  RawClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  void connect(std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
  }
  explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, path.c_str(), sizeof(to.sun_path) - 1);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
  }

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }

  /// Reads until `text` was received, the end, or patience is over. All that is unread so far up to it.
  std::string read_until(std::string_view text) {
    for (;;) {
      const auto found = unread_.find(text);
      if (found != std::string::npos) return take(found + text.size());
      if (!read_more()) return take(unread_.size());
    }
  }
  /// One answer: header, and body by its Content-Length (none for `head`).
  std::string read_answer(bool head = false) {
    std::string answer = read_until("\r\n\r\n");
    const auto length = answer.find("Content-Length: ");
    if (head || length == std::string::npos) return answer;
    const auto bytes = static_cast<std::size_t>(std::atol(answer.c_str() + length + 16));
    while (unread_.size() < bytes && read_more()) {
    }
    return answer + take(bytes);
  }
  std::string read_all() {
    while (read_more()) {
    }
    return take(unread_.size());
  }
  /// Whether the server closed the connection, waiting for it. Bytes that come before count as "not".
  bool closed() { return unread_.empty() && !read_more() && ended_; }
  /// Whether the connection is open with nothing to read, now.
  bool quiet() {
    pollfd poll{fd_.get(), POLLIN, 0};
    return ::poll(&poll, 1, 0) == 0;
  }

 private:
  bool read_more() {
    pollfd poll{fd_.get(), POLLIN, 0};
    if (::poll(&poll, 1, patience_ms) != 1) return false;
    char bytes[4096];
    const auto got = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
    ended_ = got <= 0;
    if (ended_) return false;
    unread_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  std::string take(std::size_t bytes) {
    bytes = std::min(bytes, unread_.size());
    std::string taken = unread_.substr(0, bytes);
    unread_.erase(0, bytes);
    return taken;
  }

  UniqueFd fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string unread_;
};

/// A folder of its own that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "virga-http-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace virga::http::test
