#pragma once

// Subnets: a part of a VPC's block in one zone. The first four addresses and the last one of each are reserved
// (network, gateway, resolver, spare, broadcast); the others belong to interfaces.

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/scope.h"
#include "network/network_acls.h"

namespace virga::network {

struct Subnet {
  SubnetId id;
  std::uint32_t number = 0;
  VpcId vpc;
  std::string cidr;
  std::string zone;
  std::string zone_id;
  bool is_default = false;
  NetworkAclAssociationId acl_association;
  bool map_public_ip = false;  ///< instances launched into it get a public address
  std::int64_t used = 0;       ///< addresses taken by interfaces
  Time created;

  /// Addresses an interface could still get.
  std::int64_t available() const;
};

struct SubnetRequest {
  VpcId vpc;
  std::string cidr;
  std::string zone;  ///< name; empty: the first one
  bool is_default = false;
};

inline constexpr std::uint32_t reserved_at_start = 4;
inline constexpr std::uint32_t reserved_at_end = 1;

namespace subnets {
/// As on EC2, a new default subnet maps public addresses, another one does not. Errors: InvalidVpcID.NotFound,
/// InvalidParameterValue (CIDR, zone), InvalidSubnet.Range, InvalidSubnet.Conflict, SubnetLimitExceeded.
Result<Subnet> create(Scope& scope, const Config& config, const SubnetRequest& request);
/// Errors: InvalidSubnetID.NotFound.
Result<Subnet> find(Scope& scope, const SubnetId& id);
Result<std::vector<Subnet>> list(Scope& scope, const std::vector<SubnetId>& ids = {});
/// Whether instances launched from now on get public addresses. Errors: InvalidSubnetID.NotFound.
Result<void> set_map_public_ip(Scope& scope, const SubnetId& id, bool map);
/// Errors: InvalidSubnetID.NotFound, DependencyViolation while interfaces are in it.
Result<void> remove(Scope& scope, const SubnetId& id);
}  // namespace subnets

}  // namespace virga::network
