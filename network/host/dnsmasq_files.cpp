#include "network/host/dnsmasq_files.h"

#include <fmt/format.h>

#include <iterator>

namespace virga::network {
namespace {

constexpr int lease_seconds = 86'400;
constexpr int guest_mtu = 1500;

/// "ip-10-0-0-5" is what EC2 calls an address.
std::string name_of(const PortLayout& port) {
  if (!port.host_name.empty()) return port.host_name;
  std::string name = "ip-" + port.addresses.front().str();
  for (char& c : name)
    if (c == '.') c = '-';
  return name;
}

std::string file_name(const PortLayout& port) { return fmt::format("{:08x}", port.number); }

}  // namespace

std::string dnsmasq_configuration(const VpcLayout& layout, const DnsmasqSettings& settings) {
  std::string text;
  auto out = std::back_inserter(text);
  fmt::format_to(out, "user={}\ngroup={}\n", settings.user, settings.group);
  fmt::format_to(out, "pid-file={}/dnsmasq.pid\nleasefile-ro\n", settings.directory);
  fmt::format_to(out, "dhcp-hostsdir={0}/dhcp\n", settings.directory);
  text += "bind-dynamic\nno-hosts\nno-poll\nno-resolv\nno-ping\ndhcp-authoritative\ndhcp-ignore-names\n";
  text += fmt::format("dhcp-lease-max={}\n", 65'536);
  if (layout.dns_support) {
    fmt::format_to(out, "hostsdir={}/dns\n", settings.directory);
    fmt::format_to(out, "domain={0}\nlocal=/{0}/\ndomain-needed\nbogus-priv\ncache-size=1000\n", layout.domain);
  } else {
    text += "port=0\n";
  }
  for (const auto& subnet : layout.subnets) {
    fmt::format_to(out, "dhcp-range=set:s{},{},static,{},{}\n", subnet.number, subnet.cidr.base.str(),
                   subnet.cidr.mask().str(), lease_seconds);
    fmt::format_to(out, "dhcp-option=tag:s{},3,{}\n", subnet.number, subnet.gateway().str());
  }
  if (layout.dns_support) fmt::format_to(out, "dhcp-option=6,{}\n", layout.resolver.str());
  fmt::format_to(out, "dhcp-option=15,{}\n", layout.domain);
  fmt::format_to(out, "dhcp-option=26,{}\n", guest_mtu);
  return text;
}

std::map<std::string, std::string> dhcp_host_files(const VpcLayout& layout,
                                                   const std::set<NetworkInterfaceId>& plugged) {
  std::map<std::string, std::string> files;
  for (const auto& port : layout.ports)
    if (plugged.contains(port.id))
      files[file_name(port)] =
          fmt::format("{},{},{},{}\n", port.mac.str(), port.addresses.front().str(), name_of(port), lease_seconds);
  return files;
}

std::map<std::string, std::string> dns_host_files(const VpcLayout& layout) {
  std::map<std::string, std::string> files;
  if (!layout.dns_support) return files;
  for (const auto& port : layout.ports)
    files[file_name(port)] = fmt::format("{} {}.{}\n", port.addresses.front().str(), name_of(port), layout.domain);
  return files;
}

}  // namespace virga::network
