#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cerrno>

#include "network/host/netlink.h"
#include "network/host/netlink_message.h"

namespace virga::network {
namespace {

bool is_off(nlattr* const* port, int type) { return port[type] != nullptr && ::nla_get_u8(port[type]) == 0; }

void read_link_info(nlattr* info, Link& link) {
  nlattr* members[IFLA_INFO_MAX + 1] = {};
  if (info == nullptr || ::nla_parse_nested(members, IFLA_INFO_MAX, info, nullptr) != 0) return;
  if (members[IFLA_INFO_KIND] != nullptr) link.kind = ::nla_get_string(members[IFLA_INFO_KIND]);
  nlattr* slave = members[IFLA_INFO_SLAVE_DATA];
  nlattr* port[IFLA_BRPORT_MAX + 1] = {};
  if (slave == nullptr || ::nla_parse_nested(port, IFLA_BRPORT_MAX, slave, nullptr) != 0) return;
  link.forwarding = port[IFLA_BRPORT_STATE] != nullptr && ::nla_get_u8(port[IFLA_BRPORT_STATE]) == BR_STATE_FORWARDING;
  link.closed_port = is_off(port, IFLA_BRPORT_LEARNING) && is_off(port, IFLA_BRPORT_UNICAST_FLOOD) &&
                     is_off(port, IFLA_BRPORT_MCAST_FLOOD);
}

Link read_link(const ifinfomsg& header, const Attributes<ifinfomsg, IFLA_MAX + 1>& attributes) {
  Link link{.index = header.ifi_index,
            .name = attributes.text(IFLA_IFNAME),
            .kind = {},
            .up = (header.ifi_flags & IFF_UP) != 0,
            .peer = static_cast<int>(attributes.u32(IFLA_LINK)),
            .master = static_cast<int>(attributes.u32(IFLA_MASTER)),
            .mtu = static_cast<int>(attributes.u32(IFLA_MTU)),
            .mac = attributes.mac(IFLA_ADDRESS)};
  link.operational = attributes.has(IFLA_OPERSTATE, 1) && ::nla_get_u8(attributes[IFLA_OPERSTATE]) == IF_OPER_UP;
  link.carrier = attributes.has(IFLA_CARRIER, 1) && ::nla_get_u8(attributes[IFLA_CARRIER]) != 0;
  read_link_info(attributes[IFLA_LINKINFO], link);
  return link;
}

}  // namespace

Result<std::vector<Link>> Netlink::links() {
  std::vector<Link> links;
  auto add = [&](const ifinfomsg& found, const auto& attributes) { links.push_back(read_link(found, attributes)); };
  auto request = list_request(RTM_GETLINK, ifinfomsg{});
  TRY_VOID(dump(request.get(), "list links", reading<ifinfomsg, IFLA_MAX + 1>(add)));
  return links;
}

Result<std::optional<Link>> Netlink::link(const std::string& name) {
  std::optional<Link> found;
  for (auto& link : TRY(links()))
    if (link.name == name) found = std::move(link);
  return found;
}

Result<void> Netlink::add_bridge(const std::string& name, int mtu) {
  Message message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  message.put_text(IFLA_IFNAME, name);
  message.put_u32(IFLA_MTU, static_cast<std::uint32_t>(mtu));
  message.put_mac(IFLA_ADDRESS, router_mac);
  nlattr* info = message.begin(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "bridge");
  nlattr* data = message.begin(IFLA_INFO_DATA);
  message.put_u32(IFLA_BR_FORWARD_DELAY, 0);
  message.put_u32(IFLA_BR_STP_STATE, 0);
  message.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
  message.end(data);
  message.end(info);
  return send(message.get(), "add bridge", EEXIST);
}

Result<void> Netlink::add_veth(const VethEnd& here, const VethEnd& there, int name_space_fd, int mtu) {
  Message message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  auto put_end = [&](const VethEnd& end) {
    message.put_text(IFLA_IFNAME, end.name);
    message.put_u32(IFLA_MTU, static_cast<std::uint32_t>(mtu));
    message.put_mac(IFLA_ADDRESS, end.mac);
  };
  put_end(here);
  nlattr* info = message.begin(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "veth");
  nlattr* data = message.begin(IFLA_INFO_DATA);
  nlattr* peer = message.begin(VETH_INFO_PEER);
  message.put_header(ifinfomsg{});
  put_end(there);
  message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(name_space_fd));
  message.end(peer);
  message.end(data);
  message.end(info);
  return send(message.get(), "add veth");
}

Result<void> Netlink::remove_link(const std::string& name) {
  Message message(RTM_DELLINK, NLM_F_REQUEST, ifinfomsg{});
  message.put_text(IFLA_IFNAME, name);
  return send(message.get(), "remove link", ENODEV);
}

Result<void> Netlink::change_link(int index, const char* what, const std::function<void(nl_msg*)>& attributes,
                                  unsigned flags_on) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = flags_on;
  header.ifi_change = flags_on;
  Message message(RTM_NEWLINK, NLM_F_REQUEST, header);
  attributes(message.get());
  return send(message.get(), what);
}

Result<void> Netlink::set_up(int index) {
  return change_link(
      index, "set link up", [](nl_msg*) {}, IFF_UP);
}

Result<void> Netlink::set_mac(int index, const Mac& mac) {
  return change_link(index, "set link address",
                     [&](nl_msg* message) { ::nla_put(message, IFLA_ADDRESS, 6, mac.bytes.data()); });
}

Result<void> Netlink::set_master(int index, int master) {
  return change_link(index, "add port to bridge",
                     [&](nl_msg* message) { ::nla_put_u32(message, IFLA_MASTER, static_cast<std::uint32_t>(master)); });
}

Result<void> Netlink::move_to_name_space(int index, int name_space_fd) {
  return change_link(index, "move link to its namespace", [&](nl_msg* message) {
    ::nla_put_u32(message, IFLA_NET_NS_FD, static_cast<std::uint32_t>(name_space_fd));
  });
}

Result<void> Netlink::close_port(int index) {
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = index;
  Message message(RTM_SETLINK, NLM_F_REQUEST, header);
  nlattr* port = message.begin(IFLA_PROTINFO | NLA_F_NESTED);
  message.put_u8(IFLA_BRPORT_LEARNING, 0);
  message.put_u8(IFLA_BRPORT_UNICAST_FLOOD, 0);
  message.put_u8(IFLA_BRPORT_MCAST_FLOOD, 0);
  message.end(port);
  return send(message.get(), "close bridge port");
}

}  // namespace virga::network
