#include "storage/volumes.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

#include "storage/sync.h"

namespace virga::storage {

std::string_view Volume::wire_state() const {
  switch (state) {
    case VolumeState::creating:
      return attachment ? "in-use" : "creating";
    case VolumeState::available:
      return attachment ? "in-use" : "available";
    case VolumeState::deleting:
      return "deleting";
    case VolumeState::error:
      return "error";
  }
  return "";
}

namespace volumes {

namespace {

// While it is being modified a volume is shown as it was.
#define VIRGA_VOLUME_COLUMNS                                                                                 \
  "SELECT v.id, v.number, v.account, v.zone, v.host,"                                                        \
  " iif(m.volume IS NULL, v.size_gib, m.original_size_gib), iif(m.volume IS NULL, v.type, m.original_type)," \
  " iif(m.volume IS NULL, v.iops, m.original_iops),"                                                         \
  " iif(m.volume IS NULL, v.throughput, m.original_throughput), v.image,"                                    \
  " v.state, v.created_ms, t.instance, t.device, t.slot, t.root, t.delete_on_termination, t.state,"          \
  " t.attached_ms, v.problem, v.snapshot FROM volume v LEFT JOIN volume_attachment t ON t.volume = v.id"     \
  " LEFT JOIN volume_modification m ON m.volume = v.id AND m.state = 'modifying' "

VolumeState parse_state(const std::string& text) {
  if (text == "available") return VolumeState::available;
  if (text == "deleting") return VolumeState::deleting;
  if (text == "error") return VolumeState::error;
  return VolumeState::creating;
}

std::optional<int> optional_int(store::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.int32(column));
}

Volume from_row(store::Row& row) {
  Volume volume;
  volume.id = row.id<VolumeId>(0);
  volume.number = static_cast<std::uint32_t>(row.integer(1));
  volume.account = AccountId::trusted(row.text(2));
  volume.zone = row.text(3);
  volume.host = row.text(4);
  volume.size_gib = row.int32(5);
  volume.type = row.text(6);
  volume.iops = optional_int(row, 7);
  volume.throughput = optional_int(row, 8);
  volume.image = row.id<ImageId>(9);
  volume.state = parse_state(row.text(10));
  volume.created = row.time(11);
  volume.problem = row.text(19);
  volume.snapshot = row.id<SnapshotId>(20);
  if (!row.is_null(12))
    volume.attachment = Attachment{volume.id,
                                   row.id<InstanceId>(12),
                                   row.text(13),
                                   row.int32(14),
                                   row.boolean(15),
                                   row.boolean(16),
                                   parse_attachment_state(row.text(17)),
                                   row.time(18)};
  return volume;
}

/// The named host, or the one of the zone with the most free storage; it must have room.
Result<std::string> place(Scope& scope, const CreateRequest& request) {
  const auto best = scope.tx.one(
      "SELECT name, storage_gib - storage_gib_used FROM host WHERE name = coalesce(?, name) AND state = 'up'"
      " AND EXISTS (SELECT 1 FROM json_each(zones) z WHERE z.value = ?)"
      " ORDER BY storage_gib - storage_gib_used DESC, name LIMIT 1",
      [](store::Row& row) { return std::pair(row.text(0), row.integer(1)); }, request.host, request.zone);
  if (!best)
    return fail(Code::insufficient_volume_capacity,
                fmt::format("No host that is up serves the Availability Zone {}.", request.zone));
  if (best->second < request.shape.size_gib)
    return fail(Code::insufficient_volume_capacity,
                fmt::format("There is not enough capacity in {} for the volume: storage (GiB) needed {}, free {}.",
                            request.zone, request.shape.size_gib, std::max<std::int64_t>(best->second, 0)));
  return best->first;
}

nlohmann::json journal_of(const Volume& volume) {
  return {{"state", volume.wire_state()}, {"size_gib", volume.size_gib}, {"type", volume.type}, {"host", volume.host}};
}

}  // namespace

Result<Volume> create(Scope& scope, const CreateRequest& request) {
  const auto host = TRY(place(scope, request));
  TRY_VOID(quota::charge(scope, quota::Name::volumes));
  TRY_VOID(quota::charge(scope, quota::Name::volume_gib, request.shape.size_gib));
  scope.tx.execute("UPDATE host SET storage_gib_used = storage_gib_used + ? WHERE name = ?", request.shape.size_gib,
                   host);
  const auto made = scope.create_resource<VolumeId>();
  scope.tx.execute(
      "INSERT INTO volume (id, number, account, zone, host, size_gib, type, iops, throughput, image, snapshot, state,"
      " created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating', ?)",
      made.id, made.number, scope.account, request.zone, host, request.shape.size_gib, request.shape.type,
      request.shape.iops, request.shape.throughput, request.image_bytes, request.snapshot, scope.now);
  auto volume = TRY(find(scope, made.id));
  scope.record(made.id.str(), nullptr, journal_of(volume));
  scope.touch(DocumentKind::volume, made.id.str());
  return volume;
}

Result<Volume> find(Scope& scope, const VolumeId& id) {
  auto found = scope.tx.one(VIRGA_VOLUME_COLUMNS "WHERE v.account = ? AND v.id = ?", from_row, scope.account, id);
  if (!found) return fail(id.not_found());
  return *std::move(found);
}

std::vector<Volume> list(Scope& scope, const std::string& after) {
  return scope.tx.all(VIRGA_VOLUME_COLUMNS "WHERE v.account = ? AND v.id > ? ORDER BY v.id", from_row, scope.account,
                      after);
}

Result<void> remove(Scope& scope, const VolumeId& id) {
  const auto volume = TRY(find(scope, id));
  if (volume.state == VolumeState::deleting) return {};
  if (volume.attachment)
    return fail(Code::volume_in_use,
                fmt::format("Volume {} is currently attached to {}", id.str(), volume.attachment->instance.str()));
  scope.tx.execute("UPDATE volume SET state = 'deleting' WHERE account = ? AND id = ?", scope.account, id);
  auto after = volume;
  after.state = VolumeState::deleting;
  scope.record(id.str(), journal_of(volume), journal_of(after));
  scope.touch(DocumentKind::volume, id.str());
  if (!volume.snapshot.empty())
    scope.touch(DocumentKind::snapshot, volume.snapshot.str());  // it may have waited for it
  // A host that was never told of the volume will not report its removal.
  if (!scope.tx.exists("SELECT 1 FROM wanted WHERE host = ? AND kind = 'volume' AND id = ?", volume.host, id))
    return volume_removed(scope, volume.host, id);
  return {};
}

}  // namespace volumes

}  // namespace virga::storage
