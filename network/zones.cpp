#include "network/zones.h"

#include <fmt/format.h>

#include <algorithm>

namespace virga::network {

namespace {
constexpr std::string_view first_region = "us-east-1";
}

std::vector<Zone> zones(const Config& config) {
  const std::string_view short_name = config.region == first_region ? "use1" : std::string_view(config.region);
  std::vector<Zone> all;
  for (const auto& name : config.zone_names())
    all.push_back({name, fmt::format("{}-az{}", short_name, all.size() + 1)});
  return all;
}

std::optional<Zone> zone_by_name(const Config& config, std::string_view name) {
  for (auto& zone : zones(config))
    if (zone.name == name) return std::move(zone);
  return std::nullopt;
}

std::optional<Zone> zone_by_id(const Config& config, std::string_view id) {
  for (auto& zone : zones(config))
    if (zone.id == id) return std::move(zone);
  return std::nullopt;
}

std::string internal_domain(std::string_view region) {
  return region == first_region ? "ec2.internal" : fmt::format("{}.compute.internal", region);
}

std::string host_name_of(std::string_view private_ip) {
  std::string name = "ip-";
  name += private_ip;
  std::ranges::replace(name, '.', '-');
  return name;
}

}  // namespace virga::network
