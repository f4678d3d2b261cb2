#include "compute/placement.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

namespace virga::compute {

namespace {

struct Candidate {
  std::string name;
  Resources free;
};

/// The first resource that is short, for the message; nothing: it fits.
std::optional<std::string> shortage(const Resources& free, const Resources& needed) {
  const auto say = [](std::string_view what, std::int64_t need, std::int64_t have) {
    return fmt::format("{} needed {}, free {}", what, need, std::max<std::int64_t>(have, 0));
  };
  if (needed.memory_mib > free.memory_mib) return say("memory (MiB)", needed.memory_mib, free.memory_mib);
  if (needed.vcpus > free.vcpus) return say("vCPUs", needed.vcpus, free.vcpus);
  if (needed.storage_gib > free.storage_gib) return say("storage (GiB)", needed.storage_gib, free.storage_gib);
  return std::nullopt;
}

Error insufficient(const std::string& zone, const std::string& why) {
  return {Code::insufficient_instance_capacity,
          fmt::format("We currently do not have sufficient capacity in the Availability Zone you requested ({}): {}.",
                      zone, why),
          {}};
}

std::string json_of(const std::vector<SnapshotId>& snapshots) { return nlohmann::json(snapshots).dump(); }

// What a host `h` must have: the bytes of the first parameter, the snapshots of the second; and the zone of the third.
#define VIRGA_HOST_FITS                                                                               \
  "(?1 IS NULL OR EXISTS (SELECT 1 FROM image_copy c WHERE c.host = h.name AND c.image = ?1))"        \
  " AND NOT EXISTS (SELECT 1 FROM json_each(?2) j WHERE NOT EXISTS"                                   \
  "   (SELECT 1 FROM snapshot s WHERE s.id = j.value AND s.host = h.name AND s.state = 'completed'))" \
  " AND EXISTS (SELECT 1 FROM json_each(h.zones) z WHERE z.value = ?3)"

std::vector<Candidate> candidates(Scope& scope, const PlacementRequest& request) {
  return scope.tx.all(
      "SELECT h.name, h.vcpus - h.vcpus_used, h.memory_mib - h.memory_mib_used, h.storage_gib - h.storage_gib_used"
      " FROM host h WHERE h.state = 'up' AND " VIRGA_HOST_FITS,
      [](store::Row& row) {
        return Candidate{row.text(0), {row.integer(1), row.integer(2), row.integer(3)}};
      },
      request.image_bytes, json_of(request.snapshots), request.zone);
}

/// Why there is not a single candidate.
std::string why_none(Scope& scope, const PlacementRequest& request) {
  const bool down = scope.tx.exists("SELECT 1 FROM host h WHERE " VIRGA_HOST_FITS, request.image_bytes,
                                    json_of(request.snapshots), request.zone);
  if (down) return "every host that serves it and has the image is down";
  return request.snapshots.empty() ? "no host that serves it has the image"
                                   : "no host that serves it has the image and all snapshots of the volumes";
}

}  // namespace

Result<std::vector<std::string>> place(Scope& scope, const PlacementRequest& request, int min_count) {
  auto hosts = candidates(scope, request);
  std::vector<std::string> placed;
  while (static_cast<int>(placed.size()) < request.max_count) {
    std::ranges::sort(hosts, [](const Candidate& a, const Candidate& b) {
      return a.free.memory_mib != b.free.memory_mib ? a.free.memory_mib > b.free.memory_mib : a.name < b.name;
    });
    const auto fits = std::ranges::find_if(hosts, [&](const Candidate& h) { return !shortage(h.free, request.each); });
    if (fits == hosts.end()) break;
    fits->free.vcpus -= request.each.vcpus;
    fits->free.memory_mib -= request.each.memory_mib;
    fits->free.storage_gib -= request.each.storage_gib;
    placed.push_back(fits->name);
  }
  if (static_cast<int>(placed.size()) >= min_count) return placed;
  if (hosts.empty()) return fail(insufficient(request.zone, why_none(scope, request)));
  const auto why = shortage(hosts.front().free, request.each).value_or("no host has all that is needed");
  return fail(
      insufficient(request.zone, fmt::format("{} instances fit where at least {} were asked for; for the next one, {}",
                                             placed.size(), min_count, why)));
}

void take_capacity(Scope& scope, const std::string& host, const Resources& resources) {
  scope.tx.execute("UPDATE host SET vcpus_used = vcpus_used + ?, memory_mib_used = memory_mib_used + ? WHERE name = ?",
                   resources.vcpus, resources.memory_mib, host);
}

void give_capacity_back(Scope& scope, const std::string& host, const Resources& resources) {
  scope.tx.execute(
      "UPDATE host SET vcpus_used = max(vcpus_used - ?, 0), memory_mib_used = max(memory_mib_used - ?, 0)"
      " WHERE name = ?",
      resources.vcpus, resources.memory_mib, host);
}

Result<void> take_capacity_if_free(Scope& scope, const std::string& host, const Resources& resources) {
  const auto free = scope.tx.one(
      "SELECT vcpus - vcpus_used, memory_mib - memory_mib_used FROM host WHERE name = ? AND state = 'up'",
      [](store::Row& row) {
        return Resources{row.integer(0), row.integer(1), 0};
      },
      host);
  const auto why = free ? shortage(*free, {resources.vcpus, resources.memory_mib, 0}) : "its host is down";
  if (why)
    return fail(Code::insufficient_instance_capacity,
                "We currently do not have sufficient capacity to start the instance: " + *why + ".");
  take_capacity(scope, host, resources);
  return {};
}

}  // namespace virga::compute
