#include "network/addresses.h"
#include "network/sync.h"
#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class AddressAssociations : public NetworkTest {
 protected:
  Address allocate(const AccountId& account) {
    return ok(account, [&](Scope& s) { return addresses::allocate(s, config_); });
  }
  AssociationRequest request(const Address& address, const Interface& interface) const {
    AssociationRequest request;
    request.allocation = address.allocation;
    request.interface = interface.id;
    return request;
  }
  AddressAssociationId associate(const AssociationRequest& request) {
    return ok(alice, [&](Scope& s) { return addresses::associate(s, request); });
  }
  Code refused(const AssociationRequest& request) {
    return code(alice, [&](Scope& s) { return addresses::associate(s, request); });
  }
  Address now(const Address& address) {
    return ok(alice, [&](Scope& s) { return addresses::find(s, address.allocation); });
  }
  /// The document's translations, "PUBLIC PRIVATE".
  std::vector<std::string> mapped() {
    const auto document = ask(alice, [&](Scope& s) { return wanted_vpc(s.tx, vpc_.id, "h1"); });
    std::vector<std::string> lines;
    for (const auto& address : document->addresses) lines.push_back(address.public_ip + " " + address.private_ip);
    return lines;
  }
  bool told(const Interface& interface) {
    return ask(alice, [&](Scope& s) {
      return s.tx.execute("DELETE FROM outbox WHERE kind = 'instance' AND id = ?", interface.instance) > 0;
    });
  }
  /// An interface that is to have an automatic address.
  Interface wanting() {
    auto wish = on_host(subnet_.id, InstanceId::generate(ids_), "h1");
    wish.wants_public_ip = true;
    return make_interface(alice, wish);
  }
  void assign(const Interface& interface) {
    ok(alice, [&](Scope& s) { return assign_public_ip(s, config_, interface.id); });
  }
  void give_back(const Interface& interface) {
    ask(alice, [&](Scope& s) {
      release_public_ip(s, interface.id);
      return true;
    });
  }
  void end_all(const Interface& interface) {
    ask(alice, [&](Scope& s) {
      disassociate_all(s, interface.id);
      return true;
    });
  }

  Vpc vpc_ = make_vpc(alice);
  Subnet subnet_ = make_subnet(alice, vpc_.id);
};

TEST_F(AddressAssociations, StandForAPrivateAddressOfAnInterface) {
  make_gateway(alice, vpc_.id);
  const auto interface = make_interface(alice, subnet_.id);
  const auto address = allocate(alice);
  touched(vpc_.id);

  const auto association = associate(request(address, interface));

  EXPECT_TRUE(association.str().starts_with("eipassoc-"));
  const auto seen = now(address);
  EXPECT_EQ(seen.association, association);
  EXPECT_EQ(seen.interface, interface.id);
  EXPECT_EQ(seen.instance, interface.instance);
  EXPECT_EQ(seen.subnet, subnet_.id);
  EXPECT_EQ(seen.vpc, vpc_.id);
  EXPECT_EQ(seen.private_ip, interface.private_ip);
  EXPECT_EQ(mapped(), std::vector{address.public_ip + " " + interface.private_ip});
  EXPECT_TRUE(touched(vpc_.id));
  EXPECT_TRUE(told(interface));
  EXPECT_EQ(code(alice, [&](Scope& s) { return addresses::release(s, address.allocation); }),
            Code::invalid_ip_address_in_use);

  ok(alice, [&](Scope& s) { return addresses::disassociate(s, association); });
  EXPECT_TRUE(now(address).association.empty());
  EXPECT_TRUE(now(address).private_ip.empty());
  EXPECT_TRUE(mapped().empty());
  EXPECT_TRUE(touched(vpc_.id));
  EXPECT_TRUE(told(interface));
  EXPECT_EQ(journal(address.allocation.str()), "+~~");
  EXPECT_EQ(code(alice, [&](Scope& s) { return addresses::disassociate(s, association); }),
            Code::invalid_association_id_not_found);
  ok(alice, [&](Scope& s) { return addresses::release(s, address.allocation); });
}

TEST_F(AddressAssociations, AreTheSameWhenRepeated) {
  make_gateway(alice, vpc_.id);
  auto again = request(allocate(alice), make_interface(alice, subnet_.id));
  const auto first = associate(again);
  touched(vpc_.id);

  EXPECT_EQ(associate(again), first);
  again.allow_reassociation = false;
  EXPECT_EQ(associate(again), first);
  EXPECT_FALSE(touched(vpc_.id));
}

