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

/// The rules that permissions stand for, in canonical form, groups resolved by id or by name within the VPC.
/// Errors: InvalidParameterValue, MissingParameter (nothing at the other end), InvalidGroup.NotFound.
Result<std::vector<network::RuleRequest>> rules_of(Call& call, const VpcId& vpc,
                                                   const std::vector<ec2::IpPermission>& permissions);

/// The rules of one direction, those with equal protocol and ports in one permission, as Describe shows them.
std::vector<ec2::IpPermission> permissions_of(Call& call, const network::SecurityGroup& group,
                                              network::Direction direction);

ec2::SecurityGroupRule to_ec2(Call& call, const network::SecurityGroupRule& rule);
ec2::RevokedSecurityGroupRule to_revoked(const network::SecurityGroupRule& rule);

}  // namespace virga::api
