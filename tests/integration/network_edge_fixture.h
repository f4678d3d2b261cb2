#pragma once

// The host as a client of public addresses, and frames put in by hand at the edge.

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <sstream>

#include "tests/integration/network_fixture.h"

namespace virga::test {

inline const Mac edge_end{{2, 0, 0, 0, 0, 3}};
inline const Mac vpc_end{{2, 0, 0, 0, 0, 2}};

inline sockaddr_in socket_address(Ipv4 address, unsigned port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  name.sin_addr.s_addr = htonl(address.value);
  return name;
}

/// A socket of the host's own namespace, connected to one address.
class HostSocket {
 public:
  HostSocket(int type, int protocol, Ipv4 to, unsigned port)
      : socket_(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)) {
    sockaddr_in name = socket_address(to, port);
    VIRGA_ASSERT(socket_);
    started_ = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0 || errno == EINPROGRESS;
  }
  bool started() const { return started_; }
  sockaddr_in own() const {
    sockaddr_in name{};
    socklen_t size = sizeof name;
    VIRGA_ASSERT(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
    return name;
  }
  Ipv4 address() const { return {ntohl(own().sin_addr.s_addr)}; }
  unsigned port() const { return ntohs(own().sin_port); }
  void send(const Bytes& bytes) const { static_cast<void>(::send(socket_.get(), bytes.data(), bytes.size(), 0)); }
  /// The next message that carries the mark.
  bool receives(const Bytes& mark) const {
    while (ready(POLLIN)) {
      Bytes bytes(2048);
      ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
      if (size < 0) return false;
      bytes.resize(static_cast<std::size_t>(size));
      if (std::search(bytes.begin(), bytes.end(), mark.begin(), mark.end()) != bytes.end()) return true;
    }
    return false;
  }
  bool ready(short events) const {
    pollfd waiting{.fd = socket_.get(), .events = events, .revents = 0};
    return ::poll(&waiting, 1, 5000) == 1 && (waiting.revents & (POLLERR | POLLHUP)) == 0;
  }

 private:
  UniqueFd socket_;
  bool started_ = false;
};

class NetworkEdgeTest : public NetworkTest {
 protected:
  /// Addresses of the test's own, from the block for benchmarks.
  static Ipv4 public_ip(unsigned n) {
    return {(198U << 24) + (18U << 16) + (static_cast<unsigned>(::getpid()) & 0x1fff) * 8 + n};
  }
  /// A VPC with a gateway and one interface, 10.9.1.10, that has the public address `n` and lets in ping and port 53.
  network::WantedVpc public_vpc(std::uint32_t base, unsigned n) {
    auto vpc = make_vpc(base);
    vpc.internet_gateway = true;
    add_group(vpc, base + 5,
              {allow(false, "icmp", 8, -1, "0.0.0.0/0"), allow(false, "udp", 53, 53, "0.0.0.0/0"),
               allow(false, "tcp", 80, 80, "0.0.0.0/0")});
    add_interface(vpc, base + 1, 1, "10.9.1.10", {base + 5});
    vpc.addresses = {{public_ip(n).str(), "10.9.1.10"}};
    return vpc;
  }
  NetworkGuest& start(const network::WantedVpc& vpc) {
    apply(vpc);
    return plug(vpc, vpc.interfaces.front().id);
  }
  /// Whether a frame with the mark has arrived at the guest by the time its gateway answers an ARP request.
  static bool heard(const NetworkGuest& guest, const Bytes& mark) {
    Bytes question = arp({.sender_mac = guest.mac, .sender = guest.address, .target = *Ipv4::parse("10.9.1.1")});
    guest.send(ethernet(everyone, guest.mac, type_arp, question));
    bool seen = false;
    auto answered = guest.receive([&](const Bytes& frame) {
      seen = seen || contains(frame, mark);
      return read_u16(frame, 12) == type_arp && read_u16(frame, 20) == 2;
    });
    EXPECT_TRUE(answered) << "the gateway does not answer";
    return seen;
  }
  /// Whether a datagram of the host to the public address arrives at the guest.
  static bool reached(Ipv4 address, const NetworkGuest& guest, unsigned port = 53) {
    static unsigned count = 0;
    Bytes mark = text(fmt::format("from the host {}", ++count));
    HostSocket host(SOCK_DGRAM, 0, address, port);
    if (host.started()) host.send(mark);
    return heard(guest, mark);
  }
  /// Whether an echo request of the host is answered, by a guest that answers.
  static bool pings(Ipv4 address, const NetworkGuest& guest, unsigned id) {
    HostSocket host(SOCK_RAW, IPPROTO_ICMP, address, 0);
    Bytes request = echo(Echo::request, id);
    Bytes reply = echo(Echo::reply, id);
    host.send(request);
    auto got = guest.receive([&](const Bytes& frame) { return contains(frame, request); }, std::chrono::seconds(1));
    if (!got) return false;
    EXPECT_EQ(Ipv4{read_u32(*got, 26)}, host.address()) << "the guest does not see who asks";
    EXPECT_EQ(Ipv4{read_u32(*got, 30)}, guest.address);
    guest.send(ethernet(router, guest.mac, type_ipv4, ipv4({guest.address, host.address(), 1}, reply)));
    return host.receives(reply);
  }
  /// A datagram of the guest to an address outside.
  static void send_out(const NetworkGuest& guest, Ipv4 to, const Bytes& mark, unsigned port = 53) {
    guest.send(ethernet(router, guest.mac, type_ipv4, ipv4({guest.address, to}, udp(4000, port, mark))));
  }
  /// Puts a frame into a VPC's way out at the edge, as if it came from there.
  void inject(const network::WantedVpc& vpc, const Bytes& packet) {
    auto done = network::in_name_space(names_.edge(), [&]() -> Result<void> {
      UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
      sockaddr_ll link{};
      link.sll_family = AF_PACKET;
      link.sll_ifindex = static_cast<int>(::if_nametoindex(names_.way_out(vpc.number).c_str()));
      Bytes frame = ethernet(vpc_end, edge_end, type_ipv4, packet);
      auto size =
          ::sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&link), sizeof link);
      EXPECT_EQ(size, static_cast<ssize_t>(frame.size()));
      return {};
    });
    EXPECT_TRUE(done) << describe(done.error());
  }
  struct Traffic {
    unsigned long received = 0;
    unsigned long sent = 0;
  };
  /// Packets that the VPC's end of its way out has had.
  Traffic traffic(const network::WantedVpc& vpc) {
    std::string table = inside(vpc, {"cat", "/proc/net/dev"});
    std::istringstream line(table.substr(table.find("ext:") + 4));
    std::vector<unsigned long> columns(10);
    for (auto& column : columns) line >> column;
    return {.received = columns[1], .sent = columns[9]};
  }
  bool host_has_uplink() {
    auto netlink = network::Netlink::open();
    return netlink->link(names_.uplink())->has_value();
  }
  /// How many of the host's routes lead to the edge.
  std::size_t host_routes() {
    auto netlink = network::Netlink::open();
    auto links = netlink->links();
    auto routes = netlink->main_routes(*links);
    return static_cast<std::size_t>(std::ranges::count(*routes, names_.uplink(), &network::RouteLayout::device));
  }
};

}  // namespace virga::test
