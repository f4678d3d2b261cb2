// Public addresses on the real kernel: who reaches whom through the edge, and what stops it.

#include <sys/time.h>
#include <sys/wait.h>

#include "tests/integration/network_edge_fixture.h"

namespace virga::test {
namespace {

using network::WantedVpc;

class NetworkEdge : public NetworkEdgeTest {};
using Threat_N01 = NetworkEdge;
using Threat_N09 = NetworkEdge;
using Threat_M01 = NetworkEdge;

TEST_F(NetworkEdge, AnAddressAnswersTheHost) {
  auto vpc = public_vpc(16, 1);
  auto& guest = start(vpc);

  EXPECT_TRUE(pings(public_ip(1), guest, 1));

  HostSocket client(SOCK_STREAM, 0, public_ip(1), 80);
  auto is_tcp = [](const Bytes& frame) { return read_u16(frame, 12) == type_ipv4 && frame[23] == 6; };
  auto syn = guest.receive(is_tcp);
  ASSERT_TRUE(syn);
  EXPECT_EQ(Ipv4{read_u32(*syn, 26)}, client.address());
  EXPECT_EQ(Ipv4{read_u32(*syn, 30)}, guest.address);
  guest.send(ethernet(router, guest.mac, type_ipv4,
                      ipv4({guest.address, client.address(), 6}, tcp({.from_address = guest.address,
                                                                      .to_address = client.address(),
                                                                      .from = 80,
                                                                      .to = client.port(),
                                                                      .acknowledged = read_u32(*syn, 38) + 1,
                                                                      .flags = 0x12}))));
  EXPECT_TRUE(client.ready(POLLOUT));
  Bytes mark = text("GET / HTTP/1.0");
  client.send(mark);
  EXPECT_TRUE(guest.receive([&](const Bytes& frame) { return contains(frame, mark); }));
}

TEST_F(NetworkEdge, GuestsLeaveUnderTheirPublicAddress) {
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  auto& first = start(one);
  auto& second = start(two);

  Bytes mark = text("to another tenant");
  send_out(first, public_ip(2), mark);
  auto got = second.receive([&](const Bytes& frame) { return contains(frame, mark); });
  ASSERT_TRUE(got);
  EXPECT_EQ(Ipv4{read_u32(*got, 26)}, public_ip(1));
  EXPECT_EQ(Ipv4{read_u32(*got, 30)}, second.address);
  Bytes answer = text("and back");
  second.send(ethernet(router, second.mac, type_ipv4, ipv4({second.address, public_ip(1)}, udp(53, 4000, answer))));
  EXPECT_TRUE(first.receive([&](const Bytes& frame) { return contains(frame, answer); }));

  HostSocket host(SOCK_DGRAM, 0, public_ip(1), 53);
  first.send(ethernet(router, first.mac, type_ipv4, ipv4({first.address, host.address(), 1}, echo(Echo::request, 9))));
  auto reply = first.receive([](const Bytes& frame) { return contains(frame, echo(Echo::reply, 9)); });
  ASSERT_TRUE(reply) << "the host does not answer a guest's ping";
  EXPECT_EQ(Ipv4{read_u32(*reply, 26)}, host.address());
}

TEST_F(NetworkEdge, GuestsOfOneVpcMeetByTheirPublicAddressesToo) {
  auto vpc = public_vpc(16, 1);
  auto other = add_interface(vpc, 18, 2, "10.9.2.10", {21});
  vpc.addresses.push_back({public_ip(2).str(), "10.9.2.10"});
  auto& first = start(vpc);
  auto& second = plug(vpc, other);

  Bytes mark = text("round by the edge");
  send_out(first, public_ip(2), mark);
  auto got = second.receive([&](const Bytes& frame) { return contains(frame, mark); });

  ASSERT_TRUE(got);
  EXPECT_EQ(Ipv4{read_u32(*got, 26)}, public_ip(1));
}

TEST_F(Threat_M01, AnAddressOfOneVpcDoesNotReachEqualAddressesOfAnother) {
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  two.interfaces[0].mac = one.interfaces[0].mac;
  auto& first = start(one);
  auto& second = start(two);

  Bytes for_one = text("for VPC one only");
  HostSocket host(SOCK_DGRAM, 0, public_ip(1), 53);
  host.send(for_one);

  EXPECT_TRUE(heard(first, for_one));
  EXPECT_FALSE(heard(second, for_one));
  EXPECT_TRUE(reached(public_ip(2), second));
}

TEST_F(NetworkEdge, NothingPassesWithoutGatewayOrRouteOrAddress) {
  auto vpc = public_vpc(16, 1);
  auto& guest = start(vpc);
  EXPECT_TRUE(reached(public_ip(1), guest));

  auto detached = vpc;
  detached.internet_gateway = false;
  auto routeless = vpc;
  routeless.route_tables[0].routes.pop_back();
  auto without = vpc;
  without.addresses.clear();
  for (const auto* closed : {&detached, &routeless, &without}) {
    apply(*closed);
    EXPECT_FALSE(reached(public_ip(1), guest));
    EXPECT_FALSE(host_has_uplink());
    EXPECT_FALSE(network::name_space_exists(names_.edge()));
    apply(vpc);
    EXPECT_TRUE(reached(public_ip(1), guest));
  }
}

TEST_F(NetworkEdge, AnAddressTakenAwayIsDeadAtOnceAlsoForWhatIsUnderWay) {
  auto vpc = public_vpc(16, 1);
  auto other_id = add_interface(vpc, 18, 1, "10.9.1.11", {21});
  auto& first = start(vpc);
  auto& second = plug(vpc, other_id);
  HostSocket host(SOCK_DGRAM, 0, public_ip(1), 53);
  auto says = [&](const NetworkGuest& guest, const char* what) {
    guest.send(ethernet(router, guest.mac, type_ipv4,
                        ipv4({guest.address, host.address()}, udp(53, host.port(), text(what)))));
  };
  host.send(text("first"));
  EXPECT_TRUE(heard(first, text("first")));
  says(first, "answer one");
  EXPECT_TRUE(host.receives(text("answer one")));

  vpc.addresses = {{public_ip(1).str(), "10.9.1.11"}};
  apply(vpc);
  host.send(text("second"));

  EXPECT_FALSE(heard(first, text("second")));
  EXPECT_TRUE(heard(second, text("second")));
  says(first, "too late");
  says(second, "answer two");
  EXPECT_TRUE(host.receives(text("answer two")));
  EXPECT_FALSE(inside(vpc, {"cat", "/proc/net/nf_conntrack"}).find("src=10.9.1.10") != std::string::npos);
}

TEST_F(NetworkEdge, AnAddressMovesToAnotherVpcWhicheverIsAppliedFirst) {
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  auto& first = start(one);
  auto& second = start(two);
  auto left = one;
  left.addresses.clear();
  auto taken = two;
  taken.addresses.push_back({public_ip(1).str(), "10.9.2.10"});
  taken.addresses[0] = {public_ip(1).str(), "10.9.1.10"};
  taken.addresses.pop_back();

  apply(taken);
  apply(left);

  EXPECT_TRUE(reached(public_ip(1), second));
  EXPECT_FALSE(reached(public_ip(1), first));
  apply(two);
  apply(one);
  EXPECT_TRUE(reached(public_ip(1), first));
  EXPECT_TRUE(reached(public_ip(2), second));
}

// Its old owner may be unable to let go: a VPC that cannot be set up, or waits to be taken down.
TEST_F(Threat_M01, AnAddressLeadsToItsLastOwnerThoughAnEarlierOneStillHasIt) {
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  auto& first = start(one);
  auto& second = start(two);
  auto taken = two;
  taken.addresses = {{public_ip(1).str(), "10.9.1.10"}};

  apply(taken);

  EXPECT_TRUE(reached(public_ip(1), second));
  EXPECT_FALSE(reached(public_ip(1), first));
  EXPECT_TRUE(pings(public_ip(1), second, 1));
  apply(taken);
  EXPECT_TRUE(reached(public_ip(1), second)) << "it stays so";
  Bytes mark = text("in a name that is another's now");
  auto victim = public_vpc(48, 3);
  auto& third = start(victim);
  send_out(first, public_ip(3), mark);
  EXPECT_FALSE(heard(third, mark));
}

TEST_F(NetworkEdge, WhatIsTakenAwayGoesThoughTheRestCannotBeDone) {
  auto vpc = public_vpc(16, 1);
  auto other = add_interface(vpc, 18, 1, "10.9.1.11", {21});
  vpc.addresses.push_back({public_ip(2).str(), "10.9.1.11"});
  start(vpc);
  EXPECT_EQ(host_routes(), 2U);
  // In the place of a bridge there is something that is none.
  inside(vpc, {"ip", "link", "add", names_.bridge(19), "type", "veth", "peer", "name", "other"});
  auto stuck = vpc;
  stuck.subnets.push_back({.id = SubnetId::trusted(fmt::format("subnet-{:017x}", 19)),
                           .number = 19,
                           .cidr = "10.9.3.0/24",
                           .zone = "us-east-1a",
                           .route_table = 16});
  add_interface(stuck, 20, 3, "10.9.3.10", {21});
  auto tap = network_->create_tap(stuck, interface_id(20));
  ASSERT_TRUE(tap);
  ASSERT_FALSE(network_->plug(stuck, interface_id(20)));

  stuck.addresses.pop_back();
  EXPECT_FALSE(network_->apply(stuck));
  EXPECT_EQ(host_routes(), 1U);
  stuck.addresses.clear();
  EXPECT_FALSE(network_->apply(stuck));

  EXPECT_EQ(host_routes(), 0U);
  EXPECT_FALSE(network::name_space_exists(names_.edge()));
}

TEST_F(NetworkEdge, GroupsJudgeWhatComesInAndWhatGoesOut) {
  auto vpc = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  auto& guest = start(vpc);
  auto& other = start(two);
  EXPECT_FALSE(reached(public_ip(1), guest, 54));

  for (auto& group : vpc.groups)
    if (group.number == 21) group.rules = {allow(true, "udp", 99, 99, "0.0.0.0/0")};
  apply(vpc);

  EXPECT_FALSE(reached(public_ip(1), guest));
  Bytes refused = text("not out by this port");
  send_out(guest, public_ip(2), refused);
  EXPECT_FALSE(heard(other, refused));
}

TEST_F(Threat_N09, AGuestFindsNoServiceOfTheHostBeyondTheEdge) {
  auto vpc = public_vpc(16, 1);
  auto& guest = start(vpc);
  HostSocket probe(SOCK_DGRAM, 0, public_ip(1), 53);
  UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd bound(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name = socket_address(probe.address(), 0);
  socklen_t size = sizeof name;
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(::listen(listening.get(), 1), 0);
  ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  ASSERT_EQ(::bind(bound.get(), reinterpret_cast<sockaddr*>(&name), size), 0);
  const unsigned port = ntohs(name.sin_port);

  std::set<std::string> answers;
  for (const char* target : {"", "169.254.64.1", "169.254.64.2", "169.254.64.3", "169.254.64.4", "127.0.0.1"}) {
    Ipv4 to = *target == 0 ? probe.address() : *Ipv4::parse(target);
    for (unsigned flags : {0x02U, 0x10U})
      guest.send(ethernet(
          router, guest.mac, type_ipv4,
          ipv4({guest.address, to, 6},
               tcp({.from_address = guest.address, .to_address = to, .from = 4000, .to = port, .flags = flags}))));
    send_out(guest, to, text("datagram"), port);
    Bytes question = arp({.sender_mac = guest.mac, .sender = guest.address, .target = *Ipv4::parse("10.9.1.1")});
    guest.send(ethernet(everyone, guest.mac, type_arp, question));
    EXPECT_TRUE(guest.receive([&](const Bytes& frame) {
      if (read_u16(frame, 12) == type_ipv4) answers.insert(fmt::format("{}/{}", to.str(), frame[23]));
      return read_u16(frame, 12) == type_arp && read_u16(frame, 20) == 2;
    }));
  }

  EXPECT_TRUE(answers.empty()) << *answers.begin();
  pollfd waiting[] = {{listening.get(), POLLIN, 0}, {bound.get(), POLLIN, 0}};
  EXPECT_EQ(::poll(waiting, 2, 0), 0) << "a guest's packet came to a service of the host";
}

TEST_F(Threat_N09, WhatComesFromOutsideFindsNoServiceOfTheVpc) {
  auto vpc = public_vpc(16, 1);
  auto& guest = start(vpc);
  auto metadata = network_->listen(vpc, "169.254.169.254", 80);
  ASSERT_TRUE(metadata);
  const auto before = traffic(vpc);

  Ipv4 stranger = *Ipv4::parse("192.0.2.77");
  for (const char* target : {"10.9.1.1", "10.9.0.2", "169.254.169.253", "169.254.169.254", "10.9.1.10"}) {
    Ipv4 to = *Ipv4::parse(target);
    for (unsigned port : {53U, 67U, 80U}) {
      inject(vpc, ipv4({stranger, to}, udp(4000, port, text("in from outside"))));
      inject(vpc, ipv4({stranger, to, 6}, tcp({.from_address = stranger, .to_address = to, .from = 4000, .to = port})));
    }
  }

  EXPECT_FALSE(heard(guest, text("in from outside")));
  EXPECT_EQ(traffic(vpc).received, before.received + 30) << "the frames were not put in";
  EXPECT_EQ(traffic(vpc).sent, before.sent) << "something answered";
}

TEST_F(Threat_N01, ForgedSourcesPassNeitherOutNorIn) {
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  one.interfaces[0].source_dest_check = false;
  auto& forger = start(one);
  auto& victim = start(two);

  Bytes mark = text("forged");
  for (Ipv4 source : {public_ip(1), public_ip(2), public_ip(3), *Ipv4::parse("192.0.2.9"), *Ipv4::parse("10.9.1.11")})
    forger.send(ethernet(router, forger.mac, type_ipv4, ipv4({source, public_ip(2)}, udp(4000, 53, mark))));
  EXPECT_FALSE(heard(victim, mark));

  for (const char* inner : {"10.9.1.11", "10.9.0.2", "169.254.169.254", "127.0.0.1"})
    inject(two, ipv4({*Ipv4::parse(inner), public_ip(2)}, udp(4000, 53, mark)));
  EXPECT_FALSE(heard(victim, mark));
  inject(two, ipv4({*Ipv4::parse("192.0.2.9"), public_ip(2)}, udp(4000, 53, mark)));
  EXPECT_TRUE(heard(victim, mark)) << "the test would not notice";
}

class Threat_N10 : public NetworkEdgeTest {
 protected:
  Threat_N10() { connections_per_interface_ = 4096; }  // smaller than usual, so that it is reached soon
};

TEST_F(Threat_N10, ConnectionsOfOneTenantToAPublicAddressLeaveRoomForOthers) {
  if (!network::connections_can_be_counted()) GTEST_SKIP() << "this kernel has no connlimit; virga status says so";
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  auto& flooder = start(one);
  auto& flooded = start(two);
  auto begins = [&](unsigned from) {
    Bytes segment = tcp({.from_address = flooder.address, .to_address = public_ip(2), .from = from, .to = 80});
    flooder.send(ethernet(router, flooder.mac, type_ipv4, ipv4({flooder.address, public_ip(2), 6}, segment)));
  };

  for (unsigned port = 1024; port < 3024; ++port) {
    begins(port);
    // The tap's queue must have room for what is looked for later.
    if (port % 100 == 0) flooded.receive([](const Bytes&) { return false; }, std::chrono::milliseconds(0));
  }
  Bytes mark = text("one more");
  send_out(flooder, public_ip(2), mark);

  EXPECT_FALSE(heard(flooded, mark)) << "the flood was not stopped: the test shows nothing";
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(reached(public_ip(2), flooded)) << i;
  EXPECT_TRUE(pings(public_ip(2), flooded, 1));
}

TEST_F(NetworkEdge, WhatIsBrokenByHandIsRepaired) {
  auto vpc = public_vpc(16, 1);
  auto& guest = start(vpc);
  auto in_edge = [&](std::vector<std::string> argv) {
    std::string output;
    EXPECT_TRUE(network::in_name_space(names_.edge(), [&]() -> Result<void> {
      Command command;
      command.argv = std::move(argv);
      output = TRY(commands_.run_ok(command)).standard_output;
      return {};
    }));
    return output;
  };
  auto at_host = [&](std::vector<std::string> argv) {
    Command command;
    command.argv = std::move(argv);
    EXPECT_TRUE(commands_.run_ok(command));
  };
  struct Damage {
    std::function<void()> work;
    bool cuts = true;  ///< nothing passes afterwards
  };
  std::vector<Damage> damages{
      {[&] {
        in_edge({"ip", "link", "delete", names_.way_out(16)});
      }},
      {[&] {
        in_edge({"ip", "link", "set", names_.way_out(16), "down"});
      }},
      {[&] {
        in_edge({"ip", "route", "flush", "table", "main"});
      }},
      {[&] {
        at_host({"ip", "link", "delete", names_.uplink()});
      }},
      {[&] {
        at_host({"ip", "link", "set", names_.uplink(), "down"});
      }},
      {[&] {
        inside(vpc, {"ip", "link", "delete", "ext"});
      }},
      {[&] {
        inside(vpc, {"ip", "link", "set", "ext", "down"});
      }},
      {[&] {
        inside(vpc, {"nft", "delete", "table", "ip", "vgnat"});
      }},
      {[&] {
         in_edge({"nft", "flush", "ruleset"});
       },
       false},
      {[&] {
         at_host({"ip", "netns", "delete", names_.edge()});
       },
       false},  // the kernel takes its time
  };

  for (unsigned n = 0; n < damages.size(); ++n) {
    damages[n].work();
    if (damages[n].cuts) {
      EXPECT_FALSE(reached(public_ip(1), guest)) << n;
    }
    apply(vpc);
    EXPECT_TRUE(pings(public_ip(1), guest, 100 + n)) << n;
    EXPECT_NE(in_edge({"nft", "list", "tables"}).find("vgedge"), std::string::npos) << n;
  }
}

TEST_F(NetworkEdge, AKillAtAnyMomentIsFollowedByAnOrdinaryRound) {
  auto vpc = public_vpc(16, 1);
  auto without = vpc;
  without.addresses.clear();
  auto& guest = start(without);

  for (int moment = 1; moment <= 40; ++moment) {
    const auto& wanted = moment % 2 == 1 ? vpc : without;
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      itimerval end{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = moment * 4000}};
      ::setitimer(ITIMER_REAL, &end, nullptr);  // its signal ends the process where it stands
      network_->apply(wanted).has_value();
      ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    network_ = restart();
    apply(wanted);
    EXPECT_EQ(reached(public_ip(1), guest), moment % 2 == 1) << moment;
  }
}

TEST_F(NetworkEdge, AnotherProcessFindsWhatTheFirstOneMade) {
  auto vpc = public_vpc(16, 1);
  auto& guest = start(vpc);

  network_ = restart();
  EXPECT_TRUE(reached(public_ip(1), guest));
  apply(vpc);
  EXPECT_TRUE(reached(public_ip(1), guest));
  network_ = restart();
  vpc.addresses.clear();
  apply(vpc);
  EXPECT_FALSE(reached(public_ip(1), guest));
  EXPECT_EQ(inside(vpc, {"nft", "list", "tables"}).find("vgnat"), std::string::npos);
}

TEST_F(NetworkEdge, OrphansGoAndTheLastOneTakesTheEdgeWithIt) {
  auto one = public_vpc(16, 1);
  auto two = public_vpc(32, 2);
  apply(one);
  apply(two);
  EXPECT_EQ(host_routes(), 2U);

  network_ = restart();
  auto removed = network_->remove_orphans({one});
  ASSERT_TRUE(removed) << describe(removed.error());
  EXPECT_EQ(host_routes(), 1U);
  EXPECT_TRUE(network::name_space_exists(names_.edge()));

  ASSERT_TRUE(network_->remove(one));
  EXPECT_FALSE(network::name_space_exists(names_.edge()));
  EXPECT_FALSE(host_has_uplink());
  EXPECT_EQ(host_routes(), 0U);
}

}  // namespace
}  // namespace virga::test
