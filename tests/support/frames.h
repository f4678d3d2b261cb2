#pragma once

// Ethernet frames as a guest writes them to its tap, right ones and crafted ones.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "network/host/address.h"

namespace virga::test {

using network::Ipv4;
using network::Mac;
using Bytes = std::vector<std::uint8_t>;

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
inline Bytes u8(unsigned value) { return {static_cast<std::uint8_t>(value)}; }
inline Bytes u16(unsigned value) { return u8(value >> 8) + u8(value & 255); }
inline Bytes u32(std::uint32_t value) { return u16(value >> 16) + u16(value & 65535); }
inline Bytes text(std::string_view value) { return {value.begin(), value.end()}; }
inline Bytes octets(const Mac& mac) { return {mac.bytes.begin(), mac.bytes.end()}; }
inline Bytes zeros(std::size_t count) { return Bytes(count, 0); }
inline std::uint32_t read_u16(const Bytes& bytes, std::size_t at) {
  return at + 2 <= bytes.size() ? static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]) : 0;
}
inline std::uint32_t read_u32(const Bytes& bytes, std::size_t at) {
  return read_u16(bytes, at) << 16 | read_u16(bytes, at + 2);
}

/// The Internet checksum.
inline unsigned checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  while (sum >> 16 != 0) sum = (sum & 65535) + (sum >> 16);
  return ~sum & 65535;
}

constexpr Mac everyone{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr unsigned type_ipv4 = 0x0800;
constexpr unsigned type_arp = 0x0806;
constexpr unsigned type_ipv6 = 0x86dd;

inline Bytes ethernet(const Mac& to, const Mac& from, unsigned type, const Bytes& payload) {
  return octets(to) + octets(from) + u16(type) + payload;
}

struct Ipv4Header {
  Ipv4 from;
  Ipv4 to;
  unsigned protocol = 17;
  unsigned fragment = 0;  ///< flags and offset as on the wire
  unsigned first = 0x45;  ///< version and header length
  unsigned ttl = 64;
};
inline Bytes ipv4(const Ipv4Header& header, const Bytes& payload) {
  auto with = [&](unsigned sum) {
    return u8(header.first) + u8(0) + u16(static_cast<unsigned>(20 + payload.size())) + u16(7) + u16(header.fragment) +
           u8(header.ttl) + u8(header.protocol) + u16(sum) + u32(header.from.value) + u32(header.to.value);
  };
  return with(checksum(with(0))) + payload;
}
/// Without checksum, as IPv4 allows.
inline Bytes udp(unsigned from, unsigned to, const Bytes& payload) {
  return u16(from) + u16(to) + u16(static_cast<unsigned>(8 + payload.size())) + u16(0) + payload;
}
enum class Echo { reply = 0, request = 8 };
inline Bytes echo(Echo kind, unsigned id) {
  auto with = [&](unsigned sum) {
    return u8(static_cast<unsigned>(kind)) + u8(0) + u16(sum) + u16(id) + u16(1) + text("virga");
  };
  return with(checksum(with(0)));
}
struct Tcp {
  Ipv4 from_address;
  Ipv4 to_address;
  unsigned from = 0;
  unsigned to = 0;
  std::uint32_t sequence = 1000;
  std::uint32_t acknowledged = 0;
  unsigned flags = 0x02;  ///< SYN
};
inline Bytes tcp(const Tcp& header) {
  auto with = [&](unsigned sum) {
    return u16(header.from) + u16(header.to) + u32(header.sequence) + u32(header.acknowledged) + u8(0x50) +
           u8(header.flags) + u16(1024) + u16(sum) + u16(0);
  };
  return with(checksum(u32(header.from_address.value) + u32(header.to_address.value) + u16(6) + u16(20) + with(0)));
}

struct Arp {
  unsigned operation = 1;
  Mac sender_mac;
  Ipv4 sender;
  Mac target_mac{};
  Ipv4 target;
  unsigned hardware = 1;
  unsigned protocol = type_ipv4;
  unsigned hardware_length = 6;
};
inline Bytes arp(const Arp& fields) {
  return u16(fields.hardware) + u16(fields.protocol) + u8(fields.hardware_length) + u8(4) + u16(fields.operation) +
         octets(fields.sender_mac) + u32(fields.sender.value) + octets(fields.target_mac) + u32(fields.target.value);
}

/// A DHCP message of a client; `options` behind the message type, with their lengths.
inline Bytes dhcp_request(unsigned type, const Mac& mac, const Bytes& options) {
  return u8(1) + u8(1) + u8(6) + u8(0) + u32(0x12345678) + u16(0) + u16(0) + zeros(16) + octets(mac) + zeros(10 + 192) +
         u32(0x63825363) + u8(53) + u8(1) + u8(type) + options + u8(255);
}
/// The value of an option of a DHCP message; empty if it is not there.
inline Bytes dhcp_option(const Bytes& message, unsigned wanted) {
  for (std::size_t at = 240; at + 1 < message.size() && message[at] != 255;) {
    std::size_t length = message[at] == 0 ? 0 : message[at + 1];
    if (message[at] == wanted && at + 2 + length <= message.size())
      return {message.begin() + static_cast<std::ptrdiff_t>(at) + 2,
              message.begin() + static_cast<std::ptrdiff_t>(at + 2 + length)};
    at += message[at] == 0 ? 1 : 2 + length;
  }
  return {};
}

}  // namespace virga::test
