// What a VPC on the real kernel goes through: repeated application, restarts, deaths, removal.

#include <fstream>

#include "tests/integration/network_fixture.h"
#include "tests/support/eventually.h"

namespace virga::test {
namespace {

class NetworkLifecycle : public NetworkTest {
 protected:
  /// Everything of the namespace that an unneeded change would alter: handles, indexes, the process. Without what the
  /// kernel changes by itself when a guest opens or closes its tap.
  std::string picture(const network::WantedVpc& vpc) {
    std::string routes = inside(vpc, {"ip", "route", "show", "table", "all"});
    for (auto at = routes.find(" linkdown"); at != std::string::npos; at = routes.find(" linkdown"))
      routes.erase(at, 9);
    return links(vpc) + inside(vpc, {"nft", "-a", "-s", "list", "ruleset"}) + routes + inside(vpc, {"ip", "rule"}) +
           inside(vpc, {"ip", "-o", "-4", "address"}) + inside(vpc, {"ip", "neighbour"}) +
           std::to_string(name_server(vpc));
  }
  std::string links(const network::WantedVpc& vpc) {
    std::string text;
    auto listed = network::in_name_space(names_.name_space(vpc.number), [&]() -> Result<void> {
      auto netlink = TRY(network::Netlink::open());
      for (const auto& link : TRY(netlink.links()))
        text += fmt::format("{} {} {} {} {}\n", link.index, link.name, link.master, link.mac.str(), link.closed_port);
      return {};
    });
    EXPECT_TRUE(listed);
    return text;
  }
  int name_server(const network::WantedVpc& vpc) {
    std::ifstream file(fmt::format("{}/{}/{:08x}/dnsmasq.pid", runtime_, realm_, vpc.number));
    int pid = 0;
    file >> pid;
    return pid;
  }
  /// Asks for an address until the server offers one.
  std::optional<Ipv4> offered(const NetworkGuest& guest) {
    Bytes request = udp(68, 67, dhcp_request(1, guest.mac, {}));
    for (int i = 0; i < 10; ++i) {
      guest.send(ethernet(everyone, guest.mac, type_ipv4, ipv4({Ipv4{0}, Ipv4{~0U}}, request)));
      auto answer = guest.receive(
          [](const Bytes& frame) { return read_u16(frame, 12) == type_ipv4 && read_u16(frame, 34) == 67; },
          std::chrono::seconds(1));
      if (answer) return Ipv4{read_u32(*answer, 58)};
    }
    return std::nullopt;
  }
  void confirm(const NetworkGuest& guest) {
    Bytes options = u8(50) + u8(4) + u32(guest.address.value);
    guest.send(ethernet(everyone, guest.mac, type_ipv4,
                        ipv4({Ipv4{0}, Ipv4{~0U}}, udp(68, 67, dhcp_request(3, guest.mac, options)))));
    EXPECT_TRUE(guest.receive([](const Bytes& frame) {
      return read_u16(frame, 34) == 67 && dhcp_option(Bytes(frame.begin() + 42, frame.end()), 53) == u8(5);
    }));
  }
};

TEST_F(NetworkLifecycle, ApplyingTwiceChangesNothing) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  plug(vpc, id);
  auto before = picture(vpc);

  apply(vpc);

  EXPECT_EQ(picture(vpc), before);
  EXPECT_TRUE(network_->is_plugged(vpc, id));
}

TEST_F(NetworkLifecycle, ANewHostRoleTakesOverWithoutTouchingGuests) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
  auto a = add_interface(vpc, 1, 1, "10.9.1.10", {18});
  auto b = add_interface(vpc, 2, 1, "10.9.1.11", {18});
  apply(vpc);
  auto& first = plug(vpc, a);
  auto& second = plug(vpc, b);
  auto before = links(vpc);
  int server = name_server(vpc);

  network_ = restart();

