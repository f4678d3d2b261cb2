#include "network/network_acls.h"

#include "core/json_values.h"

#include "network/lookup.h"

namespace virga::network::network_acls {

namespace {

NetworkAcl acl_of(store::Row& row) { return {row.id<NetworkAclId>(0), row.id<VpcId>(1), {}}; }

NetworkAcl with_associations(Scope& scope, NetworkAcl acl) {
  acl.associations = scope.tx.all(
      "SELECT acl_association, id FROM subnet WHERE account = ? AND vpc = ? ORDER BY id",
      [](store::Row& row) {
        return NetworkAcl::Association{row.id<NetworkAclAssociationId>(0), row.id<SubnetId>(1)};
      },
      scope.account, acl.vpc);
  return acl;
}

}  // namespace

NetworkAclId create_default(Scope& scope, const VpcId& vpc) {
  const auto created = scope.create_resource<NetworkAclId>();
  scope.tx.execute("INSERT INTO network_acl (id, account, vpc, created_ms) VALUES (?, ?, ?, ?)", created.id,
                   scope.account, vpc, scope.now);
  scope.record(created.id.str(), nullptr, {{"vpc", vpc}, {"default", true}});
  return created.id;
}

void remove_default(Scope& scope, const VpcId& vpc) {
  const auto id = scope.tx.one(
      "SELECT id FROM network_acl WHERE account = ? AND vpc = ?",
      [](store::Row& row) { return row.id<NetworkAclId>(0); }, scope.account, vpc);
  if (!id) return;
  scope.tx.execute("DELETE FROM network_acl WHERE account = ? AND id = ?", scope.account, *id);
  scope.delete_resource(id->str());
  scope.record(id->str(), {{"vpc", vpc}, {"default", true}}, nullptr);
}

Result<NetworkAcl> find(Scope& scope, const NetworkAclId& id) {
  auto acl = scope.tx.one("SELECT id, vpc FROM network_acl WHERE account = ? AND id = ?", acl_of, scope.account, id);
  if (!acl) return fail(id.not_found());
  return with_associations(scope, std::move(*acl));
}

Result<std::vector<NetworkAcl>> list(Scope& scope, const std::vector<NetworkAclId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const NetworkAclId& id) { return find(scope, id); });
  auto acls = scope.tx.all("SELECT id, vpc FROM network_acl WHERE account = ? ORDER BY id", acl_of, scope.account);
  for (auto& acl : acls) acl = with_associations(scope, std::move(acl));
  return acls;
}

}  // namespace virga::network::network_acls
