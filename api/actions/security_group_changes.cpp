#include "api/actions/security_group_changes.h"

#include "api/actions/ids.h"
#include "api/actions/security_group_permissions.h"
#include "ec2/op/ModifySecurityGroupRules.h"
#include "ec2/op/UpdateSecurityGroupRuleDescriptionsEgress.h"
#include "ec2/op/UpdateSecurityGroupRuleDescriptionsIngress.h"

namespace virga::api {

namespace {

namespace rules = network::security_group_rules;
using network::Direction;

/// Nothing where the text is empty, which is how a description is taken away.
std::optional<std::string> description_of(const std::optional<std::string>& text) {
  return text && text->empty() ? std::nullopt : text;
}

/// The rule as the request describes it: all of it, since nothing of the old one stays.
Result<network::RuleRequest> wanted_rule(const ec2::SecurityGroupRuleRequest& request) {
  const int ends = int{request.cidr_ipv4.has_value()} + int{request.cidr_ipv6.has_value()} +
                   int{request.referenced_group_id.has_value()};
  if (ends == 0)
    return fail(Code::missing_parameter,
                "A rule needs one of the parameters CidrIpv4, CidrIpv6 and ReferencedGroupId.");
  if (ends > 1)
    return fail(Code::invalid_parameter_combination,
                "Only one of CidrIpv4, CidrIpv6 and ReferencedGroupId may be given for a rule.");
  auto ports = TRY(network::canonical_ports(request.ip_protocol.value_or(""), request.from_port, request.to_port));
  network::RuleRequest wanted;
  wanted.rule.protocol = std::move(ports.protocol);
  wanted.rule.from_port = ports.from_port;
  wanted.rule.to_port = ports.to_port;
  if (request.cidr_ipv4) wanted.rule.cidr = TRY(network::canonical_ipv4_range(*request.cidr_ipv4));
  if (request.cidr_ipv6) wanted.rule.cidr = TRY(network::canonical_ipv6_range(*request.cidr_ipv6));
  if (request.referenced_group_id) wanted.rule.peer = TRY(SecurityGroupId::parse(*request.referenced_group_id));
  wanted.description = description_of(request.description);
  return wanted;
}

Result<ec2::ModifySecurityGroupRulesResult> modify_rules(Call& call,
                                                         const ec2::ModifySecurityGroupRulesRequest& request) {
  const auto group = TRY(SecurityGroupId::parse(request.group_id.value_or("")));
  std::vector<network::RuleChange> changes;
  for (const auto& update : request.security_group_rules) {
    auto id = TRY(SecurityGroupRuleId::parse(update.security_group_rule_id.value_or("")));
    if (!update.security_group_rule)
      return fail(Code::missing_parameter, "The request must contain the parameter SecurityGroupRule.");
    auto wanted = TRY(wanted_rule(*update.security_group_rule));
    changes.push_back({std::move(id), std::move(wanted)});
  }
  TRY_VOID(rules::modify(call.scope(), group, changes));
  ec2::ModifySecurityGroupRulesResult response;
  response.return_ = true;
  return response;
}

/// Rules are named by what they say, with the new description beside it, or by their ids.
template <class Request>
Result<std::vector<network::RuleDescription>> descriptions_of(Call& call, const network::SecurityGroup& group,
                                                              Direction direction, const Request& request) {
  if (request.ip_permissions.empty() == request.security_group_rule_descriptions.empty())
    return fail(request.ip_permissions.empty() ? Code::missing_parameter : Code::invalid_parameter_combination,
                "The request must contain either ipPermissions or securityGroupRuleDescriptions.");
  std::vector<network::RuleDescription> descriptions;
  for (const auto& given : request.security_group_rule_descriptions) {
    auto id = TRY(SecurityGroupRuleId::parse(given.security_group_rule_id.value_or("")));
    descriptions.push_back({std::move(id), description_of(given.description)});
  }
  for (const auto& wanted : TRY(rules_of(call, group.vpc, request.ip_permissions))) {
    const auto rule = TRY(rules::find_same(call.scope(), group.id, direction, wanted.rule));
    descriptions.push_back({rule.id, wanted.description});
  }
  return descriptions;
}

template <class Answer, class Request>
Result<Answer> update_descriptions(Call& call, Direction direction, const Request& request) {
  const auto group = TRY(find_group(call, request.group_id, request.group_name));
  const auto descriptions = TRY(descriptions_of(call, group, direction, request));
  TRY_VOID(rules::describe(call.scope(), group.id, direction, descriptions));
  Answer response;
  response.return_ = true;
  return response;
}

Result<ec2::UpdateSecurityGroupRuleDescriptionsIngressResult> update_ingress(
    Call& call, const ec2::UpdateSecurityGroupRuleDescriptionsIngressRequest& request) {
  return update_descriptions<ec2::UpdateSecurityGroupRuleDescriptionsIngressResult>(call, Direction::ingress, request);
}

Result<ec2::UpdateSecurityGroupRuleDescriptionsEgressResult> update_egress(
    Call& call, const ec2::UpdateSecurityGroupRuleDescriptionsEgressRequest& request) {
  return update_descriptions<ec2::UpdateSecurityGroupRuleDescriptionsEgressResult>(call, Direction::egress, request);
}

const std::vector<std::string_view> refused_permissions = {"IpPermissions.PrefixListIds",
                                                           "IpPermissions.UserIdGroupPairs.VpcPeeringConnectionId",
                                                           "IpPermissions.UserIdGroupPairs.PeeringStatus"};

}  // namespace

std::vector<Action> security_group_change_actions() {
  return {action("ModifySecurityGroupRules", Access::write, &modify_rules,
                 {.refused = {"SecurityGroupRules.SecurityGroupRule.PrefixListId"}}),
          action("UpdateSecurityGroupRuleDescriptionsIngress", Access::write, &update_ingress,
                 {.refused = refused_permissions}),
          action("UpdateSecurityGroupRuleDescriptionsEgress", Access::write, &update_egress,
                 {.refused = refused_permissions})};
}

}  // namespace virga::api
