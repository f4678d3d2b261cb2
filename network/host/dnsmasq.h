#pragma once

// One dnsmasq per VPC, inside its namespace, as an unprivileged user with the capabilities it needs and no way to more:
// DHCP with reserved addresses, and the VPC's names. The process outlives this one; a new host role finds it again by
// its pid file and takes it over.

#include <set>
#include <string>

#include "core/command_runner.h"
#include "core/result.h"
#include "core/unique_fd.h"
#include "network/host/dnsmasq_files.h"

namespace virga::network {

class Dnsmasq {
 public:
  /// `root`: directory for the files of all VPCs of the installation; the DNS user must be able to reach it.
  Dnsmasq(std::string root, CommandRunner& commands);

  /// Makes the files and the process as the layout wants them; true when a process had to be started. Inside the
  /// namespace's thread: a new process lives where its parent thread is.
  Result<bool> apply(const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged);
  /// The VPC's running process, pinned by a pidfd; invalid when there is none.
  UniqueFd process(std::uint32_t vpc) const;
  /// The files that start() needs are there.
  bool is_configured(std::uint32_t vpc) const;
  /// Starts the process with the files that are there. Inside the namespace's thread.
  Result<void> start(std::uint32_t vpc);
  /// Ends the process, waits until it is gone, and removes the files. Success if there is none.
  Result<void> remove(std::uint32_t vpc);
  /// VPCs with files.
  std::set<std::uint32_t> vpcs() const;

 private:
  std::string directory(std::uint32_t vpc) const;
  /// The process of the VPC, if it lives: 0 when not. A number in a stale file that now is another program's is not it.
  int find(std::uint32_t vpc) const;
  Result<void> prepare_directories(const std::string& directory) const;
  Result<void> stop(std::uint32_t vpc) const;

  std::string root_;
  std::string user_;
  std::string group_;
  unsigned group_id_ = 0;
  CommandRunner& commands_;
};

}  // namespace virga::network