TEST_F(AddressAssociations, NeedAnInternetGateway) {
  const auto address = allocate(alice);
  const auto interface = make_interface(alice, subnet_.id);
  EXPECT_EQ(refused(request(address, interface)), Code::gateway_not_attached);
  make_gateway(alice, vpc_.id);
  associate(request(address, interface));
}

TEST_F(AddressAssociations, MoveUnlessToldNotTo) {
  make_gateway(alice, vpc_.id);
  const auto one = make_interface(alice, subnet_.id);
  const auto two = make_interface(alice, subnet_.id);
  const auto address = allocate(alice);
  const auto first = associate(request(address, one));
  auto other = request(address, two);

  other.allow_reassociation = false;
  EXPECT_EQ(refused(other), Code::resource_already_associated);
  other.allow_reassociation = true;
  told(one);
  EXPECT_NE(associate(other), first);
  EXPECT_EQ(now(address).interface, two.id);
  EXPECT_TRUE(told(one));
  EXPECT_EQ(mapped(), std::vector{address.public_ip + " " + two.private_ip});
}

TEST_F(AddressAssociations, PutAnotherAddressOutOfItsPlaceUnlessToldNotTo) {
  make_gateway(alice, vpc_.id);
  const auto interface = make_interface(alice, subnet_.id);
  const auto before = allocate(alice);
  const auto after = allocate(alice);
  associate(request(before, interface));
  auto other = request(after, interface);

  other.allow_reassociation = false;
  EXPECT_EQ(refused(other), Code::resource_already_associated);
  other.allow_reassociation = true;
  associate(other);
  EXPECT_TRUE(now(before).association.empty()) << "it stays allocated";
  EXPECT_EQ(mapped(), std::vector{after.public_ip + " " + interface.private_ip});
}

TEST_F(AddressAssociations, AreOnlyWithTheInterfacesOwnAddresses) {
  make_gateway(alice, vpc_.id);
  const auto interface = make_interface(alice, subnet_.id);
  auto wish = request(allocate(alice), interface);
  wish.private_ip = "10.0.1.77";
  EXPECT_EQ(refused(wish), Code::invalid_parameter_value);
  wish.private_ip = "ten";
  EXPECT_EQ(refused(wish), Code::invalid_parameter_value);
  wish.private_ip = interface.private_ip;
  associate(wish);
}

TEST_F(AddressAssociations, KeepTheInternetGatewayInItsPlace) {
  const auto gateway = make_gateway(alice, vpc_.id);
  const auto association = associate(request(allocate(alice), make_interface(alice, subnet_.id)));
  const auto detach = [&](Scope& s) { return internet_gateways::detach(s, gateway.id, vpc_.id); };

  EXPECT_EQ(code(alice, detach), Code::dependency_violation);
  ok(alice, [&](Scope& s) { return addresses::disassociate(s, association); });
  ok(alice, detach);

  const auto automatic = wanting();
  assign(automatic);
  ok(alice, [&](Scope& s) { return internet_gateways::attach(s, gateway.id, vpc_.id); });
  EXPECT_EQ(code(alice, detach), Code::dependency_violation) << "automatic addresses count too";
  give_back(automatic);
  ok(alice, detach);
}

TEST_F(AddressAssociations, ComeByThemselvesWhereWanted) {
  const auto interface = wanting();
  const auto other = make_interface(alice, subnet_.id);
  touched(vpc_.id);

  assign(other);
  EXPECT_TRUE(mapped().empty());
  EXPECT_FALSE(touched(vpc_.id));
  assign(interface);
  ASSERT_EQ(mapped().size(), 1u);
  EXPECT_TRUE(mapped().front().ends_with(" " + interface.private_ip));
  EXPECT_TRUE(touched(vpc_.id));
  EXPECT_TRUE(told(interface));
  const auto given = mapped();
  assign(interface);
  EXPECT_EQ(mapped(), given);
  EXPECT_TRUE(ask(alice, [](Scope& s) { return addresses::list(s); }).empty());
  EXPECT_EQ(used(alice, quota::Name::addresses), 0);

  give_back(interface);
  EXPECT_TRUE(mapped().empty());
  EXPECT_TRUE(told(interface));
  EXPECT_EQ(journal(interface.id.str()), "+~~");
}

