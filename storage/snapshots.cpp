#include "storage/snapshots.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json_values.h"
#include "storage/sync.h"
#include "storage/volumes.h"

namespace virga::storage {

std::string_view Snapshot::wire_state() const {
  switch (state) {
    case SnapshotState::pending:
      return "pending";
    case SnapshotState::completed:
      return problem.empty() ? "completed" : "error";
    case SnapshotState::error:
      return "error";
  }
  return "";
}

int Snapshot::progress_percent() const {
  if (state == SnapshotState::completed) return 100;
  if (total_bytes <= 0) return 0;
  const auto done = std::clamp<std::int64_t>(done_bytes, 0, total_bytes);
  return std::min(static_cast<int>(done * 100 / total_bytes), 99);  // all copied is not yet completed
}

namespace snapshots {

namespace {

/// EC2's pace for one volume, while the snapshot before is still pending.
constexpr std::chrono::milliseconds pace_per_volume{15'000};

#define VIRGA_SNAPSHOT_COLUMNS                                                                                    \
  "SELECT id, account, volume, host, size_gib, description, state, problem, done_bytes, total_bytes, file_bytes," \
  " started_ms, completed_ms FROM snapshot WHERE state <> 'deleting' "

Snapshot from_row(store::Row& row) {
  Snapshot snapshot;
  snapshot.id = row.id<SnapshotId>(0);
  snapshot.account = AccountId::trusted(row.text(1));
  snapshot.volume = row.id<VolumeId>(2);
  snapshot.host = row.text(3);
  snapshot.size_gib = row.int32(4);
  snapshot.description = row.text(5);
  const auto state = row.text(6);
  snapshot.state = state == "completed" ? SnapshotState::completed
                   : state == "error"   ? SnapshotState::error
                                        : SnapshotState::pending;
  snapshot.problem = row.text(7);
  snapshot.done_bytes = row.integer(8);
  snapshot.total_bytes = row.integer(9);
  snapshot.file_bytes = row.integer(10);
  snapshot.started = row.time(11);
  if (!row.is_null(12)) snapshot.completed = row.time(12);
  return snapshot;
}

nlohmann::json journal_of(const Snapshot& snapshot) {
  return {{"state", snapshot.wire_state()},
          {"volume", snapshot.volume},
          {"size_gib", snapshot.size_gib},
          {"host", snapshot.host}};
}

Result<void> check_source(Scope& scope, const Volume& volume, bool paced) {
  if (volume.state != VolumeState::available)
    return fail(Code::incorrect_state, fmt::format("Volume '{}' is not 'available' or 'in-use' (it is '{}').",
                                                   volume.id.str(), volume.wire_state()));
  if (paced && scope.tx.exists(
                   "SELECT 1 FROM snapshot WHERE account = ? AND volume = ? AND state = 'pending' AND started_ms > ?",
                   scope.account, volume.id, scope.now + -pace_per_volume))
    return fail(Code::snapshot_creation_per_volume_rate_exceeded,
                "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable "
                "sleep interval between requests.");
  return {};
}

}  // namespace

Result<Snapshot> create(Scope& scope, const CreateRequest& request) {
  const auto volume = TRY(volumes::find(scope, request.volume));
  TRY_VOID(check_source(scope, volume, !request.for_image));
  TRY_VOID(quota::charge(scope, quota::Name::snapshots));
  const auto made = scope.create_resource<SnapshotId>();
  // The volume's size as it is to be: one that is growing may be larger already than it is shown.
  scope.tx.execute(
      "INSERT INTO snapshot (id, account, volume, host, size_gib, description, state, waits_for, started_ms)"
      " SELECT ?, account, id, host, size_gib, ?, 'pending', ?, ? FROM volume WHERE account = ? AND id = ?",
      made.id, request.description, request.waits_for, scope.now, scope.account, volume.id);
  auto snapshot = TRY(find(scope, made.id));
  scope.record(made.id.str(), nullptr, journal_of(snapshot));
  scope.touch(DocumentKind::snapshot, made.id.str());
  return snapshot;
}

void stop_waiting(Scope& scope, const InstanceId& instance) {
  const auto waiting = scope.tx.all(
      "SELECT id FROM snapshot WHERE account = ? AND waits_for = ?",
      [](store::Row& row) { return row.id<SnapshotId>(0); }, scope.account, instance);
  for (const auto& id : waiting) {
    scope.tx.execute("UPDATE snapshot SET waits_for = NULL WHERE account = ? AND id = ?", scope.account, id);
    scope.touch(DocumentKind::snapshot, id.str());
  }
}

void follow_growth(Scope& scope, const VolumeId& volume, int size_gib) {
  const auto behind = scope.tx.all(
      "SELECT id FROM snapshot WHERE account = ? AND volume = ? AND state = 'pending' AND size_gib < ?",
      [](store::Row& row) { return row.id<SnapshotId>(0); }, scope.account, volume, size_gib);
  for (const auto& id : behind) {
    scope.tx.execute("UPDATE snapshot SET size_gib = ? WHERE account = ? AND id = ?", size_gib, scope.account, id);
    // Nothing could be launched from an image that maps it with less.
    scope.tx.execute("UPDATE image_mapping SET size_gib = max(size_gib, ?) WHERE snapshot = ?", size_gib, id);
    scope.touch(DocumentKind::snapshot, id.str());
  }
}

Result<Snapshot> find(Scope& scope, const SnapshotId& id) {
  auto found = scope.tx.one(VIRGA_SNAPSHOT_COLUMNS "AND account = ? AND id = ?", from_row, scope.account, id);
  if (!found) return fail(id.not_found());
  return *std::move(found);
}

Result<Snapshot> find_completed(Scope& scope, const SnapshotId& id) {
  auto snapshot = TRY(find(scope, id));
  if (snapshot.wire_state() != "completed")
    return fail(Code::incorrect_state,
                fmt::format("Snapshot {} is in invalid state - {}", id.str(), snapshot.wire_state()));
  return snapshot;
}

std::vector<Snapshot> list(Scope& scope, const std::string& after) {
  return scope.tx.all(VIRGA_SNAPSHOT_COLUMNS "AND account = ? AND id > ? ORDER BY id", from_row, scope.account, after);
}

Result<void> remove(Scope& scope, const SnapshotId& id) {
  const auto snapshot = TRY(find(scope, id));
  const auto image = scope.tx.one(
      "SELECT image FROM image_mapping WHERE snapshot = ?", [](store::Row& row) { return row.text(0); }, id);
  if (image)
    return fail(Code::invalid_snapshot_in_use,
                fmt::format("The snapshot {} is currently in use by {}", id.str(), *image));
  scope.tx.execute("UPDATE snapshot SET state = 'deleting' WHERE account = ? AND id = ?", scope.account, id);
  tags::remove_all(scope, id.str());
  scope.record(id.str(), journal_of(snapshot), {{"state", "deleting"}});
  scope.touch(DocumentKind::snapshot, id.str());
  scope.touch(DocumentKind::volume, snapshot.volume.str());  // it may have waited for the copy
  // A host that was never told of the snapshot, or has let go of it already, will not report its removal.
  if (!scope.tx.exists("SELECT 1 FROM wanted WHERE host = ? AND kind = 'snapshot' AND id = ?", snapshot.host, id))
    return snapshot_removed(scope, snapshot.host, id);
  return {};
}

}  // namespace snapshots
}  // namespace virga::storage
