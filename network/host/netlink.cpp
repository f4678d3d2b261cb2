#include "network/host/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "network/host/name_space.h"
#include "network/host/netlink_message.h"
#include "network/host/system_failure.h"

namespace virga::network {
namespace {

struct DumpState {
  const std::function<void(nlmsghdr*)>* each;
  int error = 0;
  bool done = false;
};

int on_valid(nl_msg* message, void* state) {
  (*static_cast<DumpState*>(state)->each)(::nlmsg_hdr(message));
  return NL_OK;
}

int on_finish(nl_msg*, void* state) {
  static_cast<DumpState*>(state)->done = true;
  return NL_STOP;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* state) {
  static_cast<DumpState*>(state)->error = -error->error;
  static_cast<DumpState*>(state)->done = true;
  return NL_STOP;
}

}  // namespace

void Netlink::SocketCloser::operator()(nl_sock* socket) const { ::nl_socket_free(socket); }

Result<Netlink> Netlink::open() {
  nl_sock* socket = ::nl_socket_alloc();
  if (socket == nullptr) return fail(internal_error("netlink socket: out of memory"));
  Netlink netlink(socket);
  if (int error = ::nl_connect(socket, NETLINK_ROUTE); error < 0)
    return fail(internal_error(std::string("netlink socket: ") + ::nl_geterror(error)));
  ::nl_socket_set_buffer_size(socket, 1 << 20, 1 << 20);
  return netlink;
}

Result<Netlink> netlink_in(const std::string& name_space) {
  std::optional<Netlink> netlink;
  auto opened = in_name_space(name_space, [&]() -> Result<void> {
    netlink = TRY(Netlink::open());
    return {};
  });
  TRY_VOID(opened);
  return std::move(*netlink);
}

Result<void> Netlink::exchange(nl_msg* message, const char* what, const std::function<void(nlmsghdr*)>& each,
                               int tolerated) {
  DumpState state{.each = &each};
  std::unique_ptr<nl_cb, void (*)(nl_cb*)> callbacks(::nl_cb_alloc(NL_CB_DEFAULT), ::nl_cb_put);
  ::nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &state);
  for (nl_cb_type last : {NL_CB_FINISH, NL_CB_ACK}) ::nl_cb_set(callbacks.get(), last, NL_CB_CUSTOM, on_finish, &state);
  ::nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &state);
  int error = ::nl_send_auto(socket_.get(), message);
  while (error >= 0 && !state.done) error = ::nl_recvmsgs(socket_.get(), callbacks.get());
  if (error < 0 && !state.done) return fail(internal_error(std::string(what) + ": " + ::nl_geterror(error)));
  if (state.error != 0 && state.error != tolerated) return system_failure(what, state.error);
  return {};
}

Result<void> Netlink::send(nl_msg* message, const char* what, int tolerated) {
  ::nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
  return exchange(
      message, what, [](nlmsghdr*) {}, tolerated);
}

Result<void> Netlink::dump(nl_msg* message, const char* what, const std::function<void(nlmsghdr*)>& each) {
  return exchange(message, what, each, 0);
}

}  // namespace virga::network
