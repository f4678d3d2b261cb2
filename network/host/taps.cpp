#include "network/host/taps.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "network/host/system_failure.h"

namespace virga::network {

Result<UniqueFd> open_tap(const std::string& name, short extra_flags) {
  UniqueFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tap) return system_failure("open /dev/net/tun");
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | extra_flags);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) return system_failure("open tap " + name);
  return tap;
}

Result<void> create_persistent_tap(const std::string& name) {
  UniqueFd tap = TRY(open_tap(name, IFF_VNET_HDR));
  if (::ioctl(tap.get(), TUNSETPERSIST, 1) != 0) return system_failure("keep tap " + name);
  return {};
}

}  // namespace virga::network
