#pragma once

// Port: the kernel side of VPCs on one host. The real adapter (host_network_linux) works on namespaces, netlink,
// nftables and dnsmasq; the fake (simulated_network) keeps the same promises in memory.
//
// Threads: called from the host agent's network and compute reconcilers at the same time; implementations are
// thread-safe. Every function is idempotent and has a bound on its time.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"
#include "network/wanted.h"

namespace virga::network {

class HostNetwork {
 public:
  virtual ~HostNetwork() = default;

  /// Makes the host's part of the VPC equal to the document: namespace, bridges, routes, rules, DHCP, DNS. Interfaces
  /// whose tap is not in the namespace are programmed when they are plugged. Repairs whatever differs.
  virtual Result<void> apply(const WantedVpc& vpc) = 0;
  /// Removes all of the VPC from the host; refused (IncorrectState) while a tap is left in it.
  virtual Result<void> remove(const WantedVpc& vpc) = 0;

  /// Makes the interface's tap in the host's root namespace, ready for the hypervisor to open by name, and returns the
  /// name. A tap left over from an earlier start (in the VPC's namespace) is deleted first: only for a guest that is off.
  virtual Result<std::string> create_tap(const WantedVpc& vpc, const NetworkInterfaceId& interface) = 0;
  /// Moves the tap that the (paused) guest has open into the VPC, enslaves it and programs identity, groups, DHCP and
  /// neighbours. When this returns the port works; before, it passes nothing.
  virtual Result<void> plug(const WantedVpc& vpc, const NetworkInterfaceId& interface) = 0;
  /// Unprograms and deletes the tap, wherever it is. Success if there is none.
  virtual Result<void> unplug(const WantedVpc& vpc, const NetworkInterfaceId& interface) = 0;
  /// The interface is plugged and programmed.
  virtual bool is_plugged(const WantedVpc& vpc, const NetworkInterfaceId& interface) = 0;

  /// Kernel objects of this installation (its realm) that belong to none of `known`: removes them, and returns what it
  /// removed, for the log. Never touches a namespace that still holds a tap.
  virtual Result<std::vector<std::string>> remove_orphans(const std::vector<WantedVpc>& known) = 0;

  /// A TCP socket listening in the VPC's namespace (the metadata service). The descriptor keeps working after the
  /// namespace is no longer entered.
  virtual Result<UniqueFd> listen(const WantedVpc& vpc, std::string_view address, std::uint16_t port) = 0;
  /// A number for the VPC's namespace as it is now. As long as a socket made in it is open, no other namespace has the
  /// number: a different one means that what is open belongs to a namespace that was deleted and made again.
  virtual Result<std::uint64_t> incarnation(const WantedVpc& vpc) = 0;
  /// A TCP connection made from within the VPC's namespace (virga ssh).
  virtual Result<UniqueFd> connect(const WantedVpc& vpc, std::string_view address, std::uint16_t port,
                                   std::chrono::milliseconds timeout) = 0;

  /// What keeps the network from working as it should on this machine, for `virga status`; empty: nothing.
  virtual std::vector<std::string> problems() = 0;
};

}  // namespace virga::network
