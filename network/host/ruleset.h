#pragma once

// What may pass in a VPC, as nft rules: a pure function of the layout and of the interfaces that are plugged in.
//
// Two tables everywhere. `bridge vgl2` holds each port to its own MAC and IPv4 addresses, in both directions, before anything else
// sees the frame; only IPv4 and ARP exist. `inet vgsg` holds the security groups (a chain per group and direction, a
// set of its members, a chain per distinct combination of groups) and what guests may ask of the host itself. Closed by
// construction: an interface without its elements neither sends nor receives, a connection that no rule of a group
// accepts is dropped, and so is everything the rules do not mention. A VPC with public addresses has a third table,
// `ip vgnat`, and a chain for what crosses its border (ruleset_nat.h).

#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "network/host/layout.h"

namespace virga::network {

struct Ruleset {
  /// Table and name of a chain or a set.
  using Name = std::pair<std::string, std::string>;
  struct Chain {
    nlohmann::json header;
    std::vector<nlohmann::json> rules;
    bool operator==(const Chain&) const = default;
  };
  struct Set {
    nlohmann::json header;
    std::set<nlohmann::json> elements;
    bool operator==(const Set&) const = default;
  };
  std::map<Name, Chain> chains;
  std::map<Name, Set> sets;
  bool operator==(const Ruleset&) const = default;
};

/// Each interface's connections are counted in this many classes, none of which may have more than its share of the
/// limit.
inline constexpr int connection_counters = 256;

/// `plugged`: the interfaces whose taps are in the namespace; only these are given rights. `connection_limit`: how many
/// connections each of them may have under way; 0: as many as it likes.
Ruleset ruleset_of(const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged, int connection_limit);

/// One transaction that replaces whatever the namespace has by the rule set.
nlohmann::json load_commands(const Ruleset& wanted);
/// One transaction with the difference between what is loaded and what is wanted.
nlohmann::json update_commands(const Ruleset& loaded, const Ruleset& wanted);

}  // namespace virga::network
