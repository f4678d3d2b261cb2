#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "network/host/netlink.h"
#include "network/host/netlink_message.h"

namespace virga::network {

namespace {

// The kernel keeps both a router's neighbours and a bridge's forwarding entries in one table of tables.
constexpr std::size_t attribute_count = NDA_MAX + 1;

ndmsg header_of(int family, int index = 0, unsigned state = 0, unsigned flags = 0) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(family);
  header.ndm_ifindex = index;
  header.ndm_state = static_cast<std::uint16_t>(state);
  header.ndm_flags = static_cast<std::uint8_t>(flags);
  return header;
}

}  // namespace

Result<std::vector<Neighbour>> Netlink::neighbours() {
  std::vector<Neighbour> neighbours;
  auto add = [&](const ndmsg& found, const auto& attributes) {
    if (found.ndm_family == AF_INET && (found.ndm_state & NUD_PERMANENT) != 0)
      neighbours.push_back({found.ndm_ifindex, attributes.address(NDA_DST), attributes.mac(NDA_LLADDR)});
  };
  auto request = list_request(RTM_GETNEIGH, header_of(AF_INET));
  TRY_VOID(dump(request.get(), "list neighbours", reading<ndmsg, attribute_count>(add)));
  return neighbours;
}

Result<void> Netlink::send_neighbour(const Neighbour& neighbour, int type, int flags, int tolerated) {
  Message message(type, NLM_F_REQUEST | flags, header_of(AF_INET, neighbour.index, NUD_PERMANENT));
  message.put_address(NDA_DST, neighbour.address);
  message.put_mac(NDA_LLADDR, neighbour.mac);
  return send(message.get(), "change neighbour", tolerated);
}

Result<void> Netlink::add_neighbour(const Neighbour& neighbour) {
  return send_neighbour(neighbour, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, 0);
}
Result<void> Netlink::remove_neighbour(const Neighbour& neighbour) {
  return send_neighbour(neighbour, RTM_DELNEIGH, 0, ENOENT);
}

Result<std::vector<ForwardingEntry>> Netlink::forwarding_entries() {
  std::vector<ForwardingEntry> entries;
  auto add = [&](const ndmsg& found, const auto& attributes) {
    bool of_bridge = attributes[NDA_MASTER] != nullptr && (found.ndm_flags & NTF_SELF) == 0;
    if (of_bridge && (found.ndm_state & NUD_NOARP) != 0)
      entries.push_back({found.ndm_ifindex, attributes.mac(NDA_LLADDR)});
  };
  auto request = list_request(RTM_GETNEIGH, header_of(AF_BRIDGE));
  TRY_VOID(dump(request.get(), "list forwarding entries", reading<ndmsg, attribute_count>(add)));
  return entries;
}

Result<void> Netlink::send_forwarding_entry(const ForwardingEntry& entry, int type, int flags, int tolerated) {
  Message message(type, NLM_F_REQUEST | flags, header_of(AF_BRIDGE, entry.index, NUD_NOARP, NTF_MASTER));
  message.put_mac(NDA_LLADDR, entry.mac);
  return send(message.get(), "change forwarding entry", tolerated);
}

Result<void> Netlink::add_forwarding_entry(const ForwardingEntry& entry) {
  return send_forwarding_entry(entry, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, 0);
}
Result<void> Netlink::remove_forwarding_entry(const ForwardingEntry& entry) {
  return send_forwarding_entry(entry, RTM_DELNEIGH, 0, ENOENT);
}

}  // namespace virga::network
