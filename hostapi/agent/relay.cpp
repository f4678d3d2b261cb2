#include "hostapi/agent/relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace virga::hostapi {
namespace {

enum class Moved { some, end, failed };

/// Waits for the receiver, which may be slow, but not longer than until `stop`.
bool send_all(int to, int stop, std::string_view bytes) {
  while (!bytes.empty()) {
    std::array<pollfd, 2> waiting{pollfd{.fd = to, .events = POLLOUT, .revents = 0},
                                  pollfd{.fd = stop, .events = POLLIN, .revents = 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return false;
    if (waiting[1].revents != 0) return false;
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

Moved move_some(int from, int to, int stop) {
  std::array<char, 16 << 10> buffer;
  const ssize_t got = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Moved::some : Moved::failed;
  if (got == 0) return Moved::end;
  return send_all(to, stop, {buffer.data(), static_cast<std::size_t>(got)}) ? Moved::some : Moved::failed;
}

}  // namespace

void relay(int a, int b, int stop) {
  std::array<bool, 2> open{true, true};  // from a, from b
  const std::array<int, 2> from{a, b};
  while (open[0] || open[1]) {
    std::array<pollfd, 3> waiting{pollfd{.fd = open[0] ? a : -1, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = open[1] ? b : -1, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = stop, .events = POLLIN, .revents = 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (waiting[2].revents != 0) return;
    for (std::size_t side = 0; side < 2; ++side) {
      if (waiting[side].revents == 0) continue;
      const int to = from[1 - side];
      switch (move_some(from[side], to, stop)) {
        case Moved::some:
          break;
        case Moved::end:
          open[side] = false;
          ::shutdown(to, SHUT_WR);
          break;
        case Moved::failed:
          return;
      }
    }
  }
}

}  // namespace virga::hostapi
