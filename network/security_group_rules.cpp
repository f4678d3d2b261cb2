#include <fmt/format.h>
#include "core/json_values.h"

#include <set>

#include "network/lookup.h"
#include "network/security_groups.h"

namespace virga::network::security_group_rules {

namespace {

#define VIRGA_RULE_SELECT                                                              \
  "SELECT id, group_id, egress, protocol, from_port, to_port, cidr, peer, description" \
  " FROM security_group_rule WHERE account = ?"

SecurityGroupRule rule_of(store::Row& row) {
  return {.id = row.id<SecurityGroupRuleId>(0),
          .group = row.id<SecurityGroupId>(1),
          .direction = row.boolean(2) ? Direction::egress : Direction::ingress,
          .rule = {.protocol = row.text(3),
                   .from_port = row.int32(4),
                   .to_port = row.int32(5),
                   .cidr = row.text(6),
                   .peer = row.id<SecurityGroupId>(7)},
          .description = row.optional_text(8)};
}

nlohmann::json journal_of(const SecurityGroupRule& rule) {
  return {{"group", rule.group},
          {"direction", rule.direction == Direction::egress ? "egress" : "ingress"},
          {"protocol", rule.rule.protocol},
          {"from_port", rule.rule.from_port},
          {"to_port", rule.rule.to_port},
          {"cidr", rule.rule.cidr},
          {"peer", rule.rule.peer},
          {"description", rule.description.value_or("")}};
}

std::optional<VpcId> vpc_of(Scope& scope, const SecurityGroupId& group) {
  return scope.tx.one(
      "SELECT vpc FROM security_group WHERE account = ? AND id = ?", [](store::Row& row) { return row.id<VpcId>(0); },
      scope.account, group);
}

Result<VpcId> find_vpc(Scope& scope, const SecurityGroupId& group) {
  auto vpc = vpc_of(scope, group);
  if (!vpc) return fail(group.not_found());
  return std::move(*vpc);
}

Result<void> check_peer(Scope& scope, const Rule& rule, const VpcId& vpc) {
  if (rule.peer.empty()) return {};
  if (TRY(find_vpc(scope, rule.peer)) != vpc)
    return fail(Code::invalid_group_not_found, "You have specified two resources that belong to different networks.");
  return {};
}

std::optional<SecurityGroupRule> find_equal(Scope& scope, const SecurityGroupId& group, Direction direction,
                                            const Rule& rule) {
  return scope.tx.one(VIRGA_RULE_SELECT
                      " AND group_id = ? AND egress = ? AND protocol = ? AND from_port = ? AND to_port = ?"
                      " AND cidr = ? AND coalesce(peer, '') = ?",
                      rule_of, scope.account, group, direction == Direction::egress, rule.protocol, rule.from_port,
                      rule.to_port, rule.cidr, rule.peer.str());
}

/// EC2's way of naming a rule in a message.
std::string spoken(const Rule& rule) {
  std::string text = fmt::format("peer: {}", rule.peer.empty() ? rule.cidr : rule.peer.str());
  if (rule.protocol == "-1") return text + ", ALL, ALLOW";
  std::string protocol = rule.protocol;
  for (char& c : protocol) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  text += ", " + protocol;
  if (has_ports(rule.protocol)) text += fmt::format(", from port: {}, to port: {}", rule.from_port, rule.to_port);
  return text + ", ALLOW";
}

SecurityGroupRule insert(Scope& scope, const SecurityGroupId& group, Direction direction, const RuleRequest& request) {
  SecurityGroupRule rule{scope.create_resource<SecurityGroupRuleId>().id, group, direction, request.rule,
                         request.description};
  scope.tx.execute(
      "INSERT INTO security_group_rule (id, account, group_id, egress, protocol, from_port, to_port, cidr, peer,"
      " description, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      rule.id, scope.account, group, direction == Direction::egress, rule.rule.protocol, rule.rule.from_port,
      rule.rule.to_port, rule.rule.cidr, rule.rule.peer, rule.description, scope.now);
  scope.record(rule.id.str(), nullptr, journal_of(rule));
  return rule;
}

void erase(Scope& scope, const SecurityGroupRule& rule) {
  scope.tx.execute("DELETE FROM security_group_rule WHERE account = ? AND id = ?", scope.account, rule.id);
  scope.delete_resource(rule.id.str());
  scope.record(rule.id.str(), journal_of(rule), nullptr);
}

}  // namespace

Result<std::vector<SecurityGroupRule>> authorize(Scope& scope, const SecurityGroupId& group, Direction direction,
                                                 const std::vector<RuleRequest>& requests) {
  const auto vpc = TRY(find_vpc(scope, group));
  std::set<Rule> seen;
  for (const auto& request : requests) {
    if (request.description) TRY_VOID(check_text("rule description", *request.description));
    TRY_VOID(check_peer(scope, request.rule, vpc));
    if (!seen.insert(request.rule).second)
      return fail(Code::invalid_parameter_value, "The same permission must not appear multiple times");
    if (find_equal(scope, group, direction, request.rule))
      return fail(Code::invalid_permission_duplicate,
                  fmt::format("the specified rule \"{}\" already exists", spoken(request.rule)));
  }
  const auto limit = quota::limit(scope, quota::Name::rules_per_security_group);
  const auto count =
      scope.tx.number("SELECT count(*) FROM security_group_rule WHERE account = ? AND group_id = ? AND egress = ?",
                      scope.account, group, direction == Direction::egress);
  const auto more = static_cast<std::int64_t>(requests.size());
  if (more > limit - count) return fail(quota::exceeded(quota::Name::rules_per_security_group, limit, count, more));
  std::vector<SecurityGroupRule> made;
  for (const auto& request : requests) made.push_back(insert(scope, group, direction, request));
  scope.touch(DocumentKind::vpc, vpc.str());
  return made;
}

Result<std::vector<SecurityGroupRule>> revoke(Scope& scope, const SecurityGroupId& group, Direction direction,
                                              const std::vector<Rule>& rules) {
  const auto vpc = TRY(find_vpc(scope, group));
  std::vector<SecurityGroupRule> revoked;
  for (const auto& rule : std::set<Rule>(rules.begin(), rules.end())) {
    auto found = find_equal(scope, group, direction, rule);
    if (!found)
      return fail(Code::invalid_permission_not_found, "The specified rule does not exist in this security group.");
    revoked.push_back(std::move(*found));
  }
  for (const auto& rule : revoked) erase(scope, rule);
  scope.touch(DocumentKind::vpc, vpc.str());
  return revoked;
}

Result<std::vector<SecurityGroupRule>> revoke_by_id(Scope& scope, const SecurityGroupId& group, Direction direction,
                                                    const std::vector<SecurityGroupRuleId>& ids) {
  const auto vpc = TRY(find_vpc(scope, group));
  auto revoked = TRY(find_each(ids, [&](const SecurityGroupRuleId& id) -> Result<SecurityGroupRule> {
    auto rule = find(scope, id);
    // A rule of another group, or of the other direction, is no rule of this request's.
    if (rule && (rule->group != group || rule->direction != direction)) return fail(id.not_found());
    return rule;
  }));
  for (const auto& rule : revoked) erase(scope, rule);
  scope.touch(DocumentKind::vpc, vpc.str());
  return revoked;
}

Result<SecurityGroupRule> find(Scope& scope, const SecurityGroupRuleId& id) {
  auto rule = scope.tx.one(VIRGA_RULE_SELECT " AND id = ?", rule_of, scope.account, id);
  if (!rule) return fail(id.not_found());
  return std::move(*rule);
}

Result<std::vector<SecurityGroupRule>> list(Scope& scope, const std::vector<SecurityGroupRuleId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const SecurityGroupRuleId& id) { return find(scope, id); });
  return scope.tx.all(VIRGA_RULE_SELECT " ORDER BY id", rule_of, scope.account);
}

std::vector<SecurityGroupRule> of_group(Scope& scope, const SecurityGroupId& group) {
  return scope.tx.all(VIRGA_RULE_SELECT
                      " AND group_id = ? ORDER BY egress, protocol, from_port, to_port, cidr, coalesce(peer, '')",
                      rule_of, scope.account, group);
}

void remove_all(Scope& scope, const SecurityGroupId& group) {
  for (const auto& rule : of_group(scope, group)) erase(scope, rule);
}

}  // namespace virga::network::security_group_rules
