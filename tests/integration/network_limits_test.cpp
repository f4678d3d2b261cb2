// What one guest may take of what its VPC's guests share, and what one VPC's trouble means to others.

#include "tests/integration/network_fixture.h"
#include "tests/support/eventually.h"

namespace virga::test {
namespace {

using namespace std::chrono_literals;

class NetworkLimits : public NetworkTest {
 protected:
  /// Smaller than usual, so that it is reached soon.
  static constexpr int limit = 4096;
  NetworkLimits() { connections_per_interface_ = limit; }
  int tracked(const network::WantedVpc& vpc) {
    return std::stoi(inside(vpc, {"sysctl", "-n", "net.netfilter.nf_conntrack_count"}));
  }
  /// A VPC with guests A, B and C; C has sixteen addresses, and its group lets everything in.
  void meet() {
    vpc_ = make_vpc(16);
    add_group(vpc_, 18, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
    auto a = add_interface(vpc_, 1, 1, "10.9.1.10", {17});
    auto b = add_interface(vpc_, 2, 1, "10.9.1.11", {17});
    auto c = add_interface(vpc_, 3, 1, "10.9.1.16", {18});
    for (int i = 17; i < 32; ++i) vpc_.interfaces.back().private_ips.push_back(fmt::format("10.9.1.{}", i));
    apply(vpc_);
    a_ = &plug(vpc_, a);
    b_ = &plug(vpc_, b);
    c_ = &plug(vpc_, c);
  }
  /// Half-open TCP connections of A to C, each with ports of its own.
  void open_halfway(int count) const {
    for (int i = 0; i < count; ++i) {
      Tcp segment{.from_address = a_->address,
                  .to_address = c_->address + static_cast<std::uint32_t>(i % 16),
                  .from = 1024 + static_cast<unsigned>(i / 16)};
      segment.to = 80;
      a_->send(ethernet(c_->mac, a_->mac, type_ipv4, ipv4({a_->address, segment.to_address, 6}, tcp(segment))));
      // The tap's queue must have room for what is looked for later.
      if (i % 100 == 99) c_->receive([](const Bytes&) { return false; }, 0ms);
    }
  }
  network::WantedVpc vpc_;
  NetworkGuest* a_ = nullptr;
  NetworkGuest* b_ = nullptr;
  NetworkGuest* c_ = nullptr;
};

using Threat_N06 = NetworkLimits;
using Threat_N10 = NetworkLimits;

TEST_F(Threat_N10, HalfOpenConnectionsOfOneGuestLeaveRoomForOthers) {
  if (!network::connections_can_be_counted()) GTEST_SKIP() << "this kernel has no connlimit; virga status says so";
  meet();
  ASSERT_TRUE(reaches(*a_, *c_, 7, 7));
  ASSERT_TRUE(reaches(*c_, *a_, 7, 7));
  const int before = tracked(vpc_);

  open_halfway(100'000);

  EXPECT_LE(tracked(vpc_), before + limit);
  EXPECT_GE(tracked(vpc_), limit) << "the flood was not stopped by the limit but by something else";
  for (unsigned port = 1; port <= 10; ++port) EXPECT_TRUE(reaches(*b_, *c_, port)) << port;
  EXPECT_TRUE(reaches(*a_, *c_, 7, 7)) << "what A had under way goes on";
  EXPECT_FALSE(reaches(*a_, *c_, 8));
  apply(vpc_);
  EXPECT_FALSE(reaches(*a_, *c_, 9)) << "applying the VPC again forgave A its connections";
}

TEST_F(Threat_N10, AGuestMayOpenNewOnesWhenItsOldOnesHaveEnded) {
  if (!network::connections_can_be_counted()) GTEST_SKIP() << "this kernel has no connlimit; virga status says so";
  meet();
  inside(vpc_, {"sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_syn_sent=10"});
  open_halfway(2 * limit);
  EXPECT_FALSE(reaches(*a_, *c_, 8));

  unsigned from = 4000;
  EXPECT_TRUE(eventually(60s, [&] { return reaches(*a_, *c_, 8, ++from); }));
}

TEST_F(Threat_N10, AskingTheHostCountsToo) {
  if (!network::connections_can_be_counted()) GTEST_SKIP() << "this kernel has no connlimit; virga status says so";
  meet();
  const int before = tracked(vpc_);
  for (const char* server : {"10.9.0.2", "10.9.1.1"})
    for (unsigned port = 1024; port < 61'000; port += 2)
      a_->send(ethernet(router, a_->mac, type_ipv4,
                        ipv4({a_->address, *Ipv4::parse(server)}, udp(port, 53, dns_question("x", port)))));

  EXPECT_LE(tracked(vpc_), before + limit);
  EXPECT_TRUE(reaches(*b_, *c_, 9));
}

TEST_F(Threat_N06, AVpcThatCannotBeSetUpStopsNoOther) {
  auto misread = make_vpc(32);
  misread.groups.front().rules.push_back(allow(false, "tcp", 1, 2, "10.0.0.0/8; flush ruleset"));
  auto blocked = make_vpc(48);
  apply(blocked);
  // Somebody sits on the name server's port: it ends at its next start, and again, and again.
  ASSERT_EQ(::kill(name_server(blocked), SIGKILL), 0);
  Result<UniqueFd> squatter = fail(internal_error("not yet"));
  ASSERT_TRUE(eventually(5s, [&] {
    ::kill(name_server(blocked), SIGKILL);
    squatter = network_->listen(blocked, "10.9.0.2", 53);
    return squatter.has_value();
  }));
  blocked.domain_name = "changed.internal";

  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(network_->apply(misread));
    EXPECT_FALSE(network_->apply(blocked));
    auto sane = make_vpc(64 + static_cast<std::uint32_t>(round) * 16);
    auto first = add_interface(sane, sane.number + 1, 1, "10.9.1.10", {sane.number + 1});
    add_group(sane, sane.number + 5, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
    auto second = add_interface(sane, sane.number + 2, 1, "10.9.1.11", {sane.number + 5});
    sane.interfaces[0].mac = mac_of(1).str();
    sane.interfaces[1].mac = mac_of(2).str();
    const auto begin = std::chrono::steady_clock::now();
    apply(sane);
    auto& from = plug(sane, first);
    auto& to = plug(sane, second);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
    EXPECT_TRUE(reaches(from, to, 9));
    EXPECT_EQ(offered(from), from.address);
  }
  EXPECT_FALSE(network_->problems().empty()) << "the operator is told";
  squatter = fail(internal_error("gone"));
  apply(blocked);
}

}  // namespace
}  // namespace virga::test