TEST_F(AddressAssociations, AutomaticOnesGiveWayToElasticOnes) {
  make_gateway(alice, vpc_.id);
  const auto interface = wanting();
  assign(interface);
  const auto address = allocate(alice);
  auto wish = request(address, interface);
  wish.allow_reassociation = false;

  associate(wish);
  EXPECT_EQ(mapped(), std::vector{address.public_ip + " " + interface.private_ip});
  assign(interface);
  give_back(interface);
  EXPECT_EQ(mapped(), std::vector{address.public_ip + " " + interface.private_ip});
}

TEST_F(AddressAssociations, AutomaticOnesEndWithThePool) {
  config_.public_cidrs = {"203.0.113.9/32"};
  assign(wanting());
  const auto last = wanting();
  EXPECT_EQ(code(alice, [&](Scope& s) { return assign_public_ip(s, config_, last.id); }),
            Code::insufficient_address_capacity);
}

TEST_F(AddressAssociations, AutomaticOnesCannotBeDisassociatedByCallers) {
  const auto interface = wanting();
  assign(interface);
  const auto id = ask(alice, [](Scope& s) {
    return *s.tx.one("SELECT association FROM public_address",
                     [](store::Row& row) { return row.id<AddressAssociationId>(0); });
  });
  EXPECT_EQ(code(alice, [&](Scope& s) { return addresses::disassociate(s, id); }),
            Code::invalid_association_id_not_found);
}

TEST_F(AddressAssociations, EndWithTheirInterface) {
  make_gateway(alice, vpc_.id);
  const auto elastic = make_interface(alice, subnet_.id);
  const auto automatic = wanting();
  const auto address = allocate(alice);
  associate(request(address, elastic));
  assign(automatic);

  end_all(elastic);
  end_all(automatic);
  EXPECT_TRUE(now(address).association.empty());
  EXPECT_TRUE(mapped().empty());
  ok(alice, [&](Scope& s) { return release_interface(s, elastic.id); });
  ok(alice, [&](Scope& s) { return release_interface(s, automatic.id); });
}

TEST_F(AddressAssociations, GuestsLearnOfPublicNamesWhenTheVpcGivesThem) {
  const auto interface = wanting();
  const auto other = make_interface(alice, subnet_.id);
  assign(interface);
  told(interface);
  VpcAttributes names;
  names.dns_hostnames = true;
  ok(alice, [&](Scope& s) { return vpcs::modify(s, vpc_.id, names); });
  EXPECT_TRUE(told(interface));
  EXPECT_FALSE(told(other));
  ok(alice, [&](Scope& s) { return vpcs::modify(s, vpc_.id, names); });
  EXPECT_FALSE(told(interface));
}

TEST_F(AddressAssociations, Threat_B01_NeverCrossAccounts) {
  make_gateway(alice, vpc_.id);
  const auto bobs_vpc = make_vpc(bob);
  make_gateway(bob, bobs_vpc.id);
  const auto bobs = make_interface(bob, make_subnet(bob, bobs_vpc.id).id);
  const auto interface = make_interface(alice, subnet_.id);
  const auto address = allocate(alice);
  const auto association = associate(request(address, interface));

  EXPECT_EQ(refused(request(address, bobs)), Code::invalid_network_interface_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return addresses::associate(s, request(address, bobs)); }),
            Code::invalid_allocation_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return addresses::disassociate(s, association); }),
            Code::invalid_association_id_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return addresses::find_by_association(s, association); }),
            Code::invalid_association_id_not_found);
  EXPECT_EQ(mapped(), std::vector{address.public_ip + " " + interface.private_ip});
}

TEST_F(AddressAssociations, DocumentsTellOfTheInternetGateway) {
  make_interface(alice, subnet_.id);
  const auto attached = [&] {
    return ask(alice, [&](Scope& s) { return wanted_vpc(s.tx, vpc_.id, "h1"); })->internet_gateway;
  };
  EXPECT_FALSE(attached());
  const auto gateway = make_gateway(alice, vpc_.id);
  EXPECT_TRUE(attached());
  ok(alice, [&](Scope& s) { return internet_gateways::detach(s, gateway.id, vpc_.id); });
  EXPECT_FALSE(attached());
}

}  // namespace
}  // namespace virga::network
