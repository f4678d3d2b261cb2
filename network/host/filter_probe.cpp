#include "network/host/filter_probe.h"

#include "core/json_values.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "core/unique_fd.h"
#include "network/host/converge.h"
#include "network/host/name_space.h"
#include "network/host/netlink.h"
#include "network/host/nft_words.h"
#include "network/host/nftables.h"
#include "network/host/taps.h"

namespace virga::network {
namespace {

constexpr int attempts = 20;
constexpr int wait_ms = 100;

/// A broadcast UDP datagram without payload, 10.0.0.1 to 10.0.0.2, port 9 (discard); checksums as they must be.
constexpr std::array<std::uint8_t, 42> datagram{
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0,  0,  0,    0x11, 0x08, 0x00,                     // Ethernet
    0x45, 0,    0,    28,   0,    1,    0,    0, 64, 17, 0x66, 0xce, 10,   0,    0, 1, 10, 0, 0, 2,  // IPv4
    0,    9,    0,    9,    0,    8,    0,    0};                                                    // UDP

Result<UniqueFd> open_port(Netlink& netlink, const char* name, int bridge) {
  UniqueFd tap = TRY(open_tap(name, 0));
  auto link = TRY(netlink.link(name));
  if (!link) return fail(internal_error("the filter probe's tap vanished"));
  TRY_VOID(netlink.set_master(link->index, bridge));
  TRY_VOID(netlink.set_up(link->index));
  return tap;
}

/// Sends the datagram into one port until it comes out of the other.
bool passes(const UniqueFd& from, const UniqueFd& to, int tries) {
  for (int i = 0; i < tries; ++i) {
    if (::write(from.get(), datagram.data(), datagram.size()) < 0) return false;
    pollfd waiting{.fd = to.get(), .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, wait_ms) == 1) {
      std::array<std::uint8_t, 2048> frame;
      ssize_t size = ::read(to.get(), frame.data(), frame.size());
      if (size == static_cast<ssize_t>(datagram.size()) &&
          std::memcmp(frame.data(), datagram.data(), datagram.size()) == 0)
        return true;
    }
  }
  return false;
}

nlohmann::json drop_everything() {
  nlohmann::json table{{"family", "inet"}, {"name", "probe"}};
  nlohmann::json chain{{"family", "inet"},  {"table", "probe"}, {"name", "drop"},  {"type", "filter"},
                       {"hook", "forward"}, {"prio", 0},        {"policy", "drop"}};
  return {{"nftables", {{{"add", {{"table", table}}}}, {{"add", {{"chain", chain}}}}}}};
}

Result<void> probe(bool& filtered) {
  if (::access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) != 0) return {};
  TRY_VOID(set_switches());
  Netlink netlink = TRY(Netlink::open());
  TRY_VOID(netlink.add_bridge("probe", 1500));
  auto bridge = TRY(netlink.link("probe"));
  if (!bridge) return fail(internal_error("the filter probe's bridge vanished"));
  TRY_VOID(netlink.set_up(bridge->index));
  UniqueFd from = TRY(open_port(netlink, "probe0", bridge->index));
  UniqueFd to = TRY(open_port(netlink, "probe1", bridge->index));
  // Only what is known to arrive without a rule says something when it no longer does.
  if (!passes(from, to, attempts)) return fail(internal_error("the filter probe's packet never arrived"));
  TRY_VOID(nft::run(drop_everything()));
  filtered = !passes(from, to, 2);
  return {};
}

}  // namespace

Result<bool> bridged_packets_are_filtered() {
  bool filtered = false;
  TRY_VOID(in_scratch_name_space([&] { return probe(filtered); }));
  return filtered;
}

}  // namespace virga::network
