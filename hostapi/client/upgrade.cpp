#include "hostapi/client/upgrade.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace virga::hostapi {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t max_head_bytes = 16 << 10;
constexpr std::size_t max_error_bytes = 64 << 10;

tl::unexpected<Error> unreachable(std::string context) {
  return fail(Code::unavailable, "The host cannot be reached at present.", std::move(context));
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return unreachable(path + ": the socket's path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return unreachable(path + ": " + std::strerror(errno));
  }
  return fd;
}

Result<void> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return unreachable(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

/// One byte at a time, so that nothing of the stream behind the head is taken.
Result<char> read_byte(int fd, SteadyClock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return unreachable("no answer in time");
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return unreachable(std::string("poll: ") + std::strerror(errno));
    if (ready <= 0) continue;
    char byte = 0;
    const ssize_t got = ::recv(fd, &byte, 1, 0);
    if (got == 1) return byte;
    if (got == 0) return unreachable("the host closed the connection");
    if (errno != EINTR) return unreachable(std::string("receive: ") + std::strerror(errno));
  }
}

}  // namespace

Result<UniqueFd> open_upgraded(const std::string& socket, const std::string& target,
                               std::chrono::milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  auto fd = TRY(connect_to(socket));
  TRY_VOID(send_all(
      fd.get(), "GET " + target + " HTTP/1.1\r\nHost: host\r\nConnection: Upgrade\r\nUpgrade: virga-stream\r\n\r\n"));
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    if (head.size() >= max_head_bytes) return unreachable("the answer's head is too large");
    head += TRY(read_byte(fd.get(), deadline));
  }
  long status = 0;
  if (head.starts_with("HTTP/1.") && head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, status);
  if (status == 101) return fd;
  std::string body;  // the host's error; it ends as JSON does, with the brace that closes it
  while (body.size() < max_error_bytes && !body.ends_with('}')) {
    const auto byte = read_byte(fd.get(), deadline);
    if (!byte) break;
    body += *byte;
  }
  return fail(within("GET " + target, error_of_answer(status, body)));
}

}  // namespace virga::hostapi
