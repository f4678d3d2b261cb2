#include "network/addresses.h"

#include <set>

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class Addresses : public NetworkTest {
 protected:
  Addresses() { config_.public_cidrs = {"203.0.113.0/29"}; }

  Address allocate(const AccountId& account, const std::string& wanted = {}) {
    return ok(account, [&](Scope& s) { return addresses::allocate(s, config_, wanted); });
  }
  Code refused(const AccountId& account, const std::string& wanted = {}) {
    return code(account, [&](Scope& s) { return addresses::allocate(s, config_, wanted); });
  }
};

TEST_F(Addresses, BelongToTheirAccountUntilReleased) {
  const auto address = allocate(alice);

  EXPECT_TRUE(address.allocation.str().starts_with("eipalloc-"));
  EXPECT_TRUE(address.public_ip.starts_with("203.0.113."));
  EXPECT_TRUE(address.association.empty());
  EXPECT_EQ(used(alice, quota::Name::addresses), 1);
  EXPECT_EQ(ok(alice, [&](Scope& s) { return addresses::find_by_ip(s, address.public_ip); }).allocation,
            address.allocation);

  ok(alice, [&](Scope& s) { return addresses::release(s, address.allocation); });
  EXPECT_EQ(used(alice, quota::Name::addresses), 0);
  EXPECT_EQ(journal(address.allocation.str()), "+-");
  EXPECT_EQ(code(alice, [&](Scope& s) { return addresses::find(s, address.allocation); }),
            Code::invalid_allocation_id_not_found);
  EXPECT_EQ(code(alice, [&](Scope& s) { return addresses::find_by_ip(s, address.public_ip); }),
            Code::invalid_address_not_found);
  EXPECT_EQ(code(alice, [&](Scope& s) { return addresses::release(s, address.allocation); }),
            Code::invalid_allocation_id_not_found);
}

TEST_F(Addresses, AreEachGivenOnceAndWithoutTheEndsOfTheBlock) {
  std::set<std::string> given;
  for (int i = 0; i < 6; ++i) given.insert(allocate(i % 2 == 0 ? alice : bob).public_ip);

  EXPECT_EQ(given, (std::set<std::string>{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5",
                                          "203.0.113.6"}));
  EXPECT_EQ(refused(alice), Code::insufficient_address_capacity);
  EXPECT_EQ(used(alice, quota::Name::addresses), 3) << "what is refused is not counted";
}

TEST_F(Addresses, ComeFromAllBlocks) {
  config_.public_cidrs = {"203.0.113.8/31", "198.51.100.7/32"};
  std::set<std::string> given;
  for (int i = 0; i < 3; ++i) given.insert(allocate(alice).public_ip);
  EXPECT_EQ(given, (std::set<std::string>{"198.51.100.7", "203.0.113.8", "203.0.113.9"}));
}

TEST_F(Addresses, MayBeAskedForByName) {
  EXPECT_EQ(allocate(alice, "203.0.113.5").public_ip, "203.0.113.5");
  EXPECT_EQ(refused(bob, "203.0.113.5"), Code::invalid_ip_address_in_use);
  EXPECT_EQ(refused(bob, "203.0.113.8"), Code::invalid_address_not_found);
  EXPECT_EQ(refused(bob, "203.0.113.0"), Code::invalid_address_not_found) << "the block's first is left out";
  EXPECT_EQ(refused(bob, "203.0.113.05"), Code::invalid_parameter_value);
}

TEST_F(Addresses, KeepToTheQuota) {
  limit(alice, quota::Name::addresses, 1);
  allocate(alice);
  EXPECT_EQ(refused(alice), Code::address_limit_exceeded);
  allocate(bob);
}

TEST_F(Addresses, StayWhenTheirBlockLeavesTheConfiguration) {
  const auto address = allocate(alice);
  config_.public_cidrs = {"198.51.100.0/30"};

  EXPECT_EQ(ok(alice, [&](Scope& s) { return addresses::find(s, address.allocation); }).public_ip, address.public_ip);
  EXPECT_TRUE(allocate(alice).public_ip.starts_with("198.51.100."));
  EXPECT_EQ(ask(alice, [](Scope& s) { return addresses::list(s); }).size(), 2u);
}

TEST_F(Addresses, AreInvisibleToOthers) {
  const auto address = allocate(alice);
  EXPECT_TRUE(ask(bob, [](Scope& s) { return addresses::list(s); }).empty());
  EXPECT_EQ(code(bob, [&](Scope& s) { return addresses::find(s, address.allocation); }),
            Code::invalid_allocation_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return addresses::find_by_ip(s, address.public_ip); }),
            Code::invalid_address_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return addresses::release(s, address.allocation); }),
            Code::invalid_allocation_id_not_found);
}

TEST(PublicHostNames, CarryTheAddressAndTheRegion) {
  EXPECT_EQ(public_host_name("203.0.113.7", "ec2.internal"), "ec2-203-0-113-7.compute-1.amazonaws.com");
  EXPECT_EQ(public_host_name("203.0.113.7", "eu-west-1.compute.internal"),
            "ec2-203-0-113-7.eu-west-1.compute.amazonaws.com");
}

}  // namespace
}  // namespace virga::network
