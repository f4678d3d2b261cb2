#pragma once

// TCP sockets in the calling thread's namespace. They stay in it wherever they are used later.

#include <chrono>
#include <cstdint>

#include "core/result.h"
#include "core/unique_fd.h"
#include "network/host/address.h"

namespace virga::network {

Result<UniqueFd> listening_socket(Ipv4 address, std::uint16_t port);
/// Connected, in blocking mode. Errors: Unavailable when nobody answers within the time or the connection is refused.
Result<UniqueFd> connected_socket(Ipv4 address, std::uint16_t port, std::chrono::milliseconds timeout);

}  // namespace virga::network
