#pragma once

// The VPCs' DHCP and DNS servers, kept alive: one that ends is started again at once, with pauses that grow when it
// ends again and again. Servers that an earlier host role started are adopted.
//
// A restart needs the server's files only, no document: it works while the control role is away. Thread-safe.

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "network/host/dnsmasq.h"
#include "network/host/names.h"
#include "network/host/process_watch.h"
#include "network/host/restart_pace.h"

namespace virga::network {

class NameServers {
 public:
  /// `root`: see Dnsmasq.
  static Result<std::unique_ptr<NameServers>> create(std::string root, Names names, CommandRunner& commands);

  /// Makes the VPC's server as the layout wants it. Inside the namespace's thread.
  Result<void> apply(const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged);
  /// Ends the server and removes its files. Success if there is none.
  Result<void> remove(std::uint32_t vpc);
  /// VPCs with files.
  std::set<std::uint32_t> vpcs() const { return dnsmasq_.vpcs(); }
  /// What went wrong since the last apply(); empty: nothing.
  std::string problem(std::uint32_t vpc);

 private:
  struct Server {
    std::mutex mutex;  ///< makes what is done to one server take turns
    RestartPace pace;
    bool expected = false;  ///< it ran, as far as this object knows
    std::string problem;
  };

  NameServers(std::string root, Names names, CommandRunner& commands);
  Server& server_of(std::uint32_t vpc);
  /// A server has ended: starts it again, or says when.
  ProcessWatch::Next revive(std::uint32_t vpc);
  ProcessWatch::Next start_again(std::uint32_t vpc, Server& server);

  const Names names_;
  Dnsmasq dnsmasq_;
  std::mutex mutex_;  ///< guards servers_
  std::map<std::uint32_t, std::unique_ptr<Server>> servers_;
  std::unique_ptr<ProcessWatch> watch_;  ///< last: its thread uses all of the above
};

}  // namespace virga::network
