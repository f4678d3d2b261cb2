#include "network/interfaces.h"

#include <set>

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class Interfaces : public NetworkTest {
 protected:
  Interfaces() : vpc_(make_vpc(alice)), subnet_(make_subnet(alice, vpc_.id, "10.0.1.0/28")) {}
  Code refused(const InterfaceRequest& request) {
    return code(alice, [&](Scope& s) { return allocate_interface(s, request); });
  }
  InterfaceRequest request() { return on_host(subnet_.id, InstanceId::generate(ids_), "h1"); }
  Vpc vpc_;
  Subnet subnet_;
};

TEST_F(Interfaces, TakeTheLowestFreeAddress) {
  const auto first = make_interface(alice, subnet_.id);
  const auto second = make_interface(alice, subnet_.id);
  EXPECT_EQ(first.private_ip, "10.0.1.4");
  EXPECT_EQ(second.private_ip, "10.0.1.5");
  ok(alice, [&](Scope& s) { return release_interface(s, first.id); });
  EXPECT_EQ(make_interface(alice, subnet_.id).private_ip, "10.0.1.4");
}

TEST_F(Interfaces, FillASubnetToItsLastAddress) {
  std::set<std::string> addresses;
  for (int i = 0; i < 11; ++i) addresses.insert(make_interface(alice, subnet_.id).private_ip);
  EXPECT_EQ(addresses.size(), 11u);
  EXPECT_TRUE(addresses.contains("10.0.1.14"));
  EXPECT_EQ(refused(request()), Code::insufficient_free_addresses_in_subnet);
  EXPECT_EQ(used(alice, quota::Name::network_interfaces), 11);
}

TEST_F(Interfaces, TakeARequestedAddress) {
  auto wanted = request();
  wanted.private_ip = "10.0.1.9";
  EXPECT_EQ(make_interface(alice, wanted).private_ip, "10.0.1.9");
  EXPECT_EQ(refused(wanted), Code::invalid_ip_address_in_use);
  for (const char* text :
       {"10.0.1.0", "10.0.1.1", "10.0.1.3", "10.0.1.15", "10.0.1.16", "10.0.2.9", "10.0.1.010", "x"}) {
    wanted.private_ip = text;
    EXPECT_EQ(refused(wanted), Code::invalid_parameter_value) << text;
  }
}

TEST_F(Interfaces, ShowWhatDescribeNeeds) {
  auto wanted = request();
  wanted.description = "primary";
  wanted.device_index = 0;
  touched(vpc_.id);
  const auto made = make_interface(alice, wanted);

  EXPECT_EQ(made.private_dns_name, "ip-10-0-1-4.ec2.internal");
  EXPECT_EQ(made.zone, "us-east-1a");
  EXPECT_EQ(made.vpc_cidr, "10.0.0.0/16");
  EXPECT_EQ(made.subnet_cidr, "10.0.1.0/28");
  EXPECT_EQ(made.vpc_number, vpc_.number);
  EXPECT_NE(made.number, 0u);
  EXPECT_EQ(made.instance, wanted.instance);
  EXPECT_FALSE(made.attachment.empty());
  EXPECT_EQ(made.attached, clock_.now());
  ASSERT_EQ(made.groups.size(), 1u);
  EXPECT_EQ(made.groups[0].name, "default");
  EXPECT_EQ(journal(made.id.str()), "+");
  EXPECT_TRUE(touched(vpc_.id));
}

TEST_F(Interfaces, HaveDistinctLocalMacAddresses) {
  const auto other = make_subnet(alice, vpc_.id, "10.0.2.0/24");
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const auto mac = make_interface(alice, other.id).mac;
    EXPECT_EQ(mac.size(), 17u);
    EXPECT_TRUE(mac.starts_with("02:"));
    seen.insert(mac);
  }
  EXPECT_EQ(seen.size(), 50u);
}

TEST_F(Interfaces, BelongToGroupsOfTheirVpc) {
  auto wanted = request();
  const auto web = make_group(alice, vpc_.id, "web");
  const auto db = make_group(alice, vpc_.id, "db");
  wanted.groups = {web.id, db.id, web.id};
  const auto made = make_interface(alice, wanted);
  ASSERT_EQ(made.groups.size(), 2u);
  EXPECT_EQ(made.groups[0].id, web.id);
  EXPECT_EQ(made.groups[1].name, "db");

  wanted.groups = {make_group(alice, make_vpc(alice).id).id};
  EXPECT_EQ(refused(wanted), Code::invalid_parameter_value);
  wanted.groups = {make_group(bob, make_vpc(bob).id).id};
  EXPECT_EQ(refused(wanted), Code::invalid_group_not_found);
  limit(alice, quota::Name::security_groups_per_interface, 1);
  wanted.groups = {web.id, db.id};
  EXPECT_EQ(refused(wanted), Code::security_groups_per_interface_limit_exceeded);
}

TEST_F(Interfaces, KeepToTheQuotaAndGiveBack) {
  limit(alice, quota::Name::network_interfaces, 1);
  const auto made = make_interface(alice, subnet_.id);
  EXPECT_EQ(refused(request()), Code::resource_limit_exceeded);
  touched(vpc_.id);
  ok(alice, [&](Scope& s) { return release_interface(s, made.id); });
  EXPECT_TRUE(touched(vpc_.id));
  EXPECT_EQ(used(alice, quota::Name::network_interfaces), 0);
  EXPECT_EQ(journal(made.id.str()), "+-");
  ok(alice, [&](Scope& s) { return release_interface(s, made.id); });
  EXPECT_EQ(journal(made.id.str()), "+-");
}

