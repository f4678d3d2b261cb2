#include "network/host/taps.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "core/unique_fd.h"

namespace virga::network {

Result<void> create_persistent_tap(const std::string& name) {
  UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tun) return fail(internal_error(std::string("open /dev/net/tun: ") + std::strerror(errno)));
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(tun.get(), TUNSETIFF, &request) != 0 || ::ioctl(tun.get(), TUNSETPERSIST, 1) != 0)
    return fail(internal_error("create tap " + name + ": " + std::strerror(errno)));
  return {};
}

}  // namespace virga::network
