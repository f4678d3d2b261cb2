#pragma once

// The files that tell dnsmasq what a VPC is: written from typed values only, so no tenant's text can become an option.
// Pure.

#include <map>
#include <set>
#include <string>

#include "network/host/layout.h"

namespace virga::network {

struct DnsmasqSettings {
  std::string directory;  ///< where the VPC's files are
  std::string user;       ///< an unprivileged one
  std::string group;
};

/// dnsmasq.conf: what only a new process takes over.
std::string dnsmasq_configuration(const VpcLayout& layout, const DnsmasqSettings& settings);
/// One line per plugged interface (file name -> content) for DHCP: its address is reserved to its MAC.
std::map<std::string, std::string> dhcp_host_files(const VpcLayout& layout,
                                                   const std::set<NetworkInterfaceId>& plugged);
/// The same for DNS, for every interface of the VPC, wherever it is.
std::map<std::string, std::string> dns_host_files(const VpcLayout& layout);

}  // namespace virga::network
