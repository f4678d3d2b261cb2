#pragma once

// What a guest asks of its VPC's DHCP and DNS server.

#include "tests/support/network_guest.h"

namespace virga::test {

inline bool ask_dhcp(const NetworkGuest& guest, unsigned type, const Bytes& options, Ipv4 from = {}) {
  Bytes message = dhcp_request(type, guest.mac, options);
  // A client that has an address says so in "ciaddr" and gets the answer there.
  Bytes own = u32(from.value);
  std::copy(own.begin(), own.end(), message.begin() + 12);
  return guest.send(
      ethernet(everyone, guest.mac, type_ipv4, ipv4({.from = from, .to = Ipv4{~0U}}, udp(68, 67, message))));
}

/// The address offered; the server may still be reading its files, so the guest asks again as guests do.
inline std::optional<Ipv4> offered(const NetworkGuest& guest) {
  for (int i = 0; i < 10; ++i) {
    ask_dhcp(guest, 1, {});
    auto answer =
        guest.receive([](const Bytes& frame) { return read_u16(frame, 12) == type_ipv4 && read_u16(frame, 34) == 67; },
                      std::chrono::seconds(1));
    if (answer) return Ipv4{read_u32(*answer, 58)};
  }
  return std::nullopt;
}

/// Whether the server acknowledges a message that has just been sent.
inline bool acknowledged(const NetworkGuest& guest) {
  return guest
      .receive([](const Bytes& frame) {
        return read_u16(frame, 34) == 67 && dhcp_option(Bytes(frame.begin() + 42, frame.end()), 53) == u8(5);
      })
      .has_value();
}

/// Takes what was offered.
inline bool takes_lease(const NetworkGuest& guest) {
  return ask_dhcp(guest, 3, u8(50) + u8(4) + u32(guest.address.value)) && acknowledged(guest);
}

/// Renews the lease it has.
inline bool renews_lease(const NetworkGuest& guest) {
  return ask_dhcp(guest, 3, {}, guest.address) && acknowledged(guest);
}

/// A query for the address of "<label>.ec2.internal".
inline Bytes dns_question(std::string_view label, unsigned id) {
  return u16(id) + u16(0x0100) + u16(1) + zeros(6) + u8(static_cast<unsigned>(label.size())) + text(label) + u8(3) +
         text("ec2") + u8(8) + text("internal") + u8(0) + u16(1) + u16(1);
}

/// The address the resolver at `resolver` gives for the name, asked once.
inline std::optional<Ipv4> look_up(const NetworkGuest& guest, Ipv4 resolver, std::string_view label, unsigned id,
                                   std::chrono::milliseconds within) {
  constexpr Mac gateway{{2, 0, 0, 0, 0, 1}};
  guest.send(ethernet(gateway, guest.mac, type_ipv4,
                      ipv4({.from = guest.address, .to = resolver}, udp(4000, 53, dns_question(label, id)))));
  auto answer =
      guest.receive([&](const Bytes& frame) { return read_u16(frame, 34) == 53 && read_u16(frame, 42) == id; }, within);
  if (!answer || read_u16(*answer, 48) != 1 || answer->size() < 46) return std::nullopt;
  return Ipv4{read_u32(*answer, answer->size() - 4)};
}

}  // namespace virga::test
