#include "storage/image_changes.h"

#include <fmt/format.h>

#include "core/json_values.h"

namespace virga::storage::images {

namespace {

/// The same work on behalf of the account that owns the row.
Scope owned_by(Scope& scope, const AccountId& account) {
  return {scope.tx, account, scope.now, scope.ids, scope.actor, scope.action, scope.request_id};
}

/// How a pending image's snapshots stand.
struct Settled {
  ImageId id;
  AccountId account;
  bool failed = false;
  std::string problem;
};

std::vector<Settled> settled_images(store::Transaction& tx) {
  return tx.all(
      "SELECT i.id, i.account,"
      " (SELECT count(*) FROM image_mapping m JOIN snapshot s ON s.id = m.snapshot WHERE m.image = i.id"
      "   AND s.state NOT IN ('pending', 'completed')),"
      " coalesce((SELECT s.problem FROM image_mapping m JOIN snapshot s ON s.id = m.snapshot WHERE m.image = i.id"
      "   AND s.state NOT IN ('pending', 'completed') LIMIT 1), '')"
      " FROM image i WHERE i.state = 'pending' AND EXISTS (SELECT 1 FROM image_mapping m WHERE m.image = i.id)"
      " AND NOT EXISTS (SELECT 1 FROM image_mapping m JOIN snapshot s ON s.id = m.snapshot WHERE m.image = i.id"
      "   AND s.state = 'pending')",
      [](store::Row& row) {
        return Settled{row.id<ImageId>(0), AccountId::trusted(row.text(1)), row.boolean(2), row.text(3)};
      });
}

}  // namespace

Result<void> set_description(Scope& scope, const ImageId& id, const std::string& description) {
  const auto image = TRY(find_own(scope, id));
  scope.tx.execute("UPDATE image SET description = ? WHERE account = ? AND id = ?", description, scope.account, id);
  scope.record(id.str(), {{"description", image.description}}, {{"description", description}});
  return {};
}

Result<void> require_imds_v2(Scope& scope, const ImageId& id) {
  const auto image = TRY(find_own(scope, id));
  scope.tx.execute("UPDATE image SET imds_support = 'v2.0' WHERE account = ? AND id = ?", scope.account, id);
  scope.record(id.str(), {{"imds_support", image.imds_support}}, {{"imds_support", "v2.0"}});
  return {};
}

Result<void> set_visibility(Scope& scope, const ImageId& id, Visibility visibility) {
  const auto image = TRY(find_own(scope, id));
  const bool to_all = visibility == Visibility::everyone;
  if (image.is_public == to_all) return {};
  scope.tx.execute("UPDATE image SET public = ? WHERE account = ? AND id = ?", to_all, scope.account, id);
  scope.record(id.str(), {{"public", image.is_public}}, {{"public", to_all}});
  return {};
}

Result<void> share(Scope& scope, const ImageId& id, const AccountId& with) {
  TRY_VOID(find_own(scope, id));
  if (!scope.tx.exists("SELECT 1 FROM account WHERE id = ?", with))
    return fail(Code::invalid_ami_attribute_item_value,
                fmt::format("Invalid attribute item value \"{}\" for userId item type.", with.str()));
  if (scope.tx.execute("INSERT INTO image_launch_permission (image, account) VALUES (?, ?) ON CONFLICT DO NOTHING", id,
                       with) > 0)
    scope.record(id.str(), {{"shared_with", nullptr}}, {{"shared_with", with.str()}});
  return {};
}

Result<void> unshare(Scope& scope, const ImageId& id, const AccountId& with) {
  TRY_VOID(find_own(scope, id));
  if (scope.tx.execute("DELETE FROM image_launch_permission WHERE image = ? AND account = ?", id, with) > 0)
    scope.record(id.str(), {{"shared_with", with.str()}}, {{"shared_with", nullptr}});
  return {};
}

Result<void> reset_permissions(Scope& scope, const ImageId& id) {
  TRY_VOID(set_visibility(scope, id, Visibility::own));
  for (const auto& account : shared_with(scope, id)) TRY_VOID(unshare(scope, id, account));
  return {};
}

std::vector<AccountId> shared_with(Scope& scope, const ImageId& id) {
  return scope.tx.all(
      "SELECT p.account FROM image_launch_permission p JOIN image i ON i.id = p.image"
      " WHERE i.account = ? AND i.id = ? ORDER BY p.account",
      [](store::Row& row) { return AccountId::trusted(row.text(0)); }, scope.account, id);
}

bool is_shared_with_me(Scope& scope, const ImageId& id) {
  return scope.tx.exists("SELECT 1 FROM image_launch_permission WHERE image = ? AND account = ?", id, scope.account);
}

Result<void> set_deprecation(Scope& scope, const ImageId& id, const std::optional<Time>& at) {
  const auto image = TRY(find_own(scope, id));
  scope.tx.execute("UPDATE image SET deprecated_ms = ? WHERE account = ? AND id = ?", at, scope.account, id);
  const auto shown = [](const std::optional<Time>& time) {
    return nlohmann::json{{"deprecated", time ? nlohmann::json(to_iso8601(*time)) : nlohmann::json()}};
  };
  scope.record(id.str(), shown(image.deprecated), shown(at));
  return {};
}

void note_launch(Scope& scope, const ImageId& id) {
  scope.tx.execute("UPDATE image SET launched_ms = ? WHERE id = ?", scope.now, id);
}

void settle(Scope& scope) {
  for (const auto& image : settled_images(scope.tx)) {
    const std::string_view state = image.failed ? "failed" : "available";
    scope.tx.execute("UPDATE image SET state = ?, problem = ? WHERE id = ?", state, image.problem, image.id);
    owned_by(scope, image.account).record(image.id.str(), {{"state", "pending"}}, {{"state", state}});
  }
}

bool is_copying(Scope& scope, const InstanceId& instance) {
  return scope.tx.exists(
      "SELECT 1 FROM snapshot s JOIN volume_attachment t ON t.volume = s.volume"
      " WHERE t.account = ? AND t.instance = ? AND s.state = 'pending'",
      scope.account, instance);
}

void give_up(Scope& scope, const InstanceId& instance) {
  const auto waiting = scope.tx.all(
      "SELECT id, volume FROM snapshot WHERE account = ? AND waits_for = ? AND state = 'pending'",
      [](store::Row& row) { return std::pair(row.id<SnapshotId>(0), row.id<VolumeId>(1)); }, scope.account, instance);
  for (const auto& [id, volume] : waiting) {
    scope.tx.execute(
        "UPDATE snapshot SET state = 'error', waits_for = NULL,"
        " problem = 'The instance was terminated before its volumes could be copied.' WHERE account = ? AND id = ?",
        scope.account, id);
    scope.record(id.str(), {{"state", "pending"}}, {{"state", "error"}});
    scope.touch(DocumentKind::volume, volume.str());  // it may have been kept for the copy's sake
  }
}

}  // namespace virga::storage::images
