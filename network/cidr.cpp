#include "network/cidr.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace virga::network {

namespace {

/// Digits only, no leading zero, at most `max`.
std::optional<int> parse_prefix(std::string_view text, int max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  if (!std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value <= max ? std::optional(value) : std::nullopt;
}

struct Halves {
  std::string_view address;
  std::string_view prefix;
};

std::optional<Halves> split(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return Halves{text.substr(0, slash), text.substr(slash + 1)};
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  // inet_pton takes the dotted quad only, without leading zeros. It stops at a NUL, which a caller could send.
  if (text.size() > 15 || text.find('\0') != std::string_view::npos) return std::nullopt;
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string to_string(Ipv4 address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 0xff, (address >> 8) & 0xff, address & 0xff);
}

std::optional<Cidr4> Cidr4::parse(std::string_view text) {
  const auto halves = split(text);
  if (!halves) return std::nullopt;
  const auto address = parse_ipv4(halves->address);
  const auto prefix = parse_prefix(halves->prefix, 32);
  if (!address || !prefix) return std::nullopt;
  const Ipv4 mask = *prefix == 0 ? 0 : ~Ipv4{0} << (32 - *prefix);
  return Cidr4{*address & mask, *prefix};
}

std::string Cidr4::str() const { return fmt::format("{}/{}", to_string(base), prefix); }

std::optional<std::string> canonical_cidr6(std::string_view text) {
  const auto halves = split(text);
  if (!halves || halves->address.size() >= INET6_ADDRSTRLEN || halves->address.find('\0') != std::string_view::npos)
    return std::nullopt;
  const auto prefix = parse_prefix(halves->prefix, 128);
  in6_addr address{};
  if (!prefix || inet_pton(AF_INET6, std::string(halves->address).c_str(), &address) != 1) return std::nullopt;
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(*prefix - 8 * i, 0, 8);
    address.s6_addr[i] &= static_cast<std::uint8_t>(0xff00 >> kept);
  }
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  inet_ntop(AF_INET6, &address, canonical.data(), canonical.size());
  return fmt::format("{}/{}", canonical.data(), *prefix);
}

}  // namespace virga::network
