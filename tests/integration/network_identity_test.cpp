// What a guest may put on the wire: the frames with which other systems were fooled, sent from a tap to a neighbour
// whose group lets everything in, so that only the identity checks decide.

#include "tests/integration/network_fixture.h"

namespace virga::test {
namespace {

struct Case {
  std::string name;
  Bytes frame;
  bool passes = false;
};

const Mac foreign_mac{{0x06, 0x66, 0x66, 0x66, 0x66, 0x66}};
const Mac all_nodes{{0x33, 0x33, 0, 0, 0, 1}};
const Ipv4 gateway = *Ipv4::parse("10.9.1.1");
const Ipv4 elsewhere = *Ipv4::parse("10.9.1.99");
const Ipv4 metadata = *Ipv4::parse("169.254.169.254");
const Ipv4 limited_broadcast{~0U};

/// Every crafted frame ends in this, so that it is recognised whatever is wrapped around it.
Bytes mark_of(const std::string& name) { return text("<" + name + ">"); }

/// Builds the frames of one sender to one neighbour.
class Crafter {
 public:
  Crafter(const NetworkGuest& sender, const NetworkGuest& receiver) : from(sender), to(receiver) {}

  void add(const std::string& name, bool passes, const Mac& target, const Mac& source, unsigned type,
           const Bytes& payload) {
    cases.push_back({name, ethernet(target, source, type, payload + mark_of(name)), passes});
  }
  void own(const std::string& name, bool passes, const Mac& target, unsigned type, const Bytes& payload) {
    add(name, passes, target, from.mac, type, payload);
  }
  /// A datagram; the mark is its payload.
  void datagram(const std::string& name, bool passes, const Mac& target, Ipv4Header header, unsigned from_port,
                unsigned to_port) {
    Bytes body =
        header.fragment > 8 && header.fragment < 0x2000 ? mark_of(name) : udp(from_port, to_port, mark_of(name));
    cases.push_back({name, ethernet(target, from.mac, type_ipv4, ipv4(header, body)), passes});
  }
  void arp_frame(const std::string& name, bool passes, const Arp& fields, const Mac& source) {
    cases.push_back({name, ethernet(to.mac, source, type_arp, arp(fields) + mark_of(name)), passes});
  }

