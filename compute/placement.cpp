#include "compute/placement.h"

#include <fmt/format.h>

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

std::vector<Candidate> candidates(Scope& scope, const PlacementRequest& request) {
  return scope.tx.all(
      "SELECT h.name, h.vcpus - h.vcpus_used, h.memory_mib - h.memory_mib_used, h.storage_gib - h.storage_gib_used"
      " FROM host h JOIN image_copy c ON c.host = h.name AND c.image = ?"
      " WHERE h.state = 'up' AND EXISTS (SELECT 1 FROM json_each(h.zones) z WHERE z.value = ?)",
      [](store::Row& row) {
        return Candidate{row.text(0), {row.integer(1), row.integer(2), row.integer(3)}};
      },
      request.image_bytes, request.zone);
}

/// Why there is not a single candidate.
std::string why_none(Scope& scope, const PlacementRequest& request) {
  const bool down = scope.tx.exists(
      "SELECT 1 FROM host h JOIN image_copy c ON c.host = h.name AND c.image = ?"
      " WHERE EXISTS (SELECT 1 FROM json_each(h.zones) z WHERE z.value = ?)",
      request.image_bytes, request.zone);
  return down ? "every host that serves it and has the image is down" : "no host that serves it has the image";
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
