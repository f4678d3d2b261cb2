#include "storage/sync.h"

#include "core/json_values.h"
#include "storage/modifications.h"

namespace virga::storage {

namespace {

/// The same work on behalf of the account that owns the row.
Scope owned_by(Scope& scope, const AccountId& account) {
  return {scope.tx, account, scope.now, scope.ids, scope.actor, scope.action, scope.request_id};
}

// A deleted one stays until nothing is being copied from it any more.
#define VIRGA_WANTED_VOLUME                                                                  \
  " (state <> 'deleting' OR EXISTS (SELECT 1 FROM snapshot s WHERE s.volume = volume.id AND" \
  " s.state = 'pending'))"

struct VolumeRow {
  AccountId account;
  std::string host;
  std::string state;
  std::int64_t size_gib = 0;
  std::string problem;
  bool being_modified = false;
  SnapshotId snapshot;
};

std::optional<VolumeRow> find_row(store::Transaction& tx, const VolumeId& volume) {
  return tx.one(
      "SELECT v.account, v.host, v.state, v.size_gib, v.problem,"
      " coalesce(m.state IN ('modifying', 'optimizing'), 0), v.snapshot"
      " FROM volume v LEFT JOIN volume_modification m ON m.volume = v.id WHERE v.id = ?",
      [](store::Row& row) {
        return VolumeRow{AccountId::trusted(row.text(0)),
                         row.text(1),
                         row.text(2),
                         row.integer(3),
                         row.text(4),
                         row.boolean(5),
                         row.id<SnapshotId>(6)};
      },
      volume);
}

void set_volume_state(Scope& scope, const VolumeId& volume, const std::string& before, std::string_view after,
                      const std::string& problem) {
  scope.tx.execute("UPDATE volume SET state = ?, problem = ? WHERE id = ?", after, problem, volume);
  if (before != after) scope.record(volume.str(), {{"state", before}}, {{"state", after}});
}

/// The host may have kept a deleted snapshot for a volume's sake: it no longer needs to.
void let_go_of_base(Scope& scope, const SnapshotId& base) {
  if (!base.empty()) scope.touch(DocumentKind::snapshot, base.str());
}

/// What is wrong with a volume that had been made: its file is missing, or cannot be read.
void note_health(Scope& scope, const std::string& before, const ObservedVolume& observed) {
  if (!observed.ready && observed.problem.empty()) return;  // it has not been looked at yet
  const auto problem = observed.ready ? std::string() : observed.problem;
  if (problem != before)
    scope.tx.execute("UPDATE volume SET problem = ? WHERE account = ? AND id = ?", problem, scope.account, observed.id);
}

/// A host that has anything of a deregistered image, even only the memory of a failed import, is to let go of it.
void note_leftover(Scope& scope, const std::string& host, const ObservedImage& observed) {
  const bool being_imported = !observed.ready && observed.problem.empty();
  if (!being_imported)
    scope.tx.execute("INSERT INTO image_copy (image, host) VALUES (?, ?) ON CONFLICT DO NOTHING", observed.id, host);
}

}  // namespace

std::optional<std::string> host_of_volume(store::Transaction& tx, const VolumeId& volume) {
  return tx.one(
      "SELECT host FROM volume WHERE id = ? AND" VIRGA_WANTED_VOLUME, [](store::Row& row) { return row.text(0); },
      volume);
}

std::optional<WantedVolume> wanted_volume(store::Transaction& tx, const VolumeId& volume) {
  return tx.one(
      "SELECT id, number, size_gib, image, snapshot FROM volume WHERE id = ? AND" VIRGA_WANTED_VOLUME,
      [](store::Row& row) {
        return WantedVolume{.id = row.id<VolumeId>(0),
                            .generation = 0,
                            .number = static_cast<std::uint32_t>(row.integer(1)),
                            .size_gib = static_cast<std::uint64_t>(row.integer(2)),
                            .image = row.id<ImageId>(3),
                            .snapshot = row.id<SnapshotId>(4)};
      },
      volume);
}

std::vector<VolumeId> placed_volumes(store::Transaction& tx) {
  return tx.all("SELECT id FROM volume WHERE" VIRGA_WANTED_VOLUME " ORDER BY id",
                [](store::Row& row) { return row.id<VolumeId>(0); });
}

Result<void> observe_volume(Scope& scope, const std::string& host, const ObservedVolume& observed) {
  const auto row = find_row(scope.tx, observed.id);
  if (!row || row->host != host || row->state == "deleting") return {};
  auto own = owned_by(scope, row->account);
  if (observed.ready && row->state != "available") {
    set_volume_state(own, observed.id, row->state, "available", "");
    let_go_of_base(own, row->snapshot);
  }
  // The host goes on trying; `error` tells EC2's clients not to wait, and ends when it succeeds after all.
  if (!observed.ready && !observed.problem.empty() && row->state != "available")
    set_volume_state(own, observed.id, row->state, "error", observed.problem);
  if (row->state == "available") {
    note_health(own, row->problem, observed);
    if (row->being_modified) modifications::observe(own, observed);
  }
  return {};
}

Result<void> volume_removed(Scope& scope, const std::string& host, const VolumeId& volume) {
  const auto row = find_row(scope.tx, volume);
  if (!row || row->host != host || row->state != "deleting") return {};
  auto own = owned_by(scope, row->account);
  scope.tx.execute("UPDATE host SET storage_gib_used = max(storage_gib_used - ?, 0) WHERE name = ?", row->size_gib,
                   host);
  quota::release(own, quota::Name::volumes);
  quota::release(own, quota::Name::volume_gib, row->size_gib);
  scope.tx.execute("DELETE FROM volume WHERE id = ?", volume);
  let_go_of_base(own, row->snapshot);
  own.record(volume.str(), {{"state", "deleting"}}, nullptr);
  own.delete_resource(volume.str());
  return {};
}

Result<void> observe_image(Scope& scope, const std::string& host, const ObservedImage& observed) {
  struct Row {
    AccountId account;
    std::string state;
    std::string sha256;
    bool deregistered = false;
  };
  const auto row = scope.tx.one(
      "SELECT account, state, sha256, deregistered FROM image WHERE id = ? AND bytes = id",
      [](store::Row& r) {
        return Row{AccountId::trusted(r.text(0)), r.text(1), r.text(2), r.boolean(3)};
      },
      observed.id);
  if (!row) return {};
  if (row->deregistered) {
    note_leftover(scope, host, observed);
    return {};
  }
  auto own = owned_by(scope, row->account);
  // Bytes that differ from those first imported are another image under this one's name: no copy to launch from.
  const bool same = row->sha256.empty() || row->sha256 == observed.sha256;
  if (!observed.ready || !same) {
    scope.tx.execute("DELETE FROM image_copy WHERE image = ? AND host = ?", observed.id, host);
    if (row->state != "pending" || observed.problem.empty()) return {};
    scope.tx.execute("UPDATE image SET state = 'failed', problem = ? WHERE id = ?", observed.problem, observed.id);
    own.record(observed.id.str(), {{"state", row->state}}, {{"state", "failed"}});
    return {};
  }
  scope.tx.execute("INSERT INTO image_copy (image, host) VALUES (?, ?) ON CONFLICT DO NOTHING", observed.id, host);
  if (row->state == "available") return {};
  scope.tx.execute(
      "UPDATE image SET state = 'available', problem = '', virtual_bytes = ?, file_bytes = ?, sha256 = ?,"
      " root_gib = max((? + 1073741823) / 1073741824, 1) WHERE id = ?",
      observed.virtual_bytes, observed.file_bytes, observed.sha256, observed.virtual_bytes, observed.id);
  own.record(observed.id.str(), {{"state", row->state}}, {{"state", "available"}});
  return {};
}

std::vector<ImageId> unneeded_images(store::Transaction& tx, const std::string& host) {
  return tx.all(
      "SELECT i.id FROM image_copy c JOIN image i ON i.id = c.image WHERE c.host = ? AND i.deregistered = 1"
      " AND NOT EXISTS (SELECT 1 FROM image o WHERE o.bytes = i.id AND o.id <> i.id)"
      " AND NOT EXISTS (SELECT 1 FROM volume v WHERE v.image = i.id) ORDER BY i.id",
      [](store::Row& row) { return row.id<ImageId>(0); }, host);
}

Result<void> image_removed(Scope& scope, const std::string& host, const ImageId& image) {
  scope.tx.execute("DELETE FROM image_copy WHERE image = ? AND host = ?", image, host);
  const auto account = scope.tx.one(
      "SELECT account FROM image WHERE id = ? AND deregistered = 1"
      " AND NOT EXISTS (SELECT 1 FROM image_copy c WHERE c.image = image.id)",
      [](store::Row& row) { return AccountId::trusted(row.text(0)); }, image);
  if (!account) return {};
  auto own = owned_by(scope, *account);
  own.tx.execute("DELETE FROM image WHERE id = ?", image);
  own.delete_resource(image.str());
  return {};
}

}  // namespace virga::storage
