#pragma once

// The real HostNetwork: namespaces, netlink, nftables and dnsmasq of this machine.
//
// No process of ours is in the packets' path, so guests' traffic outlives this object; a new one on the same machine
// reads back what is there and goes on. What it remembers (the rule set it loaded last) only saves work. Thread-safe:
// calls on one VPC take turns, calls on different VPCs run side by side.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "core/command_runner.h"
#include "network/host/edge.h"
#include "network/host/host_network.h"
#include "network/host/name_servers.h"
#include "network/host/names.h"
#include "network/host/netlink.h"
#include "network/host/ruleset.h"
#include "network/host/tracking_limits.h"

namespace virga::network {

struct LinuxNetworkOptions {
  std::string realm;  ///< four lower-case hex digits
  /// For dnsmasq's files, which it reads without privileges: when a directory on the way is closed to other users,
  /// /run/virga-dns serves instead (files are kept apart by realm). Nothing in it is worth keeping: it is made again
  /// from the documents.
  std::string runtime_dir = "/run/virga-dns";
  /// Resolver for names outside the VPC. Namespaces have no way out of the host yet, so a value here is reported by
  /// problems() and otherwise without effect.
  std::string dns_upstream;
  /// How many connections an interface may have under way; less where the kernel's table is small.
  int connections_per_interface = most_connections_per_interface;
  CommandRunner& commands;
};

class LinuxNetwork final : public HostNetwork {
 public:
  /// Errors: the realm is malformed, or the process lacks the privileges.
  static Result<std::unique_ptr<HostNetwork>> create(LinuxNetworkOptions options);

  Result<void> apply(const WantedVpc& vpc) override;
  Result<void> remove(const WantedVpc& vpc) override;
  Result<std::string> create_tap(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  Result<void> plug(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  Result<void> unplug(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  bool is_plugged(const WantedVpc& vpc, const NetworkInterfaceId& interface) override;
  Result<std::vector<std::string>> remove_orphans(const std::vector<WantedVpc>& known) override;
  Result<UniqueFd> listen(const WantedVpc& vpc, std::string_view address, std::uint16_t port) override;
  Result<std::uint64_t> incarnation(const WantedVpc& vpc) override;
  Result<UniqueFd> connect(const WantedVpc& vpc, std::string_view address, std::uint16_t port,
                           std::chrono::milliseconds timeout) override;
  std::vector<std::string> problems() override;

 private:
  /// What is remembered of a VPC; `mutex` makes its calls take turns.
  struct Memory {
    std::mutex mutex;
    std::optional<Ruleset> loaded;  ///< the rule set of the last successful load
    std::string listing;            ///< what the kernel listed right after it
    /// The public addresses that the connections under way were last compared with.
    std::optional<std::set<AddressLayout>> translated;
    std::string problem;  ///< what was last found broken; for problems()
  };

  LinuxNetwork(const LinuxNetworkOptions& options, std::unique_ptr<NameServers> name_servers,
               std::unique_ptr<Edge> edge);
  Memory& memory_of(std::uint32_t vpc);
  /// Makes the VPC's namespace and its way out what they should be; with the VPC's turn.
  Result<void> settle(const VpcLayout& layout, Memory& memory);
  /// Brings everything in the namespace in line; inside its thread, with the VPC's turn.
  Result<void> converge(const VpcLayout& layout, Memory& memory);
  Result<void> load_rules(const Ruleset& wanted, Memory& memory);
  /// Refuses to go on where bridged packets would not meet the groups.
  Result<void> require_filtering();
  /// How many connections an interface may have under way; 0: as many as it likes, since this kernel cannot count them.
  /// Inside a VPC's namespace.
  int connection_limit();
  Result<void> destroy(std::uint32_t vpc, const std::string& name_space, Memory& memory);

  Names names_;
  CommandRunner& commands_;
  const std::unique_ptr<NameServers> name_servers_;
  const std::unique_ptr<Edge> edge_;
  std::string dns_upstream_;
  const int wanted_connection_limit_;
  std::mutex mutex_;  ///< guards the members below
  std::map<std::uint32_t, std::unique_ptr<Memory>> memories_;
  bool filtering_proved_ = false;
  std::string filtering_problem_;
  std::optional<int> connection_limit_;  ///< once it was found out
};

}  // namespace virga::network
