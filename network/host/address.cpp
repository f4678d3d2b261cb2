#include "network/host/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace virga::network {
namespace {

tl::unexpected<Error> malformed(std::string_view what, std::string_view text) {
  return fail(Code::invalid_parameter_value, fmt::format("'{}' is not {}", text.substr(0, 64), what));
}

/// The number behind the slash, and the text before it.
Result<std::pair<std::string, int>> split(std::string_view text, int longest) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return malformed("a CIDR", text);
  auto digits = text.substr(slash + 1);
  int length = -1;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  bool complete = error == std::errc() && end == digits.data() + digits.size() && digits.front() != '-';
  if (!complete || length < 0 || length > longest) return malformed("a CIDR", text);
  return std::pair{std::string(text.substr(0, slash)), length};
}

}  // namespace

Result<Ipv4> Ipv4::parse(std::string_view text) {
  in_addr address{};
  std::string terminated(text);
  if (text.find('\0') != std::string_view::npos || ::inet_pton(AF_INET, terminated.c_str(), &address) != 1)
    return malformed("an IPv4 address", text);
  return Ipv4{ntohl(address.s_addr)};
}

std::string Ipv4::str() const {
  return fmt::format("{}.{}.{}.{}", value >> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255);
}

Result<Prefix4> Prefix4::parse(std::string_view text) {
  auto [address, length] = TRY(split(text, 32));
  Prefix4 prefix{TRY(Ipv4::parse(address)), length};
  prefix.base.value &= prefix.mask().value;
  return prefix;
}

std::string Prefix4::str() const { return fmt::format("{}/{}", base.str(), length); }

Result<Prefix6> Prefix6::parse(std::string_view text) {
  auto [address, length] = TRY(split(text, 128));
  Prefix6 prefix;
  prefix.length = length;
  if (address.find('\0') != std::string::npos || ::inet_pton(AF_INET6, address.c_str(), prefix.base.data()) != 1)
    return malformed("an IPv6 CIDR", text);
  for (int bit = length; bit < 128; ++bit)
    prefix.base[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
  return prefix;
}

std::string Prefix6::address() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET6, base.data(), text, sizeof text);
  return text;
}

Result<Mac> Mac::parse(std::string_view text) {
  Mac mac;
  if (text.size() != 17) return malformed("a MAC address", text);
  for (std::size_t i = 0; i < 6; ++i) {
    const char* first = text.data() + i * 3;
    if (i > 0 && first[-1] != ':') return malformed("a MAC address", text);
    auto [end, error] = std::from_chars(first, first + 2, mac.bytes[i], 16);
    if (error != std::errc() || end != first + 2) return malformed("a MAC address", text);
  }
  bool zero = std::ranges::all_of(mac.bytes, [](std::uint8_t byte) { return byte == 0; });
  if (zero || (mac.bytes[0] & 1) != 0) return malformed("the MAC address of one interface", text);
  return mac;
}

std::string Mac::str() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                     bytes[5]);
}

}  // namespace virga::network
