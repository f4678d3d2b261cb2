#pragma once

// One rule of a security group in canonical form. Rules are stored and compared in this form only, so that two
// spellings of one rule are one rule, and nothing odd ever reaches a host: protocol names for tcp, udp, icmp, icmpv6
// and -1 for all, decimal numbers for the others; ports only where the protocol has them; addresses masked to their
// prefix.

#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace virga::network {

struct Rule {
  std::string protocol;  ///< tcp, udp, icmp, icmpv6, -1, or a decimal protocol number
  int from_port = -1;    ///< icmp: type. -1: all, or the protocol has no ports
  int to_port = -1;      ///< icmp: code
  std::string cidr;      ///< canonical IPv4 or IPv6 CIDR; empty: the other end is a group
  SecurityGroupId peer;
  auto operator<=>(const Rule&) const = default;

  bool ipv6() const { return cidr.find(':') != std::string::npos; }
};

/// Whether rules of the protocol have ports (or ICMP type and code) at all.
bool has_ports(std::string_view protocol);

struct PortRange {
  std::string protocol;
  int from_port = -1;
  int to_port = -1;
};
/// Protocol and ports as callers write them: names in any case, numbers, "all". Ports are dropped where the protocol
/// has none. Errors: InvalidParameterValue, MissingParameter.
Result<PortRange> canonical_ports(std::string_view protocol, std::optional<int> from, std::optional<int> to);

/// Errors: InvalidParameterValue.
Result<std::string> canonical_ipv4_range(std::string_view text);
Result<std::string> canonical_ipv6_range(std::string_view text);

/// Descriptions of rules and groups, and names of groups: at most 255 characters of EC2's set.
/// Errors: InvalidParameterValue.
Result<void> check_text(std::string_view what, std::string_view text);

}  // namespace virga::network
