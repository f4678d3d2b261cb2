#include "network/host/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace virga::network {

std::string Names::name_space(std::uint32_t vpc) const { return fmt::format("vg-{}-{:08x}", realm_, vpc); }
std::string Names::bridge(std::uint32_t subnet) const { return fmt::format("vb{}{:08x}", realm_, subnet); }
std::string Names::tap(std::uint32_t interface) const { return fmt::format("vt{}{:08x}", realm_, interface); }
std::string Names::edge() const { return name_space_prefix() + "edge"; }
std::string Names::way_out(std::uint32_t vpc) const { return fmt::format("{}{:08x}", way_out_prefix(), vpc); }
std::string Names::uplink() const { return fmt::format("vr{}{:08x}", realm_, 0); }

namespace {

/// The eight lower-case hex digits behind the prefix.
std::optional<std::uint32_t> number_behind(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix) || name.size() != prefix.size() + 8) return std::nullopt;
  auto digits = name.substr(prefix.size());
  bool lower_hex = std::ranges::all_of(digits, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  std::uint32_t number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (!lower_hex || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::uint32_t> Names::vpc_of(std::string_view name_space) const {
  return number_behind(name_space_prefix(), name_space);
}
std::optional<std::uint32_t> Names::vpc_of_way_out(std::string_view link) const {
  return number_behind(way_out_prefix(), link);
}

}  // namespace virga::network
