#include "network/security_groups.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include "network/interfaces.h"
#include "network/lookup.h"
#include "network/vpcs.h"

namespace virga::network {

namespace {

#define VIRGA_GROUP_SELECT                                                    \
  "SELECT g.id, r.number, g.vpc, g.name, g.description FROM security_group g" \
  " JOIN resource r ON r.id = g.id WHERE g.account = ?"

SecurityGroup group_of(store::Row& row) {
  return {.id = row.id<SecurityGroupId>(0),
          .number = static_cast<std::uint32_t>(row.integer(1)),
          .vpc = row.id<VpcId>(2),
          .name = row.text(3),
          .description = row.text(4),
          .rules = {}};
}

nlohmann::json journal_of(const SecurityGroup& group) {
  return {{"vpc", group.vpc}, {"name", group.name}, {"description", group.description}};
}

SecurityGroup complete(Scope& scope, SecurityGroup group) {
  group.rules = security_group_rules::of_group(scope, group.id);
  return group;
}

RuleRequest everything_out() {
  return {{.protocol = "-1", .from_port = -1, .to_port = -1, .cidr = "0.0.0.0/0", .peer = {}}, std::nullopt};
}

Result<SecurityGroupId> insert(Scope& scope, const SecurityGroupRequest& request) {
  TRY_VOID(quota::charge(scope, quota::Name::security_groups));
  const auto created = scope.create_resource<SecurityGroupId>();
  scope.tx.execute(
      "INSERT INTO security_group (id, account, vpc, name, description, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
      created.id, scope.account, request.vpc, request.name, request.description, scope.now);
  scope.record(created.id.str(), nullptr,
               journal_of({created.id, created.number, request.vpc, request.name, request.description, {}}));
  TRY_VOID(security_group_rules::authorize(scope, created.id, Direction::egress, {everything_out()}));
  return created.id;
}

void erase(Scope& scope, const SecurityGroup& group) {
  security_group_rules::remove_all(scope, group.id);
  scope.tx.execute("DELETE FROM security_group WHERE account = ? AND id = ?", scope.account, group.id);
  scope.delete_resource(group.id.str());
  quota::release(scope, quota::Name::security_groups);
  scope.record(group.id.str(), journal_of(group), nullptr);
  scope.touch(DocumentKind::vpc, group.vpc.str());
}

Result<void> check_name(const std::string& name) {
  if (name.empty()) return fail(Code::missing_parameter, "The request must contain the parameter groupName");
  if (name == default_group_name)
    return fail(Code::invalid_parameter_value, "Cannot use reserved security group name: default");
  if (name.starts_with(SecurityGroupId::prefix))
    return fail(Code::invalid_parameter_value,
                fmt::format("Invalid group name '{}': a group name may not start with 'sg-'.", shown(name)));
  return check_text("security group name", name);
}

}  // namespace

namespace security_groups {

Result<SecurityGroup> create(Scope& scope, const SecurityGroupRequest& request) {
  TRY_VOID(check_name(request.name));
  if (request.description.empty())
    return fail(Code::missing_parameter, "The request must contain the parameter GroupDescription");
  TRY_VOID(check_text("security group description", request.description));
  TRY_VOID(vpcs::find(scope, request.vpc));
  if (find_by_name(scope, request.vpc, request.name))
    return fail(Code::invalid_group_duplicate,
                fmt::format("The security group '{}' already exists for VPC '{}'", request.name, request.vpc.str()));
  return find(scope, TRY(insert(scope, request)));
}

Result<SecurityGroup> find(Scope& scope, const SecurityGroupId& id) {
  auto group = scope.tx.one(VIRGA_GROUP_SELECT " AND g.id = ?", group_of, scope.account, id);
  if (!group) return fail(id.not_found());
  return complete(scope, std::move(*group));
}

Result<SecurityGroup> find_by_name(Scope& scope, const VpcId& vpc, const std::string& name) {
  auto group = scope.tx.one(VIRGA_GROUP_SELECT " AND g.vpc = ? AND g.name = ?", group_of, scope.account, vpc, name);
  if (!group)
    return fail(Code::invalid_group_not_found,
                fmt::format("The security group '{}' does not exist in VPC '{}'", shown(name), vpc.str()));
  return complete(scope, std::move(*group));
}

Result<std::vector<SecurityGroup>> list(Scope& scope, const std::vector<SecurityGroupId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const SecurityGroupId& id) { return find(scope, id); });
  auto groups = scope.tx.all(VIRGA_GROUP_SELECT " ORDER BY g.id", group_of, scope.account);
  for (auto& group : groups) group = complete(scope, std::move(group));
  return groups;
}

Result<void> remove(Scope& scope, const SecurityGroupId& id) {
  const auto group = TRY(find(scope, id));
  if (group.name == default_group_name)
    return fail(Code::cannot_delete, fmt::format("the specified group: \"{}\" name: \"{}\" cannot be deleted by a user",
                                                 id.str(), group.name));
  const auto users = scope.tx.all(
      "SELECT m.interface FROM network_interface_group m JOIN network_interface i ON i.id = m.interface"
      " WHERE i.account = ? AND m.group_id = ?"
      " UNION SELECT group_id FROM security_group_rule WHERE account = ? AND peer = ? AND group_id <> peer LIMIT 5",
      [](store::Row& row) { return row.text(0); }, scope.account, id, scope.account, id);
  if (!users.empty())
    return fail(Code::dependency_violation,
                fmt::format("resource {} has a dependent object: {}", id.str(), fmt::join(users, ", ")));
  erase(scope, group);
  return {};
}

Result<void> create_default(Scope& scope, const VpcId& vpc) {
  const auto id = TRY(insert(scope, {vpc, std::string(default_group_name), "default VPC security group"}));
  const RuleRequest from_itself{{.protocol = "-1", .from_port = -1, .to_port = -1, .cidr = {}, .peer = id},
                                std::nullopt};
  TRY_VOID(security_group_rules::authorize(scope, id, Direction::ingress, {from_itself}));
  return {};
}

void remove_default(Scope& scope, const VpcId& vpc) {
  if (const auto group = find_by_name(scope, vpc, std::string(default_group_name))) erase(scope, *group);
}

}  // namespace security_groups

Result<std::vector<SecurityGroupId>> groups_by_name(Scope& scope, const VpcId& vpc,
                                                    const std::vector<std::string>& names) {
  std::vector<SecurityGroupId> ids;
  for (const auto& name : names) ids.push_back(TRY(security_groups::find_by_name(scope, vpc, name)).id);
  return ids;
}

}  // namespace virga::network