TEST_F(Interfaces, AreListedByInstanceAndIndex) {
  auto wanted = request();
  wanted.device_index = 1;
  const auto second = make_interface(alice, wanted);
  wanted.device_index = 0;
  const auto first = make_interface(alice, wanted);
  make_interface(bob, make_subnet(bob, make_vpc(bob).id).id);

  const auto of_instance = ask(alice, [&](Scope& s) { return interfaces_of(s, wanted.instance); });
  ASSERT_EQ(of_instance.size(), 2u);
  EXPECT_EQ(of_instance[0].id, first.id);
  EXPECT_EQ(of_instance[1].id, second.id);
  const auto attached = ask(alice, [](Scope& s) { return attached_interfaces(s); });
  ASSERT_EQ(attached.size(), 2u);
  EXPECT_EQ(attached[0].id, first.id);
  EXPECT_EQ(attached[0].groups.size(), 1u);
  EXPECT_EQ(ok(alice, [](Scope& s) { return list_interfaces(s); }).size(), 2u);
}

TEST_F(Interfaces, AreInvisibleToOthers) {
  const auto made = make_interface(alice, subnet_.id);
  EXPECT_EQ(code(bob, [&](Scope& s) { return find_interface(s, made.id); }),
            Code::invalid_network_interface_id_not_found);
  EXPECT_TRUE(ask(bob, [&](Scope& s) { return interfaces_of(s, made.instance); }).empty());
  ok(bob, [&](Scope& s) { return release_interface(s, made.id); });
  EXPECT_EQ(ok(alice, [&](Scope& s) { return find_interface(s, made.id); }).private_ip, "10.0.1.4");
  EXPECT_EQ(code(bob, [&](Scope& s) { return allocate_interface(s, request()); }), Code::invalid_subnet_id_not_found);
}

TEST_F(Interfaces, ChangeWhileTheyAreInUse) {
  const auto made = make_interface(alice, subnet_.id);
  const auto web = make_group(alice, vpc_.id, "web");
  const auto db = make_group(alice, vpc_.id, "db");
  const auto now = [&] { return ok(alice, [&](Scope& s) { return find_interface(s, made.id); }); };

  touched(vpc_.id);
  ok(alice, [&](Scope& s) { return set_groups(s, made.id, {db.id, web.id, db.id}); });
  ASSERT_EQ(now().groups.size(), 2u);
  EXPECT_EQ(now().groups[0].name, "db");
  EXPECT_TRUE(touched(vpc_.id));
  ok(alice, [&](Scope& s) { return set_source_dest_check(s, made.id, false); });
  EXPECT_FALSE(now().source_dest_check);
  EXPECT_TRUE(touched(vpc_.id));
  ok(alice, [&](Scope& s) { return set_description(s, made.id, "front"); });
  ok(alice, [&](Scope& s) { return set_delete_on_termination(s, made.id, false); });
  ok(alice, [&](Scope& s) { return set_wants_public_ip(s, made.id, true); });
  EXPECT_EQ(now().description, "front");
  EXPECT_FALSE(now().delete_on_termination);
  EXPECT_TRUE(now().wants_public_ip);
  EXPECT_EQ(journal(made.id.str()), "+~~~~~");
}

TEST_F(Interfaces, KeepTheirGroupsWhenNewOnesCannotBe) {
  const auto made = make_interface(alice, subnet_.id);
  const auto foreign = make_group(alice, make_vpc(alice, "10.9.0.0/16").id);
  const auto web = make_group(alice, vpc_.id, "web");
  limit(alice, quota::Name::security_groups_per_interface, 1);
  const auto setting = [&](std::vector<SecurityGroupId> groups) {
    return code(alice, [&](Scope& s) { return set_groups(s, made.id, groups); });
  };

  EXPECT_EQ(setting({foreign.id}), Code::invalid_parameter_value);
  EXPECT_EQ(setting({web.id, made.groups.at(0).id}), Code::security_groups_per_interface_limit_exceeded);
  EXPECT_EQ(code(bob, [&](Scope& s) { return set_groups(s, made.id, {}); }),
            Code::invalid_network_interface_id_not_found);

  EXPECT_EQ(ok(alice, [&](Scope& s) { return find_interface(s, made.id); }).groups.at(0).name, "default");
}

TEST_F(Interfaces, StayUnattachedOnNoHostAfterTheirInstance) {
  const auto made = make_interface(alice, subnet_.id);
  EXPECT_EQ(code(alice, [&](Scope& s) { return delete_interface(s, made.id); }),
            Code::invalid_network_interface_in_use);

  ask(alice, [&](Scope& s) { return detach_interface(s, made.id), true; });

  const auto left = ok(alice, [&](Scope& s) { return find_interface(s, made.id); });
  EXPECT_TRUE(left.attachment.empty() && left.instance.empty());
  EXPECT_EQ(left.private_ip, made.private_ip);
  EXPECT_TRUE(ask(alice, [](Scope& s) { return attached_interfaces(s); }).empty());
  EXPECT_EQ(
      ask(alice, [](Scope& s) { return s.tx.number("SELECT count(*) FROM network_interface WHERE host = 'h1'"); }), 0);
  ok(alice, [&](Scope& s) { return delete_interface(s, made.id); });
  EXPECT_EQ(used(alice, quota::Name::network_interfaces), 0);
  EXPECT_EQ(journal(made.id.str()), "+~-");
}

}  // namespace
}  // namespace virga::network
