#include "storage/modifications.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json_values.h"
#include "storage/snapshots.h"

namespace virga::storage {

std::string_view to_string(ModificationState state) {
  switch (state) {
    case ModificationState::modifying:
      return "modifying";
    case ModificationState::optimizing:
      return "optimizing";
    case ModificationState::completed:
      return "completed";
    case ModificationState::failed:
      return "failed";
  }
  return "";
}

int Modification::progress_percent() const {
  switch (state) {
    case ModificationState::optimizing:
      return 99;  // done, and not yet seen again
    case ModificationState::completed:
      return 100;
    case ModificationState::modifying:
    case ModificationState::failed:
      break;
  }
  return 0;
}

namespace modifications {

namespace {

ModificationState parse_state(const std::string& text) {
  if (text == "optimizing") return ModificationState::optimizing;
  if (text == "completed") return ModificationState::completed;
  return text == "failed" ? ModificationState::failed : ModificationState::modifying;
}

VolumeShape shape_from(store::Row& row, int column) {
  const auto optional = [&](int at) { return row.is_null(at) ? std::nullopt : std::optional(row.int32(at)); };
  return {row.int32(column), row.text(column + 1), optional(column + 2), optional(column + 3)};
}

Modification from_row(store::Row& row) {
  Modification modification;
  modification.volume = row.id<VolumeId>(0);
  modification.original = shape_from(row, 1);
  modification.target = shape_from(row, 5);
  modification.state = parse_state(row.text(9));
  modification.problem = row.text(10);
  modification.started = row.time(11);
  if (!row.is_null(12)) modification.ended = row.time(12);
  return modification;
}

#define VIRGA_MODIFICATION_COLUMNS                                                                      \
  "SELECT volume, original_size_gib, original_type, original_iops, original_throughput,"                \
  " target_size_gib, target_type, target_iops, target_throughput, state, problem, started_ms, ended_ms" \
  " FROM volume_modification "

std::optional<Modification> last_of(Scope& scope, const VolumeId& volume) {
  return scope.tx.one(VIRGA_MODIFICATION_COLUMNS "WHERE account = ? AND volume = ?", from_row, scope.account, volume);
}

nlohmann::json journal_of(const VolumeShape& shape) {
  const auto number = [](const std::optional<int>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
  return {{"size_gib", shape.size_gib},
          {"type", shape.type},
          {"iops", number(shape.iops)},
          {"throughput", number(shape.throughput)}};
}

Result<void> check_modifiable(Scope& scope, const Volume& volume) {
  if (volume.state != VolumeState::available)
    return fail(Code::incorrect_state, fmt::format("Volume '{}' is not 'available' or 'in-use' yet (it is '{}').",
                                                   volume.id.str(), volume.wire_state()));
  const auto last = last_of(scope, volume.id);
  if (last && last->state == ModificationState::modifying)
    return fail(Code::incorrect_modification_state,
                fmt::format("A modification of volume '{}' is under way. Wait until it is no longer 'modifying'.",
                            volume.id.str()));
  return {};
}

/// The volume stays on its host, so it is there that the room is needed.
Result<void> take_room(Scope& scope, const Volume& volume, int growth_gib) {
  if (growth_gib == 0) return {};
  const auto free_gib = scope.tx.one(
      "SELECT storage_gib - storage_gib_used FROM host WHERE name = ?", [](store::Row& row) { return row.integer(0); },
      volume.host);
  if (free_gib.value_or(0) < growth_gib)
    return fail(Code::insufficient_volume_capacity,
                fmt::format("There is not enough capacity in {} for the volume: storage (GiB) needed {}, free {}.",
                            volume.zone, growth_gib, std::max<std::int64_t>(free_gib.value_or(0), 0)));
  if (!quota::charge(scope, quota::Name::volume_gib, growth_gib))
    return fail(Code::volume_modification_size_limit_exceeded,
                fmt::format("Volume '{}' cannot grow by {} GiB: the account's quota of GiB is used up.",
                            volume.id.str(), growth_gib));
  scope.tx.execute("UPDATE host SET storage_gib_used = storage_gib_used + ? WHERE name = ?", growth_gib, volume.host);
  return {};
}

void write(Scope& scope, const Modification& made) {
  const auto& was = made.original;
  const auto& is = made.target;
  scope.tx.execute("UPDATE volume SET size_gib = ?, type = ?, iops = ?, throughput = ? WHERE account = ? AND id = ?",
                   is.size_gib, is.type, is.iops, is.throughput, scope.account, made.volume);
  scope.tx.execute("DELETE FROM volume_modification WHERE account = ? AND volume = ?", scope.account, made.volume);
  scope.tx.execute(
      "INSERT INTO volume_modification (volume, account, original_size_gib, original_type, original_iops,"
      " original_throughput, target_size_gib, target_type, target_iops, target_throughput, state, started_ms)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      made.volume, scope.account, was.size_gib, was.type, was.iops, was.throughput, is.size_gib, is.type, is.iops,
      is.throughput, to_string(made.state), made.started);
}

void set_state(Scope& scope, const Modification& before, ModificationState after) {
  const bool ended = after == ModificationState::completed;
  scope.tx.execute(
      "UPDATE volume_modification SET state = ?, problem = '', ended_ms = ? WHERE account = ? AND volume = ?",
      to_string(after), ended ? std::optional(scope.now) : std::nullopt, scope.account, before.volume);
  scope.record(before.volume.str(), {{"modification", to_string(before.state)}}, {{"modification", to_string(after)}});
}

}  // namespace

Result<Modification> begin(Scope& scope, const VolumeId& volume_id, const Change& change) {
  const auto volume = TRY(volumes::find(scope, volume_id));
  TRY_VOID(check_modifiable(scope, volume));
  Modification made;
  made.volume = volume.id;
  made.original = {volume.size_gib, volume.type, volume.iops, volume.throughput};
  made.target = TRY(changed_shape(made.original, change));
  made.started = scope.now;
  TRY_VOID(take_room(scope, volume, made.target.size_gib - made.original.size_gib));
  write(scope, made);
  scope.record(volume.id.str(), journal_of(made.original), journal_of(made.target));
  snapshots::follow_growth(scope, volume.id, made.target.size_gib);
  scope.touch(DocumentKind::volume, volume.id.str());
  return made;
}

Result<Modification> find(Scope& scope, const VolumeId& volume) {
  TRY_VOID(volumes::find(scope, volume));
  auto found = last_of(scope, volume);
  if (!found)
    return fail(Code::invalid_volume_modification_not_found,
                fmt::format("Modification for volume '{}' does not exist.", volume.str()));
  return *std::move(found);
}

std::vector<Modification> list(Scope& scope, const std::string& after) {
  return scope.tx.all(VIRGA_MODIFICATION_COLUMNS "WHERE account = ? AND volume > ? ORDER BY volume", from_row,
                      scope.account, after);
}

void observe(Scope& scope, const ObservedVolume& observed) {
  const auto last = last_of(scope, observed.id);
  if (!last) return;
  if (last->state == ModificationState::optimizing) set_state(scope, *last, ModificationState::completed);
  if (last->state != ModificationState::modifying) return;
  const auto wanted = static_cast<std::uint64_t>(last->target.size_gib);
  const bool grows = last->target.size_gib > last->original.size_gib;
  if (observed.ready && (!grows || observed.size_gib >= wanted)) {
    set_state(scope, *last, ModificationState::optimizing);
    return;
  }
  scope.tx.execute("UPDATE volume_modification SET problem = ? WHERE account = ? AND volume = ? AND problem <> ?",
                   observed.problem, scope.account, observed.id, observed.problem);
}

}  // namespace modifications

}  // namespace virga::storage
