#include <fmt/format.h>

#include <tuple>

#include "api/action.h"
#include "api/actions/network_shapes.h"
#include "api/actions/security_group_changes.h"
#include "api/actions/security_group_permissions.h"
#include "ec2/op/AuthorizeSecurityGroupEgress.h"
#include "ec2/op/AuthorizeSecurityGroupIngress.h"
#include "ec2/op/CreateSecurityGroup.h"
#include "ec2/op/DeleteSecurityGroup.h"
#include "ec2/op/DescribeSecurityGroupRules.h"
#include "ec2/op/DescribeSecurityGroups.h"
#include "ec2/op/RevokeSecurityGroupEgress.h"
#include "ec2/op/RevokeSecurityGroupIngress.h"

namespace virga::api {

namespace {

namespace groups = network::security_groups;
namespace rules = network::security_group_rules;
using network::Direction;

ec2::SecurityGroup to_ec2(Call& call, const network::SecurityGroup& group) {
  ec2::SecurityGroup shape;
  shape.group_id = group.id.str();
  shape.ip_permissions_egress = permissions_of(call, group, Direction::egress);
  shape.tags = tag_set(call, group.id.str());
  shape.vpc_id = group.vpc.str();
  shape.security_group_arn = arn(call, "security-group", group.id.str());
  shape.owner_id = call.scope().account.str();
  shape.group_name = group.name;
  shape.description = group.description;
  shape.ip_permissions = permissions_of(call, group, Direction::ingress);
  return shape;
}

Result<ec2::CreateSecurityGroupResult> create_group(Call& call, const ec2::CreateSecurityGroupRequest& request) {
  const auto tags = TRY(tags_for(request.tag_specifications, SecurityGroupId::resource_type));
  const auto vpc = request.vpc_id ? TRY(VpcId::parse(*request.vpc_id)) : TRY(default_vpc(call));
  const auto group = TRY(groups::create(
      call.scope(),
      {.vpc = vpc, .name = request.group_name.value_or(""), .description = request.description.value_or("")}));
  TRY_VOID(tags::put(call.scope(), group.id.str(), tags));
  ec2::CreateSecurityGroupResult response;
  response.group_id = group.id.str();
  response.tags = tag_set(call, group.id.str());
  response.security_group_arn = arn(call, "security-group", group.id.str());
  return response;
}

Result<ec2::DescribeSecurityGroupsResult> describe_groups(Call& call,
                                                          const ec2::DescribeSecurityGroupsRequest& request) {
  auto ids = TRY(parse_ids<SecurityGroupId>(request.group_ids));
  for (const auto& name : request.group_names) {
    const auto group = TRY(find_group(call, std::nullopt, name));
    ids.push_back(group.id);
  }
  const auto found = TRY(groups::list(call.scope(), ids));
  auto page = call.listing<ec2::SecurityGroup>();
  for (const auto& group : found)
    if (!page.offer(group.id.str(), to_ec2(call, group), peer_names_of(call, group))) break;
  ec2::DescribeSecurityGroupsResult response;
  response.security_groups = page.take();
  return response;
}

Result<ec2::DeleteSecurityGroupResult> delete_group(Call& call, const ec2::DeleteSecurityGroupRequest& request) {
  const auto group = TRY(find_group(call, request.group_id, request.group_name));
  TRY_VOID(groups::remove(call.scope(), group.id));
  ec2::DeleteSecurityGroupResult response;
  response.return_ = true;
  response.group_id = group.id.str();
  return response;
}

/// A group as source without protocol and ports: everything of TCP, UDP and ICMP from it.
std::vector<ec2::IpPermission> all_from(const ec2::UserIdGroupPair& pair) {
  std::vector<ec2::IpPermission> permissions;
  for (const auto& [protocol, first, last] : {std::tuple{"tcp", 0, 65535}, {"udp", 0, 65535}, {"icmp", -1, -1}}) {
    auto& permission = permissions.emplace_back();
    permission.ip_protocol = protocol;
    permission.from_port = first;
    permission.to_port = last;
    permission.user_id_group_pairs = {pair};
  }
  return permissions;
}

/// The permissions of a request: the list, or those that the flat members spell out.
template <class Request>
Result<std::vector<ec2::IpPermission>> ingress_permissions(const Request& request) {
  const bool ports = request.ip_protocol || request.from_port || request.to_port;
  if (!ports && !request.cidr_ip && !request.source_security_group_name && !request.source_security_group_owner_id)
    return request.ip_permissions;
  if (!request.ip_permissions.empty())
    return fail(Code::invalid_parameter_combination,
                "ipPermissions may not be given together with a rule's own members.");
  if (request.cidr_ip && request.source_security_group_name)
    return fail(Code::invalid_parameter_combination, "Only one of cidrIp and sourceSecurityGroupName may be given.");
  if (request.source_security_group_owner_id && !request.source_security_group_name)
    return fail(Code::missing_parameter, "The request must contain the parameter sourceSecurityGroupName");
  ec2::UserIdGroupPair pair;
  pair.group_name = request.source_security_group_name;
  pair.user_id = request.source_security_group_owner_id;
  if (pair.group_name && !ports) return all_from(pair);
  ec2::IpPermission permission;
  permission.ip_protocol = request.ip_protocol;
  permission.from_port = request.from_port;
  permission.to_port = request.to_port;
  if (request.cidr_ip) permission.ip_ranges.emplace_back().cidr_ip = request.cidr_ip;
  if (pair.group_name) permission.user_id_group_pairs = {pair};
  return std::vector{std::move(permission)};
}

template <class Result_, class Request>
Result<Result_> authorize(Call& call, const Request& request, const network::SecurityGroup& group, Direction direction,
                          const std::vector<ec2::IpPermission>& permissions) {
  if (permissions.empty()) return fail(Code::missing_parameter, "The request must contain the parameter ipPermissions");
  const auto tags = TRY(tags_for(request.tag_specifications, SecurityGroupRuleId::resource_type));
  const auto wanted = TRY(rules_of(call, group.vpc, permissions));
  const auto made = TRY(rules::authorize(call.scope(), group.id, direction, wanted));
  Result_ response;
  response.return_ = true;
  for (const auto& rule : made) {
    TRY_VOID(tags::put(call.scope(), rule.id.str(), tags));
    response.security_group_rules.push_back(to_ec2(call, rule));
  }
  return response;
}

Result<ec2::AuthorizeSecurityGroupIngressResult> authorize_ingress(
    Call& call, const ec2::AuthorizeSecurityGroupIngressRequest& request) {
  const auto group = TRY(find_group(call, request.group_id, request.group_name));
  const auto permissions = TRY(ingress_permissions(request));
  return authorize<ec2::AuthorizeSecurityGroupIngressResult>(call, request, group, Direction::ingress, permissions);
}

Result<ec2::AuthorizeSecurityGroupEgressResult> authorize_egress(
    Call& call, const ec2::AuthorizeSecurityGroupEgressRequest& request) {
  const auto group = TRY(find_group(call, request.group_id, std::nullopt));
  return authorize<ec2::AuthorizeSecurityGroupEgressResult>(call, request, group, Direction::egress,
                                                            request.ip_permissions);
}

template <class Result_, class Request>
Result<Result_> revoke(Call& call, const Request& request, const network::SecurityGroup& group, Direction direction,
                       const std::vector<ec2::IpPermission>& permissions) {
  if (permissions.empty() == request.security_group_rule_ids.empty())
    return fail(permissions.empty() ? Code::missing_parameter : Code::invalid_parameter_combination,
                "The request must contain either ipPermissions or securityGroupRuleIds.");
  std::vector<network::SecurityGroupRule> revoked;
  if (permissions.empty()) {
    const auto ids = TRY(parse_ids<SecurityGroupRuleId>(request.security_group_rule_ids));
    revoked = TRY(rules::revoke_by_id(call.scope(), group.id, direction, ids));
  } else {
    const auto requests = TRY(rules_of(call, group.vpc, permissions));
    std::vector<network::Rule> wanted;  // a description is no part of what a rule is found by
    for (const auto& item : requests) wanted.push_back(item.rule);
    revoked = TRY(rules::revoke(call.scope(), group.id, direction, wanted));
  }
  Result_ response;
  response.return_ = true;
  for (const auto& rule : revoked) response.revoked_security_group_rules.push_back(to_revoked(rule));
  return response;
}

Result<ec2::RevokeSecurityGroupIngressResult> revoke_ingress(Call& call,
                                                             const ec2::RevokeSecurityGroupIngressRequest& request) {
  const auto group = TRY(find_group(call, request.group_id, request.group_name));
  const auto permissions = TRY(ingress_permissions(request));
  return revoke<ec2::RevokeSecurityGroupIngressResult>(call, request, group, Direction::ingress, permissions);
}

Result<ec2::RevokeSecurityGroupEgressResult> revoke_egress(Call& call,
                                                           const ec2::RevokeSecurityGroupEgressRequest& request) {
  const auto group = TRY(find_group(call, request.group_id, std::nullopt));
  return revoke<ec2::RevokeSecurityGroupEgressResult>(call, request, group, Direction::egress, request.ip_permissions);
}

Result<ec2::DescribeSecurityGroupRulesResult> describe_rules(Call& call,
                                                             const ec2::DescribeSecurityGroupRulesRequest& request) {
  const auto ids = TRY(parse_ids<SecurityGroupRuleId>(request.security_group_rule_ids));
  const auto found = TRY(rules::list(call.scope(), ids));
  auto page = call.listing<ec2::SecurityGroupRule>();
  for (const auto& rule : found)
    if (!page.offer(rule.id.str(), to_ec2(call, rule))) break;
  ec2::DescribeSecurityGroupRulesResult response;
  response.security_group_rules = page.take();
  return response;
}

/// Prefix lists and peerings do not exist here; the flat form of egress rules does not exist on EC2 either.
const std::vector<std::string_view> refused_of_ingress = {"IpPermissions.PrefixListIds",
                                                          "IpPermissions.UserIdGroupPairs.VpcPeeringConnectionId",
                                                          "IpPermissions.UserIdGroupPairs.PeeringStatus"};
const std::vector<std::string_view> refused_of_egress = {"IpPermissions.PrefixListIds",
                                                         "IpPermissions.UserIdGroupPairs.VpcPeeringConnectionId",
                                                         "IpPermissions.UserIdGroupPairs.PeeringStatus",
                                                         "SourceSecurityGroupName",
                                                         "SourceSecurityGroupOwnerId",
                                                         "IpProtocol",
                                                         "FromPort",
                                                         "ToPort",
                                                         "CidrIp"};

}  // namespace

std::vector<Action> security_group_actions() {
  std::vector<Action> actions = {
      action("CreateSecurityGroup", Access::write, &create_group),
      action("DescribeSecurityGroups", Access::read, &describe_groups),
      action("DeleteSecurityGroup", Access::write, &delete_group),
      action("AuthorizeSecurityGroupIngress", Access::write, &authorize_ingress, {.refused = refused_of_ingress}),
      action("AuthorizeSecurityGroupEgress", Access::write, &authorize_egress, {.refused = refused_of_egress}),
      action("RevokeSecurityGroupIngress", Access::write, &revoke_ingress, {.refused = refused_of_ingress}),
      action("RevokeSecurityGroupEgress", Access::write, &revoke_egress, {.refused = refused_of_egress}),
      action("DescribeSecurityGroupRules", Access::read, &describe_rules)};
  for (auto& row : security_group_change_actions()) actions.push_back(std::move(row));
  return actions;
}

}  // namespace virga::api
