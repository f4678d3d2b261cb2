#include "control/documents.h"
#include "core/json_values.h"

#include <algorithm>
#include <map>

#include "compute/sync.h"
#include "core/digest.h"
#include "network/sync.h"
#include "storage/sync.h"

namespace virga::control {

namespace {

template <class Wanted>
std::string digest_of(const Wanted& wanted) {
  return sha256_hex(nlohmann::json(wanted).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

/// Digest of the object's document per host that must have it.
std::map<std::string, std::string> wanted_digests(store::Transaction& tx, const Config& config, DocumentKind kind,
                                                  const std::string& id) {
  std::map<std::string, std::string> digests;
  switch (kind) {
    case DocumentKind::vpc: {
      const auto vpc = VpcId::trusted(id);
      for (const auto& host : network::hosts_of_vpc(tx, vpc))
        if (const auto wanted = network::wanted_vpc(tx, vpc, host)) digests[host] = digest_of(*wanted);
      break;
    }
    case DocumentKind::volume: {
      const auto volume = VolumeId::trusted(id);
      if (const auto host = storage::host_of_volume(tx, volume))
        if (const auto wanted = storage::wanted_volume(tx, volume)) digests[*host] = digest_of(*wanted);
      break;
    }
    case DocumentKind::instance: {
      const auto instance = InstanceId::trusted(id);
      if (const auto host = compute::host_of_instance(tx, instance))
        if (const auto wanted = compute::wanted_instance(tx, config, instance)) digests[*host] = digest_of(*wanted);
      break;
    }
    case DocumentKind::snapshot: {
      const auto snapshot = SnapshotId::trusted(id);
      if (const auto host = storage::host_of_snapshot(tx, snapshot))
        if (const auto wanted = storage::wanted_snapshot(tx, snapshot)) digests[*host] = digest_of(*wanted);
      break;
    }
    case DocumentKind::image:  // a host is told of images by imports and by the volumes based on them
      break;
  }
  return digests;
}

void prepare_one(store::Transaction& tx, const Config& config, DocumentKind kind, const std::string& id) {
  const auto digests = wanted_digests(tx, config, kind, id);
  for (const auto& [host, digest] : digests)
    tx.execute(
        "INSERT INTO wanted (host, kind, id, generation, digest) VALUES (?, ?, ?, 1, ?)"
        " ON CONFLICT (kind, id, host) DO UPDATE SET generation = generation + 1, digest = excluded.digest, removed = 0"
        " WHERE digest <> excluded.digest OR removed = 1",
        host, to_string(kind), id, digest);
  const auto told = tx.all(
      "SELECT host FROM wanted WHERE kind = ? AND id = ? AND removed = 0",
      [](store::Row& row) { return row.text(0); }, to_string(kind), id);
  for (const auto& host : told)
    if (!digests.contains(host))
      tx.execute("UPDATE wanted SET removed = 1, generation = generation + 1 WHERE kind = ? AND id = ? AND host = ?",
                 to_string(kind), id, host);
}

int order(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::image: return 0;
    case DocumentKind::volume: return 1;
    case DocumentKind::snapshot: return 2;
    case DocumentKind::vpc: return 3;
    case DocumentKind::instance: return 4;
  }
  return 5;
}

}  // namespace

Result<std::size_t> prepare(store::Transaction& tx, const Config& config, std::size_t limit) {
  const auto touched = tx.all(
      "SELECT kind, id FROM outbox LIMIT ?", [](store::Row& row) { return std::pair(row.text(0), row.text(1)); }, limit);
  for (const auto& [kind, id] : touched) {
    if (const auto parsed = parse_document_kind(kind)) prepare_one(tx, config, *parsed, id);
    tx.execute("DELETE FROM outbox WHERE kind = ? AND id = ?", kind, id);
  }
  return touched.size();
}

void want_removed(store::Transaction& tx, const std::string& host, DocumentKind kind, const std::string& id) {
  tx.execute(
      "INSERT INTO wanted (host, kind, id, generation, digest, removed) VALUES (?, ?, ?, 1, '', 1) ON CONFLICT DO NOTHING",
      host, to_string(kind), id);
}

void touch_all(store::Transaction& tx) {
  const auto touch = [&](DocumentKind kind, const std::string& id) {
    tx.execute("INSERT INTO outbox (kind, id) VALUES (?, ?) ON CONFLICT DO NOTHING", to_string(kind), id);
  };
  for (const auto& id : network::placed_vpcs(tx)) touch(DocumentKind::vpc, id.str());
  for (const auto& id : storage::placed_volumes(tx)) touch(DocumentKind::volume, id.str());
  for (const auto& id : storage::placed_snapshots(tx)) touch(DocumentKind::snapshot, id.str());
  for (const auto& id : compute::placed_instances(tx)) touch(DocumentKind::instance, id.str());
  tx.execute("INSERT INTO outbox (kind, id) SELECT DISTINCT kind, id FROM wanted WHERE removed = 0 ON CONFLICT DO NOTHING");
}

std::vector<Pending> pending(store::Transaction& tx, const std::string& host) {
  auto rows = tx.all(
      "SELECT kind, id, generation, removed, digest FROM wanted WHERE host = ? AND pushed < generation",
      [](store::Row& row) {
        return Pending{parse_document_kind(row.text(0)).value_or(DocumentKind::image), row.text(1),
                       static_cast<std::uint64_t>(row.integer(2)), row.boolean(3), row.text(4)};
      },
      host);
  // What instances need goes first; what goes away goes in the opposite order.
  std::ranges::stable_sort(rows, {}, [](const Pending& p) { return p.removed ? 10 - order(p.kind) : order(p.kind); });
  return rows;
}

void mark_pushed(store::Transaction& tx, const std::string& host, const Pending& pushed) {
  tx.execute("UPDATE wanted SET pushed = ? WHERE kind = ? AND id = ? AND host = ? AND generation >= ?", pushed.generation,
             to_string(pushed.kind), pushed.id, host, pushed.generation);
}

Document document(store::Transaction& tx, const Config& config, const std::string& host, const Pending& pending) {
  const auto stamped = [&](auto wanted) -> Document {
    if (!wanted || digest_of(*wanted) != pending.digest) return std::monostate();
    wanted->generation = pending.generation;
    return *wanted;
  };
  switch (pending.kind) {
    case DocumentKind::vpc: return stamped(network::wanted_vpc(tx, VpcId::trusted(pending.id), host));
    case DocumentKind::volume: return stamped(storage::wanted_volume(tx, VolumeId::trusted(pending.id)));
    case DocumentKind::snapshot: return stamped(storage::wanted_snapshot(tx, SnapshotId::trusted(pending.id)));
    case DocumentKind::instance: return stamped(compute::wanted_instance(tx, config, InstanceId::trusted(pending.id)));
    case DocumentKind::image: return std::monostate();
  }
  return std::monostate();
}

}  // namespace virga::control
