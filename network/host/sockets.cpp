#include "network/host/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "network/host/system_failure.h"

namespace virga::network {
namespace {

constexpr int backlog = 128;

sockaddr_in socket_address(Ipv4 address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(address.value);
  return result;
}

}  // namespace

Result<UniqueFd> listening_socket(Ipv4 address, std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_failure("socket");
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto name = socket_address(address, port);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
    return system_failure("bind " + address.str());
  if (::listen(socket.get(), backlog) != 0) return system_failure("listen");
  return socket;
}

Result<UniqueFd> connected_socket(Ipv4 address, std::uint16_t port, std::chrono::milliseconds timeout) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_failure("socket");
  auto name = socket_address(address, port);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
    if (errno != EINPROGRESS) return system_failure("connect to " + address.str());
    pollfd waiting{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(timeout.count())) != 1)
      return fail(Code::unavailable, "The guest does not answer.", "connect to " + address.str() + ": timeout");
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
      return fail(Code::unavailable, "The guest refuses the connection.",
                  "connect to " + address.str() + ": " + std::strerror(error));
  }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
  return socket;
}

}  // namespace virga::network
