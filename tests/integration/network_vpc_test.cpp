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

TEST_F(NetworkVpc, RoutesToAnInterfaceAndToNowhere) {
  auto vpc = make_vpc(16);
  auto near = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  auto appliance = add_interface(vpc, 2, 2, "10.9.2.10", {17});
  vpc.interfaces.back().source_dest_check = false;
  vpc.route_tables.front().routes.push_back({"192.168.0.0/16", "eni:10.9.2.10"});
  apply(vpc);
  auto& sender = plug(vpc, near);
  auto& router_guest = plug(vpc, appliance);

  auto send_to = [&](const char* target, unsigned id) {
    sender.send(ethernet(router, sender.mac, type_ipv4,
                         ipv4({sender.address, *Ipv4::parse(target), 1}, echo(Echo::request, id))));
  };
  send_to("192.168.7.7", 1);
  auto forwarded = router_guest.receive([](const Bytes& frame) { return contains(frame, echo(Echo::request, 1)); });
  send_to("8.8.8.8", 2);
  auto refused = sender.receive([](const Bytes& frame) { return read_u16(frame, 12) == type_ipv4 && frame[34] == 3; });

  EXPECT_TRUE(forwarded);
  EXPECT_TRUE(refused) << "no 'destination unreachable' for an address behind no gateway";
}

TEST_F(NetworkVpc, AnswersPassWithoutARuleOfTheirOwn) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {});
  add_group(vpc, 19, {allow(false, "udp", 53, 53, "10.9.0.0/16")});
  auto client_id = add_interface(vpc, 1, 1, "10.9.1.10", {18});
  auto server_id = add_interface(vpc, 2, 1, "10.9.1.11", {19});
  apply(vpc);
  auto& client = plug(vpc, client_id);
  auto& server = plug(vpc, server_id);

  EXPECT_FALSE(reaches(server, client, 4000, 53));
  EXPECT_TRUE(reaches(client, server, 53, 4000));
  EXPECT_TRUE(reaches(server, client, 4000, 53));
  EXPECT_FALSE(reaches(server, client, 4001, 53));
}

TEST_F(NetworkVpc, AGroupAdmitsTheMembersOfAnother) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {});
  add_group(vpc, 19, {allow(false, "udp", 5432, 5433, "", 17)});
  auto member_id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  auto stranger_id = add_interface(vpc, 2, 1, "10.9.1.11", {18});
  auto server_id = add_interface(vpc, 3, 1, "10.9.1.12", {18, 19});
  apply(vpc);
  auto& member = plug(vpc, member_id);
  auto& stranger = plug(vpc, stranger_id);
  auto& server = plug(vpc, server_id);

  EXPECT_TRUE(reaches(member, server, 5432));
  EXPECT_TRUE(reaches(member, server, 5433));
  EXPECT_FALSE(reaches(member, server, 5434));
  EXPECT_FALSE(reaches(stranger, server, 5432));

  vpc.groups[0].members = {"10.9.1.11"};
  apply(vpc);

  EXPECT_TRUE(reaches(stranger, server, 5433, 4001));
  EXPECT_FALSE(reaches(member, server, 5433, 4001));
}

TEST_F(NetworkVpc, ChangedGroupsOfAnInterfaceTakeEffect) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {allow(false, "udp", 9, 9, "0.0.0.0/0")});
  auto from_id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  auto to_id = add_interface(vpc, 2, 1, "10.9.1.11", {17});
  apply(vpc);
  auto& from = plug(vpc, from_id);
  auto& to = plug(vpc, to_id);
  EXPECT_FALSE(reaches(from, to, 9));

  vpc.interfaces[1].groups = {17, 18};
  apply(vpc);
  EXPECT_TRUE(reaches(from, to, 9));

  vpc.interfaces[1].groups = {17};
  apply(vpc);
  EXPECT_FALSE(reaches(from, to, 9, 4001));
}

using Threat_N05 = NetworkVpc;
using Threat_N08 = NetworkVpc;
using Threat_N09 = NetworkVpc;
using Threat_C09 = NetworkVpc;
using Threat_M01 = NetworkVpc;

