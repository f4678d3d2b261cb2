#pragma once

// Network ACLs. Each VPC has its default one, which allows everything and holds all of the VPC's subnets; changing
// entries and making further ACLs is not offered yet, so an ACL keeps nothing out and no host is told of it.

#include <vector>

#include "core/scope.h"

namespace virga::network {

struct NetworkAclAssociationKind {
  static constexpr std::string_view prefix = "aclassoc-";
  static constexpr std::string_view resource_type = "network-acl-association";
  static constexpr std::string_view noun = "association ID";
  static constexpr Code not_found = Code::invalid_association_id_not_found;
  static constexpr Code malformed = Code::invalid_association_id_malformed;
};
using NetworkAclAssociationId = Id<NetworkAclAssociationKind>;

struct NetworkAcl {
  NetworkAclId id;
  VpcId vpc;
  struct Association {
    NetworkAclAssociationId id;
    SubnetId subnet;
  };
  std::vector<Association> associations;
};

namespace network_acls {
NetworkAclId create_default(Scope& scope, const VpcId& vpc);
void remove_default(Scope& scope, const VpcId& vpc);
/// Errors: InvalidNetworkAclID.NotFound.
Result<NetworkAcl> find(Scope& scope, const NetworkAclId& id);
Result<std::vector<NetworkAcl>> list(Scope& scope, const std::vector<NetworkAclId>& ids = {});
}  // namespace network_acls

}  // namespace virga::network
