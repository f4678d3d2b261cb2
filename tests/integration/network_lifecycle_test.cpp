// What a VPC on the real kernel goes through: repeated application, restarts, deaths, removal.

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

TEST_F(NetworkLifecycle, AFreedAddressIsLeasedToItsNextOwner) {
  auto vpc = make_vpc(16);
  auto old_id = add_interface(vpc, 1, 1, "10.9.1.10", {17});
  apply(vpc);
  auto& old_owner = plug(vpc, old_id);
  EXPECT_EQ(offered(old_owner), old_owner.address);
  EXPECT_TRUE(takes_lease(old_owner));
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

}  // namespace
}  // namespace virga::test
