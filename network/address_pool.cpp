#include "network/address_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/assert.h"

namespace virga::network::address_pool {

namespace {

/// Guesses before the pool is read through: enough to find a free address of a pool that is not nearly full.
constexpr int most_guesses = 16;
constexpr int smallest_with_ends = 30;  // prefix length: smaller blocks are used whole

struct Range {
  Ipv4 first;
  Ipv4 last;

  std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
};

std::vector<Range> ranges_of(const Config& config) {
  std::vector<Range> ranges;
  for (const auto& text : config.public_cidrs) {
    const auto block = Cidr4::parse(text);
    VIRGA_ASSERT(block.has_value());  // the configuration was checked
    const Ipv4 left_out = block->prefix <= smallest_with_ends ? 1 : 0;
    ranges.push_back({block->base + left_out, block->last() - left_out});
  }
  return ranges;
}

Ipv4 at(const std::vector<Range>& ranges, std::uint64_t index) {
  for (const auto& range : ranges) {
    if (index < range.size()) return range.first + static_cast<Ipv4>(index);
    index -= range.size();
  }
  return ranges.back().last;
}

bool taken(Scope& scope, Ipv4 address) {
  return scope.tx.exists("SELECT 1 FROM public_address WHERE address = ?", address);
}

std::optional<Ipv4> lowest_free(Scope& scope, const Range& range) {
  std::uint64_t candidate = range.first;
  scope.tx.for_each(
      "SELECT address FROM public_address WHERE address BETWEEN ? AND ? ORDER BY address",
      [&](store::Row& row) {
        if (static_cast<std::uint64_t>(row.integer(0)) != candidate) return false;
        ++candidate;
        return true;
      },
      range.first, range.last);
  if (candidate > range.last) return std::nullopt;
  return static_cast<Ipv4>(candidate);
}

}  // namespace

Result<Ipv4> any(Scope& scope, const Config& config) {
  const auto ranges = ranges_of(config);
  std::uint64_t size = 0;
  for (const auto& range : ranges) size += range.size();
  for (int guess = 0; size > 0 && guess < most_guesses; ++guess)
    if (const auto address = at(ranges, scope.ids.next() % size); !taken(scope, address)) return address;
  for (const auto& range : ranges)
    if (const auto address = lowest_free(scope, range)) return *address;
  return fail(Code::insufficient_address_capacity, "Not enough available addresses to satisfy your request.");
}

Result<Ipv4> exactly(Scope& scope, const Config& config, Ipv4 address) {
  const auto ranges = ranges_of(config);
  const bool ours =
      std::ranges::any_of(ranges, [&](const Range& range) { return address >= range.first && address <= range.last; });
  if (!ours) return fail(Code::invalid_address_not_found, fmt::format("Address '{}' not found.", to_string(address)));
  if (taken(scope, address))
    return fail(Code::invalid_ip_address_in_use, fmt::format("Address {} is in use.", to_string(address)));
  return address;
}

}  // namespace virga::network::address_pool
