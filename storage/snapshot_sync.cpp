#include "core/json_values.h"
#include "storage/sync.h"

namespace virga::storage {

namespace {

/// A host that could not make a snapshot for so long is not waited for any more.
constexpr std::chrono::milliseconds patience{60'000};

// A deleted one stays for the volumes that are yet to be made from it.
#define VIRGA_WANTED_SNAPSHOT                                                                     \
  " (state = 'completed' OR (state = 'pending' AND waits_for IS NULL) OR (state = 'deleting' AND" \
  " EXISTS (SELECT 1 FROM volume v WHERE v.snapshot = snapshot.id AND v.state IN ('creating', 'error'))))"

struct SnapshotRow {
  AccountId account;
  VolumeId volume;
  std::string host;
  std::string state;
  std::string problem;
  std::optional<std::int64_t> failing_since_ms;
  std::int64_t done_bytes = 0;
  std::int64_t total_bytes = 0;
};

std::optional<SnapshotRow> find_row(store::Transaction& tx, const SnapshotId& snapshot) {
  return tx.one(
      "SELECT account, volume, host, state, problem, failing_since_ms, done_bytes, total_bytes FROM snapshot"
      " WHERE id = ?",
      [](store::Row& row) {
        return SnapshotRow{
            AccountId::trusted(row.text(0)), row.id<VolumeId>(1), row.text(2),   row.text(3), row.text(4),
            row.optional_integer(5),         row.integer(6),      row.integer(7)};
      },
      snapshot);
}

/// Ends `pending`. The volume may have been kept for the copy's sake, and the host's remains of a failed one are to go.
void settle(Scope& scope, const SnapshotId& id, const SnapshotRow& row, std::string_view state) {
  scope.record(id.str(), {{"state", row.state}}, {{"state", state}});
  scope.touch(DocumentKind::snapshot, id.str());
  scope.touch(DocumentKind::volume, row.volume.str());
}

void complete(Scope& scope, const SnapshotRow& row, const ObservedSnapshot& observed) {
  scope.tx.execute(
      "UPDATE snapshot SET state = 'completed', problem = '', failing_since_ms = NULL, done_bytes = ?, total_bytes = ?,"
      " file_bytes = ?, completed_ms = ? WHERE account = ? AND id = ?",
      observed.done_bytes, observed.total_bytes, observed.file_bytes, scope.now, scope.account, observed.id);
  settle(scope, observed.id, row, "completed");
}

double share(double done, double total) { return total > 0 ? done / total : 0; }

/// A copy that begins again and again, and comes no further, does not count as going on.
void note_progress(Scope& scope, const SnapshotRow& row, const ObservedSnapshot& observed) {
  const auto before = share(static_cast<double>(row.done_bytes), static_cast<double>(row.total_bytes));
  const auto now = share(static_cast<double>(observed.done_bytes), static_cast<double>(observed.total_bytes));
  if (now <= before) return;
  scope.tx.execute(
      "UPDATE snapshot SET problem = '', failing_since_ms = NULL, done_bytes = ?, total_bytes = ?"
      " WHERE account = ? AND id = ?",
      observed.done_bytes, observed.total_bytes, scope.account, observed.id);
}

void note_failure(Scope& scope, const SnapshotRow& row, const ObservedSnapshot& observed) {
  const Time since{row.failing_since_ms.value_or(scope.now.ms)};
  const bool has_failed = observed.problem == no_room_problem || scope.now - since >= patience;
  scope.tx.execute("UPDATE snapshot SET state = ?, problem = ?, failing_since_ms = ? WHERE account = ? AND id = ?",
                   has_failed ? "error" : "pending", observed.problem, since, scope.account, observed.id);
  if (has_failed) settle(scope, observed.id, row, "error");
}

void note_health(Scope& scope, const SnapshotRow& row, const ObservedSnapshot& observed) {
  if (!observed.ready && observed.problem.empty()) return;  // it has not been looked at yet
  const auto problem = observed.ready ? std::string() : observed.problem;
  if (problem != row.problem)
    scope.tx.execute("UPDATE snapshot SET problem = ? WHERE account = ? AND id = ?", problem, scope.account,
                     observed.id);
}

}  // namespace

std::optional<std::string> host_of_snapshot(store::Transaction& tx, const SnapshotId& snapshot) {
  return tx.one(
      "SELECT host FROM snapshot WHERE id = ? AND" VIRGA_WANTED_SNAPSHOT, [](store::Row& row) { return row.text(0); },
      snapshot);
}

std::optional<WantedSnapshot> wanted_snapshot(store::Transaction& tx, const SnapshotId& snapshot) {
  // One that was completed names no volume: a host that has lost it must not make it anew, of another moment.
  return tx.one(
      "SELECT id, iif(state = 'pending', volume, NULL), size_gib FROM snapshot WHERE id = ? AND" VIRGA_WANTED_SNAPSHOT,
      [](store::Row& row) {
        return WantedSnapshot{.id = row.id<SnapshotId>(0),
                              .generation = 0,
                              .volume = row.id<VolumeId>(1),
                              .size_gib = static_cast<std::uint64_t>(row.integer(2))};
      },
      snapshot);
}

std::vector<SnapshotId> placed_snapshots(store::Transaction& tx) {
  return tx.all("SELECT id FROM snapshot WHERE" VIRGA_WANTED_SNAPSHOT " ORDER BY id",
                [](store::Row& row) { return row.id<SnapshotId>(0); });
}

Result<void> observe_snapshot(Scope& scope, const std::string& host, const ObservedSnapshot& observed) {
  const auto row = find_row(scope.tx, observed.id);
  if (!row || row->host != host) return {};
  Scope own{scope.tx, row->account, scope.now, scope.ids, scope.actor, scope.action, scope.request_id};
  if (row->state == "completed") note_health(own, *row, observed);
  if (row->state != "pending") return {};
  if (observed.ready) {
    complete(own, *row, observed);
  } else if (!observed.problem.empty()) {
    note_failure(own, *row, observed);
  } else {
    note_progress(own, *row, observed);
  }
  return {};
}

Result<void> snapshot_removed(Scope& scope, const std::string& host, const SnapshotId& snapshot) {
  const auto row = find_row(scope.tx, snapshot);
  if (!row || row->host != host || row->state != "deleting") return {};
  Scope own{scope.tx, row->account, scope.now, scope.ids, scope.actor, scope.action, scope.request_id};
  quota::release(own, quota::Name::snapshots);
  scope.tx.execute("DELETE FROM snapshot WHERE id = ?", snapshot);
  own.record(snapshot.str(), {{"state", "deleting"}}, nullptr);
  own.delete_resource(snapshot.str());
  return {};
}

}  // namespace virga::storage
