#pragma once

// Security group rules in the shapes of the API: IpPermission (several rules in one) and SecurityGroupRule.

#include <optional>
#include <string>
#include <vector>

#include "api/call.h"
#include "ec2/shape/IpPermission.h"
#include "ec2/shape/RevokedSecurityGroupRule.h"
#include "ec2/shape/SecurityGroupRule.h"
#include "network/security_groups.h"

namespace virga::api {

/// The VPC that names of groups belong to when no VPC is given. Errors: VPCIdNotSpecified.
Result<VpcId> default_vpc(Call& call);

/// The group a request is about, by its id or by its name in the default VPC.
/// Errors: InvalidParameterCombination (both), MissingParameter (neither), InvalidGroupId.Malformed,
/// InvalidGroup.NotFound, VPCIdNotSpecified.
Result<network::SecurityGroup> find_group(Call& call, const std::optional<std::string>& id,
                                          const std::optional<std::string>& name);

/// The rules that permissions stand for, in canonical form, groups resolved by id or by name within the VPC.
/// Errors: InvalidParameterValue, MissingParameter (nothing at the other end), InvalidGroup.NotFound.
Result<std::vector<network::RuleRequest>> rules_of(Call& call, const VpcId& vpc,
                                                   const std::vector<ec2::IpPermission>& permissions);

/// The rules of one direction, those with equal protocol and ports in one permission, as Describe shows them.
std::vector<ec2::IpPermission> permissions_of(Call& call, const network::SecurityGroup& group,
                                              network::Direction direction);

/// What the filters ip-permission.group-name look at: answers tell of the groups at a rule's other end by id only.
Hidden peer_names_of(Call& call, const network::SecurityGroup& group);

ec2::SecurityGroupRule to_ec2(Call& call, const network::SecurityGroupRule& rule);
ec2::RevokedSecurityGroupRule to_revoked(const network::SecurityGroupRule& rule);

}  // namespace virga::api
