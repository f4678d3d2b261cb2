#include "compute/sync.h"

#include "compute/instances.h"
#include "compute/lifecycle.h"

namespace virga::compute {

std::optional<std::string> host_of_instance(store::Transaction& tx, const InstanceId& instance) {
  return tx.one(
      "SELECT host FROM instance WHERE id = ? AND state IN ('pending', 'running', 'stopping', 'stopped')",
      [](store::Row& row) { return row.text(0); }, instance);
}

std::vector<InstanceId> placed_instances(store::Transaction& tx) {
  return tx.all("SELECT id FROM instance WHERE state IN ('pending', 'running', 'stopping', 'stopped') ORDER BY id",
                [](store::Row& row) { return row.id<InstanceId>(0); });
}

Result<void> expire(Scope& scope) {
  const auto before = scope.now + -std::chrono::milliseconds(lifecycle::terminated_visible);
  const auto old = scope.tx.all(
      "SELECT id, account FROM instance WHERE ended_ms IS NOT NULL AND ended_ms <= ? LIMIT 500",
      [](store::Row& row) { return std::pair(row.id<InstanceId>(0), AccountId::trusted(row.text(1))); }, before);
  for (const auto& [id, account] : old) {
    scope.tx.execute("DELETE FROM instance WHERE id = ? AND account = ?", id, account);
    scope.tx.execute("DELETE FROM resource WHERE id = ? AND account = ?", id, account);
  }
  return {};
}

}  // namespace virga::compute
