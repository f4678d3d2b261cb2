#pragma once

// A guest at its tap: opens it by name as QEMU does, and speaks in whole frames.

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "core/assert.h"
#include "core/unique_fd.h"
#include "tests/support/frames.h"

namespace virga::test {

class NetworkGuest {
 public:
  static constexpr std::size_t virtio_header = 10;

  /// Opens the tap in the host's namespace; it may travel afterwards.
  NetworkGuest(const std::string& tap, Mac own_mac, Ipv4 own_address)
      : mac(own_mac), address(own_address), tap_(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    tap.copy(request.ifr_name, IFNAMSIZ - 1);
    VIRGA_ASSERT(tap_ && ::ioctl(tap_.get(), TUNSETIFF, &request) == 0);
  }

  /// False when the interface is down.
  bool send(const Bytes& frame) const {
    Bytes bytes = zeros(virtio_header) + frame;
    return ::write(tap_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  /// The next frame that satisfies the condition, within the time; frames before it are dropped.
  std::optional<Bytes> receive(const std::function<bool(const Bytes&)>& wanted,
                               std::chrono::milliseconds within = std::chrono::seconds(5)) const {
    const auto end = std::chrono::steady_clock::now() + within;
    while (true) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd waiting{.fd = tap_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count()))) != 1) return std::nullopt;
      Bytes bytes(4096);
      ssize_t size = ::read(tap_.get(), bytes.data(), bytes.size());
      if (size < 0 && errno != EAGAIN) return std::nullopt;  // the tap was deleted
      if (size < static_cast<ssize_t>(virtio_header)) continue;
      Bytes frame(bytes.begin() + virtio_header, bytes.begin() + size);
      if (wanted(frame)) return frame;
    }
  }
  /// A datagram to another guest's MAC.
  Bytes datagram(const NetworkGuest& to, unsigned from_port, unsigned to_port, const Bytes& payload) const {
    return ethernet(to.mac, mac, type_ipv4,
                    ipv4({.from = address, .to = to.address}, udp(from_port, to_port, payload)));
  }

  const Mac mac;
  const Ipv4 address;

 private:
  UniqueFd tap_;
};

/// Whether the frame carries exactly this behind its Ethernet header's addresses.
inline bool contains(const Bytes& frame, const Bytes& part) {
  return std::search(frame.begin(), frame.end(), part.begin(), part.end()) != frame.end();
}

}  // namespace virga::test
