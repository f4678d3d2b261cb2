#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "network/host/netlink.h"
#include "network/host/netlink_message.h"

namespace virga::network {

Result<std::vector<Neighbour>> Netlink::neighbours() {
  std::vector<Neighbour> neighbours;
  ndmsg header{};
  header.ndm_family = AF_INET;
  Message message(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, header);
  TRY_VOID(dump(message.get(), "list neighbours", [&](nlmsghdr* answer) {
    auto* found = static_cast<ndmsg*>(::nlmsg_data(answer));
    Attributes<ndmsg, NDA_MAX + 1> attributes(answer);
    if (found->ndm_family == AF_INET && (found->ndm_state & NUD_PERMANENT) != 0)
      neighbours.push_back({found->ndm_ifindex, attributes.address(NDA_DST), attributes.mac(NDA_LLADDR)});
  }));
  return neighbours;
}

Result<void> Netlink::send_neighbour(const Neighbour& neighbour, int type, int flags, int tolerated) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = neighbour.index;
  header.ndm_state = NUD_PERMANENT;
  Message message(type, NLM_F_REQUEST | flags, header);
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
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  Message message(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, header);
  TRY_VOID(dump(message.get(), "list forwarding entries", [&](nlmsghdr* answer) {
    auto* found = static_cast<ndmsg*>(::nlmsg_data(answer));
    Attributes<ndmsg, NDA_MAX + 1> attributes(answer);
    bool of_bridge = attributes[NDA_MASTER] != nullptr && (found->ndm_flags & NTF_SELF) == 0;
    if (of_bridge && (found->ndm_state & NUD_NOARP) != 0)
      entries.push_back({found->ndm_ifindex, attributes.mac(NDA_LLADDR)});
  }));
  return entries;
}

Result<void> Netlink::send_forwarding_entry(const ForwardingEntry& entry, int type, int flags, int tolerated) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = entry.index;
  header.ndm_state = NUD_NOARP;
  header.ndm_flags = NTF_MASTER;
  Message message(type, NLM_F_REQUEST | flags, header);
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
