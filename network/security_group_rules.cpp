#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>
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

Error already_exists(const Rule& rule) {
  return {
      Code::invalid_permission_duplicate, fmt::format("the specified rule \"{}\" already exists", spoken(rule)), {}};
}

/// EC2 lets a rule's other end change, not what kind of thing it is.
Result<void> check_kind(const SecurityGroupRule& old, const Rule& wanted) {
  if (old.rule.peer.empty() == wanted.peer.empty() && old.rule.ipv6() == wanted.ipv6()) return {};
  return fail(Code::invalid_parameter_value,
              fmt::format("The type of the rule {} cannot be changed: revoke it and authorize another.", old.id.str()));
}

/// The rules that change, as they are. Each may be given once.
template <class Change>
Result<std::vector<SecurityGroupRule>> find_changed(Scope& scope, const SecurityGroupId& group,
                                                    const std::vector<Change>& changes) {
  std::vector<SecurityGroupRule> found;
  std::set<SecurityGroupRuleId> seen;
  for (const auto& change : changes) {
    auto rule = TRY(find(scope, change.id));
    if (rule.group != group) return fail(change.id.not_found());
    if (!seen.insert(change.id).second)
      return fail(Code::invalid_parameter_value, fmt::format("The rule {} is given more than once.", change.id.str()));
    found.push_back(std::move(rule));
  }
  return found;
}

/// No two rules of the group may say the same afterwards.
Result<void> check_unique(Scope& scope, const std::vector<SecurityGroupRule>& old,
                          const std::vector<RuleChange>& changes) {
  const auto changes_too = [&](const SecurityGroupRuleId& id) {
    return std::ranges::count(changes, id, &RuleChange::id);
  };
  std::set<std::pair<Direction, Rule>> seen;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& rule = changes[i].wanted.rule;
    if (!seen.emplace(old[i].direction, rule).second) return fail(already_exists(rule));
    const auto equal = find_equal(scope, old[i].group, old[i].direction, rule);
    if (equal && changes_too(equal->id) == 0) return fail(already_exists(rule));
  }
  return {};
}

void update(Scope& scope, const SecurityGroupRule& old, const RuleRequest& wanted) {
  scope.tx.execute(
      "UPDATE security_group_rule SET protocol = ?, from_port = ?, to_port = ?, cidr = ?, peer = ?, description = ?"
      " WHERE account = ? AND id = ?",
      wanted.rule.protocol, wanted.rule.from_port, wanted.rule.to_port, wanted.rule.cidr, wanted.rule.peer,
      wanted.description, scope.account, old.id);
  auto changed = old;
  changed.rule = wanted.rule;
  changed.description = wanted.description;
  scope.record(old.id.str(), journal_of(old), journal_of(changed));
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
    if (find_equal(scope, group, direction, request.rule)) return fail(already_exists(request.rule));
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
  for (const auto& rule : std::set<Rule>(rules.begin(), rules.end()))
    revoked.push_back(TRY(find_same(scope, group, direction, rule)));
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

Result<void> modify(Scope& scope, const SecurityGroupId& group, const std::vector<RuleChange>& changes) {
  const auto vpc = TRY(find_vpc(scope, group));
  const auto old = TRY(find_changed(scope, group, changes));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& wanted = changes[i].wanted;
    if (wanted.description) TRY_VOID(check_text("rule description", *wanted.description));
    TRY_VOID(check_kind(old[i], wanted.rule));
    TRY_VOID(check_peer(scope, wanted.rule, vpc));
  }
  TRY_VOID(check_unique(scope, old, changes));
  // Out of each other's way first: no rule may say what another one still says, and they may be changing places.
  for (const auto& rule : old)
    scope.tx.execute("UPDATE security_group_rule SET protocol = id WHERE account = ? AND id = ?", scope.account,
                     rule.id);
  for (std::size_t i = 0; i < changes.size(); ++i) update(scope, old[i], changes[i].wanted);
  scope.touch(DocumentKind::vpc, vpc.str());
  return {};
}

Result<void> describe(Scope& scope, const SecurityGroupId& group, Direction direction,
                      const std::vector<RuleDescription>& descriptions) {
  const auto old = TRY(find_changed(scope, group, descriptions));
  for (std::size_t i = 0; i < old.size(); ++i) {
    const auto& wanted = descriptions[i].description;
    if (old[i].direction != direction) return fail(old[i].id.not_found());
    if (wanted) TRY_VOID(check_text("rule description", *wanted));
    update(scope, old[i], {old[i].rule, wanted});
  }
  return {};  // no host knows of descriptions
}

Result<SecurityGroupRule> find_same(Scope& scope, const SecurityGroupId& group, Direction direction, const Rule& rule) {
  if (auto found = find_equal(scope, group, direction, rule)) return std::move(*found);
  return fail(Code::invalid_permission_not_found, "The specified rule does not exist in this security group.");
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