TEST_F(Threat_N05, AnInterfaceWithoutItsElementsIsClosedUntilTheyAreRepaired) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
  auto from_id = add_interface(vpc, 1, 1, "10.9.1.10", {18});
  auto to_id = add_interface(vpc, 2, 1, "10.9.1.11", {18});
  apply(vpc);
  auto& from = plug(vpc, from_id);
  auto& to = plug(vpc, to_id);
  EXPECT_TRUE(reaches(from, to, 9, 4000));

  inside(vpc, {"nft", "flush", "map", "inet", "vgsg", "in_mac"});
  inside(vpc, {"nft", "flush", "map", "inet", "vgsg", "in_ip4"});
  EXPECT_FALSE(reaches(from, to, 9, 4001));
  Bytes mark = text("wrong MAC");
  for (const Mac& target : {everyone, router, Mac{{1, 0, 0x5e, 0, 0, 1}}, mac_of(99)})
    EXPECT_FALSE(arrives(
        from, to, ethernet(target, from.mac, type_ipv4, ipv4({from.address, to.address}, udp(4002, 9, mark))), mark));

  apply(vpc);
  EXPECT_TRUE(reaches(from, to, 9, 4003));
}

TEST_F(Threat_N08, AThirdGuestHearsNothing) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
  auto a = add_interface(vpc, 1, 1, "10.9.1.10", {18});
  auto b = add_interface(vpc, 2, 1, "10.9.1.11", {18});
  auto c = add_interface(vpc, 3, 1, "10.9.1.12", {18});
  apply(vpc);
  auto& first = plug(vpc, a);
  auto& second = plug(vpc, b);
  auto& third = plug(vpc, c);

  for (unsigned port = 1; port <= 20; ++port) EXPECT_TRUE(reaches(first, second, port));
  Bytes unknown = text("to an unknown MAC");
  EXPECT_FALSE(arrives(
      first, third,
      ethernet(mac_of(77), first.mac, type_ipv4, ipv4({first.address, *Ipv4::parse("10.9.1.77")}, udp(1, 2, unknown))),
      text("datagram")));
}

TEST_F(Threat_N09, GuestsFindOnlyDnsDhcpAndMetadataOnTheHost) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& guest = plug(vpc, id);
  auto socket = network_->listen(vpc, "169.254.169.254", 80);
  ASSERT_TRUE(socket) << describe(socket.error());

  std::set<std::string> open;
  for (const char* text_of : {"10.9.1.1", "10.9.2.1", "10.9.0.2", "169.254.169.253", "169.254.169.254", "127.0.0.1"}) {
    auto host = *Ipv4::parse(text_of);
    // All well-known ports and a sample of the others.
    for (unsigned port = 1; port <= 65535; port += port < 1024 ? 1 : 61) {
      guest.send(ethernet(router, guest.mac, type_ipv4,
                          ipv4({guest.address, host, 6},
                               tcp({.from_address = guest.address, .to_address = host, .from = 4000, .to = port}))));
      guest.send(ethernet(router, guest.mac, type_ipv4, ipv4({guest.address, host}, udp(4000, port, text("x")))));
    }
    Arp fence{.sender_mac = guest.mac, .sender = guest.address, .target = *Ipv4::parse("10.9.1.1")};
    guest.send(ethernet(everyone, guest.mac, type_arp, arp(fence)));
    auto fenced = guest.receive([&](const Bytes& frame) {
      if (read_u16(frame, 12) == type_ipv4)
        open.insert(fmt::format("{}/{} {}", Ipv4{read_u32(frame, 26)}.str(), frame[23], read_u16(frame, 34)));
      return read_u16(frame, 12) == type_arp && read_u16(frame, 20) == 2;
    });
    EXPECT_TRUE(fenced);
  }

  EXPECT_EQ(open, (std::set<std::string>{"10.9.1.1/6 53", "10.9.2.1/6 53", "10.9.0.2/6 53", "169.254.169.253/6 53",
                                         "169.254.169.254/6 53", "169.254.169.254/6 80"}));
}

