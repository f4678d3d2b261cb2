#pragma once

// The kernel's links, addresses, routes, rules, neighbours and forwarding entries, through one rtnetlink socket.
//
// A socket works on the namespace it was opened in, whichever thread uses it later. Lists are what the kernel says now;
// every change is idempotent ("add" succeeds when the thing is there, "remove" when it is not). One thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"
#include "network/host/address.h"
#include "network/host/layout.h"

struct nl_sock;
struct nl_msg;
struct nlmsghdr;

namespace virga::network {

struct Link {
  int index = 0;
  std::string name;
  std::string kind;  ///< "bridge", "tun", "veth"; empty for others
  bool up = false;
  int peer = 0;    ///< of a veth: index of its other end, in that one's namespace
  int master = 0;  ///< index of the bridge it is a port of; 0: none
  int mtu = 0;
  Mac mac;
  /// Of a bridge's port: nothing is learnt or flooded here but broadcasts.
  bool closed_port = false;
  bool carrier = false;      ///< of a tap: somebody has it open
  bool forwarding = false;   ///< of a bridge's port: frames pass
  bool operational = false;  ///< the kernel has taken note of its carrier; a bridge drops what it is to send until then
};

/// One end of a veth pair to be made.
struct VethEnd {
  std::string name;
  Mac mac;
};

struct LinkAddress {
  int index = 0;
  Ipv4 address;
  int length = 0;
  auto operator<=>(const LinkAddress&) const = default;
};

/// An address whose MAC was told, not asked for.
struct Neighbour {
  int index = 0;
  Ipv4 address;
  Mac mac;
  auto operator<=>(const Neighbour&) const = default;
};

/// A static entry of a bridge: frames for `mac` leave by the port `index` and may come only from it.
struct ForwardingEntry {
  int index = 0;
  Mac mac;
  auto operator<=>(const ForwardingEntry&) const = default;
};

/// "What comes in by `device` is routed by `table`."
struct TableRule {
  std::string device;
  std::uint32_t table = 0;
  auto operator<=>(const TableRule&) const = default;
};

/// Removes what is there and not wanted, then adds what is wanted and not there.
template <class T>
Result<void> converge_set(const std::set<T>& present, const std::set<T>& wanted, const auto& remove, const auto& add) {
  for (const auto& item : present)
    if (!wanted.contains(item)) TRY_VOID(remove(item));
  for (const auto& item : wanted)
    if (!present.contains(item)) TRY_VOID(add(item));
  return {};
}

class Netlink {
 public:
  /// In the calling thread's namespace.
  static Result<Netlink> open();

  Result<std::vector<Link>> links();
  /// The link's own attributes, or nothing when there is no such link.
  Result<std::optional<Link>> link(const std::string& name);
  /// A bridge that neither learns, ages nor joins in spanning trees, with the router's MAC.
  Result<void> add_bridge(const std::string& name, int mtu);
  /// A pair of links, both down: one here, one in the other namespace. Errors: one of the names is taken.
  Result<void> add_veth(const VethEnd& here, const VethEnd& there, int name_space_fd, int mtu);
  Result<void> remove_link(const std::string& name);
  Result<void> set_up(int index);
  Result<void> set_mac(int index, const Mac& mac);
  Result<void> set_master(int index, int master);
  /// Learning, unknown unicast and multicast off on a bridge's port.
  Result<void> close_port(int index);
  Result<void> move_to_name_space(int index, int name_space_fd);

  Result<std::vector<LinkAddress>> addresses();
  Result<void> add_address(const LinkAddress& address);
  Result<void> remove_address(const LinkAddress& address);

  /// Routes of all tables but the kernel's own, with device names.
  Result<std::vector<RouteLayout>> routes(const std::vector<Link>& links);
  /// Routes of the main table that were not put there by the kernel, with device names.
  Result<std::vector<RouteLayout>> main_routes(const std::vector<Link>& links);
  Result<void> add_route(const RouteLayout& route, int device_index);
  Result<void> remove_route(const RouteLayout& route, int device_index);

  Result<std::vector<TableRule>> table_rules();
  Result<void> add_table_rule(const TableRule& rule);
  Result<void> remove_table_rule(const TableRule& rule);

  Result<std::vector<Neighbour>> neighbours();
  Result<void> add_neighbour(const Neighbour& neighbour);
  Result<void> remove_neighbour(const Neighbour& neighbour);

  Result<std::vector<ForwardingEntry>> forwarding_entries();
  Result<void> add_forwarding_entry(const ForwardingEntry& entry);
  Result<void> remove_forwarding_entry(const ForwardingEntry& entry);

 private:
  struct SocketCloser {
    void operator()(nl_sock* socket) const;
  };
  explicit Netlink(nl_sock* socket) : socket_(socket) {}
  /// Sends, gives the objects of the answer to `each`, and waits for its end.
  Result<void> exchange(nl_msg* message, const char* what, const std::function<void(nlmsghdr*)>& each, int tolerated);
  /// Sends and waits for the kernel's verdict; `tolerated`: an errno that counts as success.
  Result<void> send(nl_msg* message, const char* what, int tolerated = 0);
  Result<void> dump(nl_msg* message, const char* what, const std::function<void(nlmsghdr*)>& each);
  Result<void> change_link(int index, const char* what, const std::function<void(nl_msg*)>& attributes,
                           unsigned flags_on = 0);
  /// Routes of the tables that satisfy the condition.
  Result<std::vector<RouteLayout>> list_routes(const std::vector<Link>& links,
                                               const std::function<bool(std::uint32_t table)>& wanted);
  Result<void> send_route(const RouteLayout& route, int device_index, int type, int flags, int tolerated);
  Result<void> send_table_rule(const TableRule& rule, int type, int flags, int tolerated);
  Result<void> send_neighbour(const Neighbour& neighbour, int type, int flags, int tolerated);
  Result<void> send_forwarding_entry(const ForwardingEntry& entry, int type, int flags, int tolerated);
  Result<void> send_address(const LinkAddress& address, int type, int flags, int tolerated);

  std::unique_ptr<nl_sock, SocketCloser> socket_;
};

/// A socket for the namespace.
Result<Netlink> netlink_in(const std::string& name_space);

}  // namespace virga::network
