#include "network/host/tracked_connections.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "network/host/netlink_message.h"
#include "network/host/system_failure.h"

namespace virga::network {
namespace {

constexpr int type_of(int message) { return (NFNL_SUBSYS_CTNETLINK << 8) | message; }

nfgenmsg ipv4_header() { return {.nfgen_family = AF_INET, .version = NFNETLINK_V0, .res_id = 0}; }

/// Source and destination of a connection's packets in one direction.
struct Ends {
  Ipv4 source;
  Ipv4 destination;
};

Ends read_ends(nlattr* tuple) {
  nlattr* parts[CTA_TUPLE_MAX + 1] = {};
  nlattr* addresses[CTA_IP_MAX + 1] = {};
  if (tuple == nullptr || ::nla_parse_nested(parts, CTA_TUPLE_MAX, tuple, nullptr) != 0) return {};
  if (parts[CTA_TUPLE_IP] == nullptr || ::nla_parse_nested(addresses, CTA_IP_MAX, parts[CTA_TUPLE_IP], nullptr) != 0)
    return {};
  auto read = [&](int type) {
    bool there = addresses[type] != nullptr && ::nla_len(addresses[type]) >= 4;
    return Ipv4{there ? ntohl(::nla_get_u32(addresses[type])) : 0};
  };
  return {read(CTA_IP_V4_SRC), read(CTA_IP_V4_DST)};
}

using Bytes = std::vector<std::uint8_t>;

/// What the kernel knows a connection by: its first direction, as it wrote it.
struct Dump {
  const std::set<AddressLayout>* valid;
  std::vector<Bytes> others;
  int error = 0;
  bool done = false;
};

bool is_other(const std::set<AddressLayout>& valid, const Ends& original, const Ends& reply) {
  bool destination_changed = original.destination != reply.source;
  bool source_changed = original.source != reply.destination;
  return (destination_changed && !valid.contains({original.destination, reply.source})) ||
         (source_changed && !valid.contains({reply.destination, original.source}));
}

int on_connection(nl_msg* message, void* state) {
  auto& dump = *static_cast<Dump*>(state);
  Attributes<nfgenmsg, CTA_MAX + 1> attributes(::nlmsg_hdr(message));
  nlattr* original = attributes[CTA_TUPLE_ORIG];
  if (original == nullptr || !is_other(*dump.valid, read_ends(original), read_ends(attributes[CTA_TUPLE_REPLY])))
    return NL_OK;
  const auto* bytes = static_cast<const std::uint8_t*>(::nla_data(original));
  dump.others.emplace_back(bytes, bytes + ::nla_len(original));
  return NL_OK;
}

int on_end(nl_msg*, void* state) {
  static_cast<Dump*>(state)->done = true;
  return NL_STOP;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* state) {
  static_cast<Dump*>(state)->error = -error->error;
  static_cast<Dump*>(state)->done = true;
  return NL_STOP;
}

struct Free {
  void operator()(nl_sock* socket) const { ::nl_socket_free(socket); }
  void operator()(nl_cb* callbacks) const { ::nl_cb_put(callbacks); }
};

/// Sends, and reads to the end of the answer; `state.error` is what the kernel said.
Result<void> exchange(nl_sock* socket, Message& message, Dump& state) {
  std::unique_ptr<nl_cb, Free> callbacks(::nl_cb_alloc(NL_CB_DEFAULT));
  ::nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_connection, &state);
  for (nl_cb_type last : {NL_CB_FINISH, NL_CB_ACK}) ::nl_cb_set(callbacks.get(), last, NL_CB_CUSTOM, on_end, &state);
  ::nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &state);
  state.done = false;
  state.error = 0;
  int error = ::nl_send_auto(socket, message.get());
  while (error >= 0 && !state.done) error = ::nl_recvmsgs(socket, callbacks.get());
  if (error < 0 && !state.done)
    return fail(internal_error(std::string("tracked connections: ") + ::nl_geterror(error)));
  return {};
}

}  // namespace

Result<void> forget_other_translations(const std::set<AddressLayout>& valid) {
  std::unique_ptr<nl_sock, Free> socket(::nl_socket_alloc());
  if (!socket) return fail(internal_error("netlink socket: out of memory"));
  if (int error = ::nl_connect(socket.get(), NETLINK_NETFILTER); error < 0)
    return fail(internal_error(std::string("netlink socket: ") + ::nl_geterror(error)));
  Dump dump{.valid = &valid, .others = {}};
  Message list(type_of(IPCTNL_MSG_CT_GET), NLM_F_REQUEST | NLM_F_DUMP, ipv4_header());
  TRY_VOID(exchange(socket.get(), list, dump));
  // A kernel that does not show its table keeps the entries until they expire; the rules hold without this.
  if (dump.error == EINVAL || dump.error == EOPNOTSUPP) return {};
  if (dump.error != 0) return system_failure("list tracked connections", dump.error);
  for (const auto& original : std::vector<Bytes>(std::move(dump.others))) {
    Message forget(type_of(IPCTNL_MSG_CT_DELETE), NLM_F_REQUEST | NLM_F_ACK, ipv4_header());
    forget.put(CTA_TUPLE_ORIG | NLA_F_NESTED, original.data(), original.size());
    TRY_VOID(exchange(socket.get(), forget, dump));
    if (dump.error != 0 && dump.error != ENOENT) return system_failure("forget a connection", dump.error);
  }
  return {};
}

}  // namespace virga::network
