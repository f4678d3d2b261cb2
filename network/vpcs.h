#pragma once

// VPCs. With each come and go its main route table, its default security group and its default network ACL; the
// account's DHCP options serve all of its VPCs. A VPC is there as soon as the transaction that made it has ended (state
// `available`): hosts learn of it with the first interface that is placed on them.

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/scope.h"

namespace virga::network {

struct Vpc {
  VpcId id;
  std::uint32_t number = 0;
  std::string cidr;
  bool is_default = false;
  bool dns_support = true;
  bool dns_hostnames = false;
  bool usage_metrics = false;
  DhcpOptionsId dhcp_options;
  VpcCidrAssociationId cidr_association;
  std::string domain;  ///< of the DHCP options: ec2.internal
  Time created;
};

struct VpcRequest {
  std::string cidr;
  bool is_default = false;
  bool dns_hostnames = false;
};

struct VpcAttributes {
  std::optional<bool> dns_support;
  std::optional<bool> dns_hostnames;
  std::optional<bool> usage_metrics;
};

namespace vpcs {
/// Errors: InvalidParameterValue (not a CIDR), InvalidVpc.Range, VpcLimitExceeded, SecurityGroupLimitExceeded.
Result<Vpc> create(Scope& scope, const Config& config, const VpcRequest& request);
/// Errors: InvalidVpcID.NotFound.
Result<Vpc> find(Scope& scope, const VpcId& id);
std::optional<Vpc> find_default(Scope& scope);
/// All of the account, or those named; ordered by id. Errors: InvalidVpcID.NotFound.
Result<std::vector<Vpc>> list(Scope& scope, const std::vector<VpcId>& ids = {});
/// Changes the attributes given. Errors: InvalidVpcID.NotFound.
Result<void> modify(Scope& scope, const VpcId& id, const VpcAttributes& attributes);
/// Errors: InvalidVpcID.NotFound, DependencyViolation naming what is in the way.
Result<void> remove(Scope& scope, const VpcId& id);
}  // namespace vpcs

/// 172.31.0.0/16 with a /20 subnet in each configured zone (the first sixteen), an internet gateway and the route to
/// it. Errors: DefaultVpcAlreadyExists, and the limits of all its parts.
Result<Vpc> create_default_vpc(Scope& scope, const Config& config);

}  // namespace virga::network
