#pragma once

// A WantedVpc read into typed values, with the names and numbers the kernel knows it by. Reading is where a document is
// judged: one with a value that does not parse is refused as a whole, before anything of the VPC is touched. Pure.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "network/host/address.h"
#include "network/host/names.h"
#include "network/wanted.h"

namespace virga::network {

/// The MAC of every subnet's gateway, on every host.
inline constexpr Mac router_mac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr Ipv4 metadata_address{0xa9fea9fe};  ///< 169.254.169.254
inline constexpr Ipv4 link_dns_address{0xa9fea9fd};  ///< 169.254.169.253

/// A VPC's way out is a pair of links, `ext` in its namespace and one in the edge's. No end of it has an address: the
/// next hops are names for the MAC at the other end, told to both sides, and nobody can reach them.
inline constexpr const char* outside_device = "ext";
inline constexpr Ipv4 outside_next_hop{0xa9fe4001};  ///< 169.254.64.1: the edge, as a VPC's routes see it
inline constexpr Mac outside_mac{{0x02, 0, 0, 0, 0, 0x02}};
inline constexpr Mac edge_mac{{0x02, 0, 0, 0, 0, 0x03}};

struct SubnetLayout {
  std::uint32_t number = 0;
  std::string bridge;
  Prefix4 cidr;
  std::uint32_t table = 0;  ///< kernel routing table
  Ipv4 gateway() const { return cidr.base + 1; }
};

struct PortLayout {
  NetworkInterfaceId id;
  std::uint32_t number = 0;
  std::string tap;
  std::string bridge;
  Mac mac;
  std::vector<Ipv4> addresses;  ///< the primary first; at least one
  std::set<std::uint32_t> groups;
  bool source_dest_check = true;
  bool local = true;
  std::string host_name;
};

struct GroupRule {
  bool egress = false;
  std::optional<int> protocol;                         ///< IP protocol number; nothing: all
  int from = -1;                                       ///< first port, or ICMP type; -1: all
  int to = -1;                                         ///< last port, or ICMP code; -1: all
  std::variant<Prefix4, Prefix6, std::uint32_t> peer;  ///< a CIDR or a group's number
};

struct GroupLayout {
  std::uint32_t number = 0;
  std::vector<GroupRule> rules;
  std::set<Ipv4> members;
};

enum class RouteKind { on_link, via, unreachable, blackhole };

struct RouteLayout {
  std::uint32_t table = 0;
  Prefix4 destination;
  std::uint32_t metric = 0;
  RouteKind kind = RouteKind::unreachable;
  std::string device;  ///< of on_link and via
  Ipv4 gateway;        ///< of via
  auto operator<=>(const RouteLayout&) const = default;
};

/// A public address that works on this host.
struct AddressLayout {
  Ipv4 public_ip;
  Ipv4 private_ip;
  auto operator<=>(const AddressLayout&) const = default;
};

struct VpcLayout {
  std::uint32_t number = 0;
  std::string name_space;
  std::vector<Prefix4> cidrs;
  Ipv4 resolver;  ///< base + 2 of the VPC's first CIDR
  bool dns_support = true;
  std::string domain;
  std::vector<SubnetLayout> subnets;
  std::vector<PortLayout> ports;
  std::vector<GroupLayout> groups;
  std::set<AddressLayout> addresses;  ///< empty: the VPC has no way out, and needs none
  std::set<RouteLayout> routes;

  const PortLayout* port(const NetworkInterfaceId& id) const;
};

/// Errors: InvalidParameterValue with what is wrong.
Result<VpcLayout> read_layout(const WantedVpc& vpc, const Names& names);

}  // namespace virga::network