TEST_F(Threat_C09, OddRulesOfOneTenantHarmNoOther) {
  auto odd = make_vpc(64);
  for (const char* protocol : {"-1", "tcp", "udp", "icmp", "icmpv6", "0", "4", "6", "47", "132", "255"})
    for (auto [from, to] : {std::pair{-1, -1},
                            {0, 0},
                            {0, 65535},
                            {22, 22},
                            {80, 22},
                            {-1, 65535},
                            {8, -1},
                            {300, 300},
                            {65535, 65535},
                            {70000, 70001}})
      for (const char* cidr : {"0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "10.1.2.3/7", "::/0", "2001:db8::/33", ""})
        for (bool egress : {false, true})
          odd.groups.front().rules.push_back(allow(egress, protocol, from, to, cidr, *cidr == 0 ? 4711 : 0));
  auto odd_id = add_interface(odd, 1, 1, "10.9.1.10", {65});
  apply(odd);
  plug(odd, odd_id);
  auto poison = make_vpc(80);
  poison.groups.front().rules.push_back(allow(false, "tcp", 1, 2, "10.0.0.0/8; flush ruleset"));
  EXPECT_FALSE(network_->apply(poison));

  auto sane = make_vpc(96);
  auto a = add_interface(sane, 2, 1, "10.9.1.10", {97});
  auto b = add_interface(sane, 3, 1, "10.9.1.11", {97});
  apply(sane);
  auto& first = plug(sane, a);
  auto& second = plug(sane, b);
  EXPECT_TRUE(pings(first, second, second.mac, 1));
}

TEST_F(Threat_M01, EqualAddressesInTwoVpcsDoNotMeet) {
  auto one = make_vpc(16);
  auto two = make_vpc(32);
  std::vector<NetworkGuest*> guests;
  for (auto* vpc : {&one, &two}) {
    add_group(*vpc, vpc->number + 5, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
    auto a = add_interface(*vpc, vpc->number + 1, 1, "10.9.1.10", {vpc->number + 5});
    auto b = add_interface(*vpc, vpc->number + 2, 1, "10.9.1.11", {vpc->number + 5});
    vpc->interfaces[0].mac = mac_of(1).str();
    vpc->interfaces[1].mac = mac_of(2).str();
    apply(*vpc);
    guests.push_back(&plug(*vpc, a));
    guests.push_back(&plug(*vpc, b));
  }
  auto listening_one = network_->listen(one, "169.254.169.254", 80);
  auto listening_two = network_->listen(two, "169.254.169.254", 80);
  ASSERT_TRUE(listening_one && listening_two);

  Bytes mark = text("for VPC one only");
  EXPECT_TRUE(arrives(*guests[0], *guests[1], guests[0]->datagram(*guests[1], 1, 2, mark), mark));
  EXPECT_FALSE(guests[3]->receive([&](const Bytes& frame) { return contains(frame, mark); }, short_while));

  Ipv4 metadata = *Ipv4::parse("169.254.169.254");
  Tcp segment{.from_address = guests[0]->address, .to_address = metadata, .from = 4000, .to = 80};
  auto send = [&] {
    guests[0]->send(ethernet(router, guests[0]->mac, type_ipv4, ipv4({guests[0]->address, metadata, 6}, tcp(segment))));
  };
  send();
  auto answer =
      guests[0]->receive([](const Bytes& frame) { return frame.size() > 47 && frame[23] == 6 && frame[47] == 0x12; });
  ASSERT_TRUE(answer);
  segment.flags = 0x10;
  segment.sequence += 1;
  segment.acknowledged = read_u32(*answer, 38) + 1;
  send();
  pollfd sockets[] = {{listening_one->get(), POLLIN, 0}, {listening_two->get(), POLLIN, 0}};
  EXPECT_EQ(::poll(sockets, 2, 5000), 1);
  EXPECT_NE(sockets[0].revents, 0);
}

}  // namespace
}  // namespace virga::test
