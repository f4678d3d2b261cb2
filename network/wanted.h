#pragma once

// What crosses the host API about networks: plain values. A WantedVpc is all that one host must know of one VPC.

#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/json_declare.h"

namespace virga::network {

struct WantedSubnet {
  SubnetId id;
  std::uint32_t number = 0;
  std::string cidr;     ///< "172.31.0.0/20"; the gateway is its base + 1, the resolver VPC base + 2
  std::string zone;
  std::uint32_t route_table = 0;  ///< number of the route table that governs it
};

/// A network interface of the VPC, wherever it is.
struct WantedInterface {
  NetworkInterfaceId id;
  std::uint32_t number = 0;
  SubnetId subnet;
  std::string mac;
  std::vector<std::string> private_ips;  ///< the primary address first
  std::vector<std::uint32_t> groups;     ///< numbers of its security groups, ascending
  bool source_dest_check = true;
  bool local = true;                     ///< its guest runs on this host
  std::string host_name;                 ///< "ip-172-31-0-10": its name in the VPC's DNS and DHCP
  InstanceId instance;
};

struct WantedRule {
  bool egress = false;
  std::string protocol;     ///< "tcp", "udp", "icmp", "icmpv6", "-1" (all), or a protocol number in decimal
  int from_port = -1;       ///< tcp/udp: first port; icmp: type, -1 all
  int to_port = -1;         ///< tcp/udp: last port; icmp: code, -1 all
  std::string cidr;         ///< IPv4 or IPv6 CIDR; empty when the other end is a group
  std::uint32_t group = 0;  ///< number of the group at the other end
};

struct WantedGroup {
  SecurityGroupId id;
  std::uint32_t number = 0;
  std::vector<WantedRule> rules;
  std::vector<std::string> members;  ///< private addresses of all its members, on all hosts
};

struct WantedRoute {
  std::string destination;
  std::string target;  ///< "local"; "blackhole"; "igw": the world outside, by the public addresses; "eni:<private address>"
};

struct WantedRouteTable {
  RouteTableId id;
  std::uint32_t number = 0;
  std::vector<WantedRoute> routes;
};

/// A public address that stands for a private one of the VPC, both ways.
struct WantedAddress {
  std::string public_ip;
  std::string private_ip;
};

struct WantedVpc {
  VpcId id;
  std::uint64_t generation = 0;
  std::uint32_t number = 0;
  AccountId account;
  std::vector<std::string> cidrs;
  bool dns_support = true;
  bool dns_hostnames = false;
  std::string domain_name;  ///< "ec2.internal"
  std::vector<WantedSubnet> subnets;
  std::vector<WantedInterface> interfaces;
  std::vector<WantedGroup> groups;
  std::vector<WantedRouteTable> route_tables;
  bool internet_gateway = false;          ///< one is attached: routes to "igw" lead out
  std::vector<WantedAddress> addresses;   ///< ascending by public address
};

/// What a host says of a VPC it was told of.
struct ObservedVpc {
  VpcId id;
  std::uint64_t generation = 0;  ///< of the document last applied in full
  std::string problem;           ///< empty: applied. For the operator.
};

VIRGA_JSON_DECLARE(WantedSubnet);
VIRGA_JSON_DECLARE(WantedInterface);
VIRGA_JSON_DECLARE(WantedRule);
VIRGA_JSON_DECLARE(WantedGroup);
VIRGA_JSON_DECLARE(WantedRoute);
VIRGA_JSON_DECLARE(WantedRouteTable);
VIRGA_JSON_DECLARE(WantedAddress);
VIRGA_JSON_DECLARE(WantedVpc);
VIRGA_JSON_DECLARE(ObservedVpc);

}  // namespace virga::network
