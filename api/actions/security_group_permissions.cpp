#include "api/actions/security_group_permissions.h"

#include <fmt/format.h>

#include "api/actions/network_shapes.h"
#include "network/vpcs.h"

namespace virga::api {

namespace {

using network::Direction;
using network::RuleRequest;

/// Another account's groups do not exist for this one, and neither do groups of another VPC.
Result<SecurityGroupId> peer_of(Call& call, const VpcId& vpc, const ec2::UserIdGroupPair& pair) {
  const bool own = pair.user_id.value_or(call.scope().account.str()) == call.scope().account.str();
  if (pair.group_id && pair.group_name)
    return fail(Code::invalid_parameter_combination, "A group is given by groupId or by groupName, not by both.");
  if (pair.vpc_id && *pair.vpc_id != vpc.str())
    return fail(Code::invalid_group_not_found, "You have specified two resources that belong to different networks.");
  if (pair.group_id) {
    auto id = TRY(SecurityGroupId::parse(*pair.group_id));
    if (!own) return fail(id.not_found());
    return id;
  }
  if (!pair.group_name)
    return fail(Code::missing_parameter, "The request must contain the parameter groupName or groupId");
  if (!own) return fail(SecurityGroupId::not_found(*pair.group_name));
  return TRY(network::security_groups::find_by_name(call.scope(), vpc, *pair.group_name)).id;
}

RuleRequest rule_with(const network::PortRange& ports, std::string cidr, SecurityGroupId peer,
                      const std::optional<std::string>& description) {
  return {{.protocol = ports.protocol,
           .from_port = ports.from_port,
           .to_port = ports.to_port,
           .cidr = std::move(cidr),
           .peer = std::move(peer)},
          description && description->empty() ? std::nullopt : description};
}

/// Ports as SecurityGroupRule shows them: -1 where the protocol has none.
template <class Shape>
void set_common(Shape& shape, const network::SecurityGroupRule& rule) {
  shape.security_group_rule_id = rule.id.str();
  shape.group_id = rule.group.str();
  shape.is_egress = rule.direction == Direction::egress;
  shape.ip_protocol = rule.rule.protocol;
  shape.from_port = rule.rule.from_port;
  shape.to_port = rule.rule.to_port;
  if (!rule.rule.cidr.empty()) (rule.rule.ipv6() ? shape.cidr_ipv6 : shape.cidr_ipv4) = rule.rule.cidr;
  shape.description = rule.description;
}

}  // namespace

/// Names of groups without a VPC mean groups of the default VPC.
Result<VpcId> default_vpc(Call& call) {
  if (const auto vpc = network::vpcs::find_default(call.scope())) return vpc->id;
  return fail(Code::vpc_id_not_specified,
              "No default VPC for this user: group names without a VPC belong to the default VPC. Use ids.");
}

Result<network::SecurityGroup> find_group(Call& call, const std::optional<std::string>& id,
                                          const std::optional<std::string>& name) {
  if (id && name) return fail(Code::invalid_parameter_combination, "Only one of groupId and groupName may be given.");
  if (id) {
    const auto parsed = TRY(SecurityGroupId::parse(*id));
    return network::security_groups::find(call.scope(), parsed);
  }
  if (!name) return fail(Code::missing_parameter, "The request must contain the parameter groupName or groupId");
  const auto vpc = TRY(default_vpc(call));
  return network::security_groups::find_by_name(call.scope(), vpc, *name);
}

Result<std::vector<RuleRequest>> rules_of(Call& call, const VpcId& vpc,
                                          const std::vector<ec2::IpPermission>& permissions) {
  std::vector<RuleRequest> rules;
  for (const auto& permission : permissions) {
    const auto ports =
        TRY(network::canonical_ports(permission.ip_protocol.value_or(""), permission.from_port, permission.to_port));
    const auto before = rules.size();
    for (const auto& range : permission.ip_ranges)
      rules.push_back(
          rule_with(ports, TRY(network::canonical_ipv4_range(range.cidr_ip.value_or(""))), {}, range.description));
    for (const auto& range : permission.ipv6_ranges)
      rules.push_back(
          rule_with(ports, TRY(network::canonical_ipv6_range(range.cidr_ipv6.value_or(""))), {}, range.description));
    for (const auto& pair : permission.user_id_group_pairs)
      rules.push_back(rule_with(ports, {}, TRY(peer_of(call, vpc, pair)), pair.description));
    if (rules.size() == before)
      return fail(Code::missing_parameter, "Each permission must name at least one IP range or security group.");
  }
  return rules;
}

std::vector<ec2::IpPermission> permissions_of(Call& call, const network::SecurityGroup& group, Direction direction) {
  std::vector<ec2::IpPermission> permissions;
  const network::Rule* previous = nullptr;
  for (const auto& [id, owner, way, rule, description] : group.rules) {
    if (way != direction) continue;
    const bool same = previous != nullptr && previous->protocol == rule.protocol &&
                      previous->from_port == rule.from_port && previous->to_port == rule.to_port;
    previous = &rule;
    if (!same) {
      auto& fresh = permissions.emplace_back();
      fresh.ip_protocol = rule.protocol;
      if (network::has_ports(rule.protocol)) {
        fresh.from_port = rule.from_port;
        fresh.to_port = rule.to_port;
      }
    }
    auto& permission = permissions.back();
    if (!rule.peer.empty()) {
      auto& pair = permission.user_id_group_pairs.emplace_back();
      pair.description = description;
      pair.user_id = call.scope().account.str();
      pair.group_id = rule.peer.str();
    } else if (rule.ipv6()) {
      permission.ipv6_ranges.push_back({.description = description, .cidr_ipv6 = rule.cidr});
    } else {
      permission.ip_ranges.push_back({.description = description, .cidr_ip = rule.cidr});
    }
  }
  return permissions;
}

Hidden peer_names_of(Call& call, const network::SecurityGroup& group) {
  Hidden hidden;
  for (const auto& rule : group.rules) {
    if (rule.rule.peer.empty()) continue;
    const auto peer = rule.rule.peer == group.id ? group : network::security_groups::find(call.scope(), rule.rule.peer);
    if (!peer) continue;
    hidden.emplace(rule.direction == Direction::egress ? "egress.ip-permission.group-name" : "ip-permission.group-name",
                   peer->name);
  }
  return hidden;
}

ec2::SecurityGroupRule to_ec2(Call& call, const network::SecurityGroupRule& rule) {
  ec2::SecurityGroupRule shape;
  set_common(shape, rule);
  shape.group_owner_id = call.scope().account.str();
  if (!rule.rule.peer.empty()) {
    auto& peer = shape.referenced_group_info.emplace();
    peer.group_id = rule.rule.peer.str();
    peer.user_id = call.scope().account.str();
  }
  shape.tags = tag_set(call, rule.id.str());
  shape.security_group_rule_arn = arn(call, "security-group-rule", rule.id.str());
  return shape;
}

ec2::RevokedSecurityGroupRule to_revoked(const network::SecurityGroupRule& rule) {
  ec2::RevokedSecurityGroupRule shape;
  set_common(shape, rule);
  if (!rule.rule.peer.empty()) shape.referenced_group_id = rule.rule.peer.str();
  return shape;
}

}  // namespace virga::api
