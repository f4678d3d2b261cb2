#pragma once

// Security groups and their rules. Groups are of one VPC; rules may refer to groups of the same VPC. The group named
// "default" comes and goes with its VPC.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"
#include "network/security_rules.h"

namespace virga::network {

enum class Direction { ingress, egress };

struct SecurityGroupRule {
  SecurityGroupRuleId id;
  SecurityGroupId group;
  Direction direction = Direction::ingress;
  Rule rule;
  std::optional<std::string> description;
};

struct SecurityGroup {
  SecurityGroupId id;
  std::uint32_t number = 0;
  VpcId vpc;
  std::string name;
  std::string description;
  std::vector<SecurityGroupRule> rules;  ///< ingress first, then by what they say
};

inline constexpr std::string_view default_group_name = "default";

struct SecurityGroupRequest {
  VpcId vpc;
  std::string name;
  std::string description;
};

namespace security_groups {
/// A new group lets everything out and nothing in.
/// Errors: InvalidVpcID.NotFound, InvalidParameterValue (name, description), InvalidGroup.Duplicate,
/// SecurityGroupLimitExceeded.
Result<SecurityGroup> create(Scope& scope, const SecurityGroupRequest& request);
/// Errors: InvalidGroup.NotFound.
Result<SecurityGroup> find(Scope& scope, const SecurityGroupId& id);
Result<SecurityGroup> find_by_name(Scope& scope, const VpcId& vpc, const std::string& name);
Result<std::vector<SecurityGroup>> list(Scope& scope, const std::vector<SecurityGroupId>& ids = {});
/// Errors: InvalidGroup.NotFound, CannotDelete (the default group), DependencyViolation (in use, or referred to).
Result<void> remove(Scope& scope, const SecurityGroupId& id);

// Parts of a VPC's life. The default group admits its own members, and lets everything out.
Result<void> create_default(Scope& scope, const VpcId& vpc);
void remove_default(Scope& scope, const VpcId& vpc);
}  // namespace security_groups

struct RuleRequest {
  Rule rule;
  std::optional<std::string> description;
};

/// What a rule that exists shall be; the request takes the place of all that it said.
struct RuleChange {
  SecurityGroupRuleId id;
  RuleRequest wanted;
};

/// A rule's new description; none: it loses the one it had.
struct RuleDescription {
  SecurityGroupRuleId id;
  std::optional<std::string> description;
};

namespace security_group_rules {
/// Errors: InvalidGroup.NotFound (the group, or one referred to), InvalidParameterValue (description; a rule given
/// twice), InvalidPermission.Duplicate, RulesPerSecurityGroupLimitExceeded (each direction counts by itself).
Result<std::vector<SecurityGroupRule>> authorize(Scope& scope, const SecurityGroupId& group, Direction direction,
                                                 const std::vector<RuleRequest>& requests);
/// All or none. Errors: InvalidGroup.NotFound, InvalidPermission.NotFound.
Result<std::vector<SecurityGroupRule>> revoke(Scope& scope, const SecurityGroupId& group, Direction direction,
                                              const std::vector<Rule>& rules);
/// All or none. Errors: InvalidGroup.NotFound, InvalidSecurityGroupRuleId.NotFound.
Result<std::vector<SecurityGroupRule>> revoke_by_id(Scope& scope, const SecurityGroupId& group, Direction direction,
                                                    const std::vector<SecurityGroupRuleId>& ids);
/// All or none, at once: two rules may change places. A rule keeps its id, its direction and the kind of its other end.
/// Errors: InvalidGroup.NotFound (the group, or one referred to), InvalidSecurityGroupRuleId.NotFound,
/// InvalidParameterValue (description, another kind of other end, a rule given twice), InvalidPermission.Duplicate.
Result<void> modify(Scope& scope, const SecurityGroupId& group, const std::vector<RuleChange>& changes);
/// All or none. Errors: InvalidSecurityGroupRuleId.NotFound (also: of another group or direction),
/// InvalidParameterValue (description, a rule given twice).
Result<void> describe(Scope& scope, const SecurityGroupId& group, Direction direction,
                      const std::vector<RuleDescription>& descriptions);
/// The rule of the group that says exactly this. Errors: InvalidPermission.NotFound.
Result<SecurityGroupRule> find_same(Scope& scope, const SecurityGroupId& group, Direction direction, const Rule& rule);
/// Errors: InvalidSecurityGroupRuleId.NotFound.
Result<SecurityGroupRule> find(Scope& scope, const SecurityGroupRuleId& id);
Result<std::vector<SecurityGroupRule>> list(Scope& scope, const std::vector<SecurityGroupRuleId>& ids = {});
/// Of one group, in a group's order.
std::vector<SecurityGroupRule> of_group(Scope& scope, const SecurityGroupId& group);
/// Part of a group's removal.
void remove_all(Scope& scope, const SecurityGroupId& group);
}  // namespace security_group_rules

}  // namespace virga::network