  EXPECT_TRUE(network_->is_plugged(vpc, a));
  EXPECT_TRUE(reaches(first, second, 1));
  apply(vpc);
  EXPECT_TRUE(reaches(second, first, 2));
  EXPECT_EQ(links(vpc), before);
  EXPECT_EQ(name_server(vpc), server);
}

TEST_F(NetworkLifecycle, RepairsWhatSomebodyElseChanged) {
  auto vpc = make_vpc(16);
  add_group(vpc, 18, {allow(false, "-1", -1, -1, "0.0.0.0/0")});
  auto a = add_interface(vpc, 1, 1, "10.9.1.10", {18});
  auto b = add_interface(vpc, 2, 1, "10.9.1.11", {18});
  apply(vpc);
  auto& first = plug(vpc, a);
  auto& second = plug(vpc, b);
  std::string tap = names_.tap(1);
  std::string bridge = names_.bridge(17);

  inside(vpc, {"ip", "link", "set", tap, "nomaster"});
  inside(vpc, {"ip", "route", "flush", "table", std::to_string(1000 + 16)});
  inside(vpc, {"ip", "address", "flush", "dev", bridge});
  inside(vpc, {"ip", "rule", "del", "pref", "1000"});
  inside(vpc, {"ip", "neighbour", "flush", "dev", bridge, "nud", "permanent"});
  inside(vpc, {"nft", "delete", "table", "inet", "vgsg"});
  inside(vpc, {"sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"});
  EXPECT_FALSE(network_->is_plugged(vpc, a));
  apply(vpc);

  EXPECT_TRUE(network_->is_plugged(vpc, a));
  EXPECT_TRUE(reaches(first, second, 1));
  EXPECT_TRUE(reaches(second, first, 2));
  EXPECT_NE(inside(vpc, {"ip", "route", "show", "table", "1016"}).find("unreachable default"), std::string::npos);
  EXPECT_NE(inside(vpc, {"ip", "neighbour", "show", "nud", "permanent"}).find("10.9.1.11"), std::string::npos);
}

using Threat_M07 = NetworkLifecycle;

TEST_F(Threat_M07, AKilledNameServerComesBackUnprivileged) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& guest = plug(vpc, id);
  int before = name_server(vpc);
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  ASSERT_TRUE(eventually(std::chrono::seconds(5), [&] { return ::kill(before, 0) != 0; }));

  apply(vpc);

  EXPECT_NE(name_server(vpc), before);
  EXPECT_EQ(offered(guest), guest.address);
  EXPECT_EQ(network_->problems().size(), 1U);
  std::ifstream status(fmt::format("/proc/{}/status", name_server(vpc)));
  std::string text_of_status((std::istreambuf_iterator<char>(status)), {});
  EXPECT_EQ(text_of_status.find("Uid:\t0"), std::string::npos);
  apply(vpc);
  EXPECT_TRUE(network_->problems().empty());
}

TEST_F(NetworkLifecycle, AFreedAddressIsLeasedToItsNextOwner) {
  auto vpc = make_vpc(16);
  auto old_id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& old_owner = plug(vpc, old_id);
  EXPECT_EQ(offered(old_owner), old_owner.address);
  confirm(old_owner);
  ASSERT_TRUE(network_->unplug(vpc, old_id));
  vpc.interfaces.clear();
  auto new_id = add_interface(vpc, 2, 1, "10.9.1.10", {17});
  apply(vpc);

  auto& new_owner = plug(vpc, new_id);

  EXPECT_EQ(offered(new_owner), new_owner.address);
}

TEST_F(NetworkLifecycle, AStoppedGuestsTapIsMadeAnew) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  plug(vpc, id);
  guests_.clear();

  auto& again = open_tap(vpc, id);
  EXPECT_FALSE(network_->is_plugged(vpc, id));
  EXPECT_FALSE(again.send(zeros(60))) << "a tap that is not plugged in is up";
  ASSERT_TRUE(network_->plug(vpc, id));
  EXPECT_EQ(offered(again), again.address);
  ASSERT_TRUE(network_->plug(vpc, id)) << "plugging is not idempotent";
}

