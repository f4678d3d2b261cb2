#pragma once

// Addresses as typed values. Everything below the document works on these, so that no tenant's text ever reaches the
// kernel, the rule set or a configuration file.

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga::network {

/// An IPv4 address in host byte order.
struct Ipv4 {
  std::uint32_t value = 0;
  /// Dotted quad with four plain decimal numbers; anything else is an error.
  static Result<Ipv4> parse(std::string_view text);
  std::string str() const;
  Ipv4 operator+(std::uint32_t offset) const { return {value + offset}; }
  auto operator<=>(const Ipv4&) const = default;
};

/// An IPv4 network. The bits behind the length are zero.
struct Prefix4 {
  Ipv4 base;
  int length = 0;
  static Result<Prefix4> parse(std::string_view text);
  Ipv4 mask() const { return {length == 0 ? 0 : ~std::uint32_t{0} << (32 - length)}; }
  bool contains(Ipv4 address) const { return (address.value & mask().value) == base.value; }
  std::string str() const;
  auto operator<=>(const Prefix4&) const = default;
};

/// An IPv6 network, in the kernel's byte order. The bits behind the length are zero.
struct Prefix6 {
  std::array<std::uint8_t, 16> base{};
  int length = 0;
  static Result<Prefix6> parse(std::string_view text);
  std::string address() const;
  auto operator<=>(const Prefix6&) const = default;
};

struct Mac {
  std::array<std::uint8_t, 6> bytes{};
  /// Six pairs of hex digits with colons; not a group address and not zero.
  static Result<Mac> parse(std::string_view text);
  std::string str() const;
  auto operator<=>(const Mac&) const = default;
};

}  // namespace virga::network