  const NetworkGuest& from;
  const NetworkGuest& to;
  std::vector<Case> cases;
};

/// `checked`: the source/destination check of the sender is on.
std::vector<Case> addresses(const NetworkGuest& from, const NetworkGuest& to, bool checked) {
  Crafter craft(from, to);
  auto stolen = [&](const std::string& name, const Mac& source) {
    Bytes packet = ipv4({from.address, to.address}, udp(5000, 5001, mark_of(name)));
    craft.cases.push_back({name, ethernet(to.mac, source, type_ipv4, packet), false});
  };
  craft.datagram("own addresses", true, to.mac, {from.address, to.address}, 5000, 5001);
  craft.datagram("foreign IPv4 source", !checked, to.mac, {elsewhere, to.address}, 5000, 5001);
  craft.datagram("the gateway's source", !checked, to.mac, {gateway, to.address}, 5000, 5001);
  craft.datagram("the metadata service's source", false, to.mac, {metadata, to.address}, 5000, 5001);
  craft.datagram("loopback source", false, to.mac, {Ipv4{0x7f000001}, to.address}, 5000, 5001);
  craft.datagram("no source", false, to.mac, {Ipv4{0}, to.address}, 5000, 5001);
  craft.datagram("the neighbour's own source", !checked, to.mac, {to.address, to.address}, 5000, 5001);
  craft.datagram("destination that is not the neighbour", false, to.mac, {from.address, elsewhere}, 5000, 5001);
  craft.datagram("link-local destination at a neighbour", false, to.mac, {from.address, metadata}, 5000, 80);
  stolen("foreign MAC", foreign_mac);
  stolen("the neighbour's MAC", to.mac);
  stolen("the router's MAC", router);
  craft.datagram("broadcast MAC around a guest's address", false, everyone, {from.address, to.address}, 5000, 5001);
  craft.datagram("group MAC around a guest's address", false, {{1, 0, 0x5e, 0, 0, 5}}, {from.address, to.address}, 5000,
                 5001);
  craft.datagram("subnet broadcast", false, everyone, {from.address, *Ipv4::parse("10.9.1.255")}, 5000, 5001);
  craft.datagram("limited broadcast", false, everyone, {from.address, limited_broadcast}, 5000, 5001);
  craft.datagram("mDNS", false, {{1, 0, 0x5e, 0, 0, 0xfb}}, {from.address, Ipv4{0xe00000fb}}, 5353, 5353);
  craft.datagram("IGMP", false, {{1, 0, 0x5e, 0, 0, 22}}, {from.address, Ipv4{0xe0000016}, 2}, 0, 0);
  craft.datagram("header length too short", false, to.mac, {from.address, to.address, 17, 0, 0x44}, 5000, 5001);
  craft.datagram("version 6 in an IPv4 frame", false, to.mac, {from.address, to.address, 17, 0, 0x65}, 5000, 5001);
  return craft.cases;
}

std::vector<Case> wrappings(const NetworkGuest& from, const NetworkGuest& to) {
  Crafter craft(from, to);
  for (Ipv4 source : {from.address, elsewhere}) {
    std::string whose = source == from.address ? ", own" : ", spoofed";
    auto wrapped = [&](const std::string& how, unsigned type, const std::function<Bytes(const Bytes&)>& wrap) {
      Bytes inner = u16(type_ipv4) + ipv4({source, to.address}, udp(5000, 5001, mark_of(how + whose)));
      Bytes payload = wrap(inner);
      unsigned type_or_length = type != 0 ? type : static_cast<unsigned>(payload.size());
      craft.cases.push_back({how + whose, ethernet(to.mac, from.mac, type_or_length, payload), false});
    };
    auto snap = [](const Bytes& inner) { return text("\xaa\xaa\x03") + zeros(3) + inner; };
    wrapped("VLAN 0", 0x8100, [](const Bytes& inner) { return u16(0) + inner; });
    wrapped("VLAN 0 twice", 0x8100, [](const Bytes& inner) { return u16(0) + u16(0x8100) + u16(0) + inner; });
    wrapped("VLAN 5", 0x8100, [](const Bytes& inner) { return u16(5) + inner; });
    wrapped("QinQ", 0x88a8, [](const Bytes& inner) { return u16(5) + u16(0x8100) + u16(6) + inner; });
    wrapped("LLC/SNAP", 0, snap);
    wrapped("VLAN 0 around LLC/SNAP", 0x8100, [&](const Bytes& inner) {
      Bytes body = snap(inner);
      return u16(0) + u16(static_cast<unsigned>(body.size())) + body;
    });
  }
  for (auto [name, type] : {std::pair{"RARP", 0x8035U},
                            {"LLDP", 0x88ccU},
                            {"BPDU", 0x0026U},
                            {"PAUSE", 0x8808U},
                            {"MPLS", 0x8847U},
                            {"PPPoE", 0x8864U},
                            {"unknown type", 0x88b5U},
                            {"EAPOL", 0x888eU}})
    craft.own(name, false, to.mac, type, zeros(46));
  craft.own("LLDP to its group", false, {{1, 0x80, 0xc2, 0, 0, 0x0e}}, 0x88cc, zeros(46));
  craft.own("PAUSE to its group", false, {{1, 0x80, 0xc2, 0, 0, 1}}, 0x8808, zeros(46));
  return craft.cases;
}

std::vector<Case> arp_frames(const NetworkGuest& from, const NetworkGuest& to) {
  Crafter craft(from, to);
  Arp self{.operation = 2, .sender_mac = from.mac, .sender = from.address, .target_mac = to.mac, .target = to.address};
  auto with = [&](auto change) {
    Arp fields = self;
    change(fields);
    return fields;
  };
  craft.arp_frame("ARP reply as self", true, self, from.mac);
  craft.arp_frame("ARP request as self", true, with([](Arp& a) { a.operation = 1; }), from.mac);
  craft.arp_frame("ARP reply as the gateway", false, with([](Arp& a) { a.sender = gateway; }), from.mac);
  craft.arp_frame("ARP request as the gateway", false, with([](Arp& a) { a.operation = 1, a.sender = gateway; }),
                  from.mac);
  craft.arp_frame("ARP reply for metadata", false, with([](Arp& a) { a.sender = metadata; }), from.mac);
  craft.arp_frame("ARP reply with a foreign sender MAC", false, with([](Arp& a) { a.sender_mac = foreign_mac; }),
                  from.mac);
  craft.arp_frame("ARP request with a foreign sender MAC", false,
                  with([](Arp& a) { a.operation = 1, a.sender_mac = foreign_mac; }), from.mac);
  craft.arp_frame("ARP in a frame with a foreign MAC", false, self, foreign_mac);
  craft.arp_frame("ARP probe", true, with([](Arp& a) { a.operation = 1, a.sender = Ipv4{0}; }), from.mac);
  craft.arp_frame("ARP reply without sender", false, with([](Arp& a) { a.sender = Ipv4{0}; }), from.mac);
  craft.arp_frame("ARP probe with a foreign sender MAC", false,
                  with([](Arp& a) { a.operation = 1, a.sender = Ipv4{0}, a.sender_mac = foreign_mac; }), from.mac);
  craft.arp_frame("ARP of another hardware", false, with([](Arp& a) { a.hardware = 6; }), from.mac);
  craft.arp_frame("ARP with another length", false, with([](Arp& a) { a.hardware_length = 8; }), from.mac);
  craft.arp_frame("ARP for another protocol", false, with([](Arp& a) { a.protocol = 0x86dd; }), from.mac);
  return craft.cases;
}

/// The network offers IPv4 only: nothing of IPv6 passes, so no advertisement can hide behind options or fragments.
std::vector<Case> ipv6_frames(const NetworkGuest& from, const NetworkGuest& to) {
  Crafter craft(from, to);
  Bytes link_local = u16(0xfe80) + zeros(6) + u32(0x040000ff) + u32(0xfe001001);
  Bytes all = u16(0xff02) + zeros(13) + u8(1);
  auto packet = [&](unsigned next, const Bytes& payload) {
    return u32(0x60000000) + u16(static_cast<unsigned>(payload.size() + 32)) + u8(next) + u8(255) + link_local + all +
           payload;
  };
  Bytes router_advertisement = u8(134) + u8(0) + u16(0) + zeros(12);
  Bytes neighbour_advertisement = u8(136) + u8(0) + u16(0) + u32(0x20000000) + link_local;
  Bytes options = u8(58) + u8(0) + u8(1) + u8(4) + zeros(4);
  Bytes atomic = u8(58) + u8(0) + u16(0) + u32(1);
  Bytes second = u8(58) + u8(0) + u16(8) + u32(1);
  for (const Mac& target : {all_nodes, to.mac}) {
    std::string how = target == to.mac ? " unicast" : " multicast";
    craft.own("RA" + how, false, target, type_ipv6, packet(58, router_advertisement));
    craft.own("RA behind hop-by-hop options" + how, false, target, type_ipv6,
              packet(0, options + router_advertisement));
    craft.own("RA behind destination options" + how, false, target, type_ipv6,
              packet(60, options + router_advertisement));
    craft.own("RA in an atomic fragment" + how, false, target, type_ipv6, packet(44, atomic + router_advertisement));
    craft.own("RA in a second fragment" + how, false, target, type_ipv6, packet(44, second + router_advertisement));
    craft.own("NA" + how, false, target, type_ipv6, packet(58, neighbour_advertisement));
    craft.own("DHCPv6 reply" + how, false, target, type_ipv6, packet(17, udp(547, 546, text("x"))));
    craft.own("UDP over IPv6" + how, false, target, type_ipv6, packet(17, udp(5353, 5353, text("x"))));
  }
  return craft.cases;
}

std::vector<Case> dhcp_server_frames(const NetworkGuest& from, const NetworkGuest& to) {
  Crafter craft(from, to);
  craft.datagram("offer by unicast", false, to.mac, {from.address, to.address}, 67, 68);
  craft.datagram("offer by broadcast", false, everyone, {from.address, limited_broadcast}, 67, 68);
  craft.datagram("offer as the gateway", false, to.mac, {gateway, to.address}, 67, 68);
  craft.datagram("offer from an odd port", false, to.mac, {from.address, to.address}, 5000, 68);
  craft.datagram("offer without source", false, everyone, {Ipv4{0}, limited_broadcast}, 67, 68);
  craft.datagram("first fragment of an offer", false, to.mac, {from.address, to.address, 17, 0x2000}, 67, 68);
  craft.datagram("discover to the neighbours", false, everyone, {Ipv4{0}, limited_broadcast}, 68, 67);
  craft.datagram("request to a neighbour", true, to.mac, {from.address, to.address}, 68, 67);
  return craft.cases;
}

class NetworkIdentity : public NetworkTest {
 protected:
  /// A sender, checked or not, and a neighbour whose group lets everything in.
  void meet(bool checked) {
    auto vpc = make_vpc(32);
    add_group(vpc, 40, {allow(false, "-1", -1, -1, "0.0.0.0/0"), allow(false, "-1", -1, -1, "::/0")});
    auto sender = add_interface(vpc, 1, 1, "10.9.1.10", {40});
    auto receiver = add_interface(vpc, 2, 1, "10.9.1.11", {40});
    vpc.interfaces.front().source_dest_check = checked;
    apply(vpc);
    from_ = &plug(vpc, sender);
    to_ = &plug(vpc, receiver);
  }
  void expect_all(const std::vector<Case>& cases) {
    for (const auto& one : cases)
      EXPECT_EQ(arrives(*from_, *to_, one.frame, mark_of(one.name)), one.passes) << one.name;
  }
  NetworkGuest* from_ = nullptr;
  NetworkGuest* to_ = nullptr;
};

using Threat_N01 = NetworkIdentity;
using Threat_N02 = NetworkIdentity;
using Threat_N03 = NetworkIdentity;
using Threat_N04 = NetworkIdentity;
using Threat_M03 = NetworkIdentity;

TEST_F(Threat_N01, AGuestSpeaksOnlyInItsOwnName) {
  meet(true);
  expect_all(addresses(*from_, *to_, true));
  expect_all(arp_frames(*from_, *to_));
}

TEST_F(Threat_N01, AnApplianceMayForwardButNotPoison) {
  meet(false);
  expect_all(addresses(*from_, *to_, false));
  expect_all(arp_frames(*from_, *to_));
}

TEST_F(Threat_N02, NothingButIpv4AndArpPassesHoweverWrapped) {
  meet(true);
  expect_all(wrappings(*from_, *to_));
}

TEST_F(Threat_N02, AnApplianceIsNoException) {
  meet(false);
  expect_all(wrappings(*from_, *to_));
}

TEST_F(Threat_N03, NoAdvertisementOfIpv6Passes) {
  meet(true);
  expect_all(ipv6_frames(*from_, *to_));
}

TEST_F(Threat_N03, NorFromAnAppliance) {
  meet(false);
  expect_all(ipv6_frames(*from_, *to_));
}

TEST_F(Threat_N04, AGuestCannotPlayDhcpServer) {
  meet(true);
  expect_all(dhcp_server_frames(*from_, *to_));
}

TEST_F(Threat_N04, NorCanAnAppliance) {
  meet(false);
  expect_all(dhcp_server_frames(*from_, *to_));
}

TEST_F(Threat_M03, TheMetadataAddressIsAnsweredByTheHostAlone) {
  meet(true);
  to_->send(ethernet(everyone, to_->mac, type_arp,
                     arp({.sender_mac = to_->mac, .sender = to_->address, .target = metadata})));
  auto asked = from_->receive([](const Bytes& frame) { return contains(frame, u32(metadata.value)); });
  ASSERT_TRUE(asked);
  Arp lie{.operation = 2, .sender_mac = from_->mac, .sender = metadata, .target_mac = to_->mac, .target = to_->address};
  EXPECT_FALSE(arrives(*from_, *to_, ethernet(to_->mac, from_->mac, type_arp, arp(lie)),
                       octets(from_->mac) + u32(metadata.value)));
}

}  // namespace
}  // namespace virga::test
