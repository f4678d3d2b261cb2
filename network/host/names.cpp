#include "network/host/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace virga::network {

std::string Names::name_space(std::uint32_t vpc) const { return fmt::format("vg-{}-{:08x}", realm_, vpc); }
std::string Names::bridge(std::uint32_t subnet) const { return fmt::format("vb{}{:08x}", realm_, subnet); }
std::string Names::tap(std::uint32_t interface) const { return fmt::format("vt{}{:08x}", realm_, interface); }

std::optional<std::uint32_t> Names::vpc_of(std::string_view name_space) const {
  std::string prefix = name_space_prefix();
  if (!name_space.starts_with(prefix) || name_space.size() != prefix.size() + 8) return std::nullopt;
  auto digits = name_space.substr(prefix.size());
  bool lower_hex = std::ranges::all_of(digits, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  std::uint32_t number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (!lower_hex || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace virga::network
