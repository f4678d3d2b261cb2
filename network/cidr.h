#pragma once

// IPv4 and IPv6 addresses and CIDR blocks as callers write them, and in canonical form. Only the plain forms pass: four
// decimal numbers without leading zeros, no spaces, a prefix length without leading zeros.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace virga::network {

/// An IPv4 address as a number in host order.
using Ipv4 = std::uint32_t;

std::optional<Ipv4> parse_ipv4(std::string_view text);
std::string to_string(Ipv4 address);

/// A block of IPv4 addresses; `base` has no bits set behind the prefix.
struct Cidr4 {
  Ipv4 base = 0;
  int prefix = 0;  ///< 0-32

  /// "10.1.2.3/16" means 10.1.0.0/16: EC2 masks the host bits too.
  static std::optional<Cidr4> parse(std::string_view text);
  std::uint64_t size() const { return std::uint64_t{1} << (32 - prefix); }
  Ipv4 last() const { return base + static_cast<Ipv4>(size() - 1); }
  bool contains(Ipv4 address) const { return address >= base && address <= last(); }
  bool contains(const Cidr4& other) const { return contains(other.base) && contains(other.last()); }
  bool overlaps(const Cidr4& other) const { return base <= other.last() && other.base <= last(); }
  std::string str() const;
  auto operator<=>(const Cidr4&) const = default;
};

/// An IPv6 block in canonical form: RFC 5952 text, host bits masked.
std::optional<std::string> canonical_cidr6(std::string_view text);

}  // namespace virga::network
