// A VPC on the real kernel: addresses, names, routing, groups, and what survives what.

#include "tests/integration/network_fixture.h"

namespace virga::test {
namespace {

using network::WantedVpc;

constexpr std::chrono::milliseconds short_while{300};

/// Sends an echo request and says whether it arrived; the receiver's answer must then come back.
bool pings(const NetworkGuest& from, const NetworkGuest& to, const Mac& next_hop, unsigned id) {
  Bytes request = echo(Echo::request, id);
  EXPECT_TRUE(from.send(ethernet(next_hop, from.mac, type_ipv4, ipv4({from.address, to.address, 1}, request))));
  auto got = to.receive([&](const Bytes& frame) { return contains(frame, request); }, short_while * 3);
  if (!got) return false;
  Bytes reply = echo(Echo::reply, id);
  Mac back{};
  std::copy(got->begin() + 6, got->begin() + 12, back.bytes.begin());
  EXPECT_TRUE(to.send(ethernet(back, to.mac, type_ipv4, ipv4({to.address, from.address, 1}, reply))));
  return from.receive([&](const Bytes& frame) { return contains(frame, reply); }).has_value();
}

/// The DHCP server's answer to a message of the guest.
Bytes dhcp(const NetworkGuest& guest, unsigned type, const Bytes& options) {
  Bytes request = udp(68, 67, dhcp_request(type, guest.mac, options));
  EXPECT_TRUE(guest.send(ethernet(everyone, guest.mac, type_ipv4, ipv4({Ipv4{0}, Ipv4{~0U}}, request))));
  auto answer = guest.receive([](const Bytes& frame) {
    return read_u16(frame, 12) == type_ipv4 && read_u16(frame, 34) == 67 && read_u16(frame, 36) == 68;
  });
  return answer ? Bytes(answer->begin() + 42, answer->end()) : Bytes();
}

/// The address the guest is given; the process may still be reading its files, so the guest asks again as guests do.
Bytes discover(const NetworkGuest& guest) {
  Bytes ask_for = u8(55) + u8(6) + u8(1) + u8(3) + u8(6) + u8(12) + u8(15) + u8(26);
  for (int i = 0; i < 4; ++i)
    if (auto offer = dhcp(guest, 1, ask_for); !offer.empty()) return offer;
  return {};
}

class NetworkVpc : public NetworkTest {};

TEST_F(NetworkVpc, GuestsGetTheirReservedAddressByDhcp) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& guest = plug(vpc, id);

  auto offer = discover(guest);
  ASSERT_FALSE(offer.empty());
  Bytes server = dhcp_option(offer, 54);
  auto ack = dhcp(guest, 3, u8(50) + u8(4) + u32(guest.address.value) + u8(54) + u8(4) + server);

  ASSERT_FALSE(ack.empty());
  EXPECT_EQ(dhcp_option(ack, 53), u8(5));
  EXPECT_EQ(read_u32(ack, 16), guest.address.value);
  auto option = [&](unsigned number) { return dhcp_option(offer, number); };
  EXPECT_EQ(option(1), u32(0xffffff00));
  EXPECT_EQ(option(3), u32(Ipv4::parse("10.9.1.1")->value));
  EXPECT_EQ(option(6), u32(Ipv4::parse("10.9.0.2")->value));
  EXPECT_EQ(option(12), text("ip-10-9-1-10"));
  EXPECT_EQ(option(15), text("ec2.internal"));
  EXPECT_EQ(option(26), u16(1500));
  EXPECT_EQ(dhcp_option(ack, 51), u32(86400));
}

TEST_F(NetworkVpc, TheGatewayAnswersArpWithItsFixedMac) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& guest = plug(vpc, id);

  auto gateway = *Ipv4::parse("10.9.1.1");
  guest.send(ethernet(everyone, guest.mac, type_arp,
                      arp({.sender_mac = guest.mac, .sender = guest.address, .target = gateway})));
  auto reply =
      guest.receive([](const Bytes& frame) { return read_u16(frame, 12) == type_arp && read_u16(frame, 20) == 2; });

  ASSERT_TRUE(reply);
  EXPECT_TRUE(contains(*reply, octets(router) + u32(gateway.value)));
}

TEST_F(NetworkVpc, GroupsDecideWhoMayPing) {
  auto vpc = make_vpc(16);
  vpc.groups.push_back({.id = SecurityGroupId::trusted("sg-00000000000000018"),
                        .number = 18,
                        .rules = {allow(true, "-1", -1, -1, "0.0.0.0/0")},
                        .members = {}});
  auto open_id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  auto closed_id = add_interface(vpc, 2, 1, "10.9.1.11", {18});
  auto far_id = add_interface(vpc, 3, 2, "10.9.2.10", {17});
  apply(vpc);
  auto& open = plug(vpc, open_id);
  auto& closed = plug(vpc, closed_id);
  auto& far = plug(vpc, far_id);

  EXPECT_TRUE(pings(closed, open, open.mac, 1));
  EXPECT_FALSE(pings(open, closed, closed.mac, 2));
  EXPECT_TRUE(pings(closed, far, router, 3));
  EXPECT_TRUE(pings(open, far, router, 4));
  EXPECT_FALSE(pings(far, closed, router, 5));
}

}  // namespace
}  // namespace virga::test