TEST_F(NetworkLifecycle, RemovalWaitsForTheLastTapAndLeavesNothing) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  plug(vpc, id);
  int server = name_server(vpc);

  auto refused = network_->remove(vpc);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::incorrect_state);
  ASSERT_TRUE(network_->unplug(vpc, id));
  ASSERT_TRUE(network_->unplug(vpc, id));
  auto removed = network_->remove(vpc);
  ASSERT_TRUE(removed) << describe(removed.error());

  EXPECT_FALSE(network::name_space_exists(names_.name_space(16)));
  EXPECT_TRUE(eventually(std::chrono::seconds(5), [&] { return ::kill(server, 0) != 0; }));
  EXPECT_FALSE(std::filesystem::exists(runtime_ + "/" + realm_));
  EXPECT_TRUE(network_->remove(vpc));
}

TEST_F(NetworkLifecycle, OrphansGoButNeverANamespaceWithATap) {
  auto empty = make_vpc(16);
  auto used = make_vpc(32);
  auto known = make_vpc(48);
  auto id = add_interface(used, 1, 1, "10.9.1.10", {33});
  auto waiting = add_interface(known, 2, 1, "10.9.1.10", {49});
  for (auto* vpc : {&empty, &used, &known}) apply(*vpc);
  plug(used, id);
  open_tap(known, waiting);
  auto stray = used;
  stray.interfaces.clear();
  auto stray_id = add_interface(stray, 3, 1, "10.9.1.11", {33});
  ASSERT_TRUE(network_->create_tap(stray, stray_id));

  auto removed = network_->remove_orphans({known});

  ASSERT_TRUE(removed) << describe(removed.error());
  EXPECT_EQ(*removed, (std::vector<std::string>{names_.name_space(16), names_.tap(3)}));
  EXPECT_TRUE(network_->is_plugged(used, id));
}

TEST_F(NetworkLifecycle, SocketsBelongToTheVpc) {
  auto vpc = make_vpc(16);
  apply(vpc);
  auto listening = network_->listen(vpc, "169.254.169.254", 80);
  ASSERT_TRUE(listening) << describe(listening.error());

  auto connection = network_->connect(vpc, "169.254.169.254", 80, std::chrono::seconds(2));
  auto refused = network_->connect(vpc, "169.254.169.253", 81, std::chrono::seconds(2));
  auto silent = network_->connect(vpc, "10.9.1.77", 22, std::chrono::milliseconds(100));

  EXPECT_TRUE(connection);
  EXPECT_FALSE(refused);
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Code::unavailable);
}

TEST_F(NetworkLifecycle, NamesOfInterfacesResolve) {
  auto vpc = make_vpc(16);
  auto id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& guest = plug(vpc, id);
  Ipv4 resolver = *Ipv4::parse("10.9.0.2");
  Bytes question = u16(7) + u16(0x0100) + u16(1) + zeros(6) + u8(12) + text("ip-10-9-1-10") + u8(3) + text("ec2") +
                   u8(8) + text("internal") + u8(0) + u16(1) + u16(1);
  std::optional<Bytes> answer;
  for (int i = 0; i < 10 && !answer; ++i) {
    guest.send(ethernet(router, guest.mac, type_ipv4, ipv4({guest.address, resolver}, udp(4000, 53, question))));
    answer = guest.receive(
        [&](const Bytes& frame) {
          return read_u16(frame, 34) == 53 && contains(frame, u32(guest.address.value)) && read_u16(frame, 48) == 1;
        },
        std::chrono::milliseconds(500));
  }
  ASSERT_TRUE(answer);
  EXPECT_TRUE(contains(Bytes(answer->begin() + 42, answer->end()), u16(4) + u32(guest.address.value)));
}

}  // namespace
}  // namespace virga::test
