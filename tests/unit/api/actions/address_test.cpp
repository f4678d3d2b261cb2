#include "tests/unit/api/actions/network_wire.h"

namespace virga::api {
namespace {

class AddressActions : public NetworkWire {
 protected:
  struct Allocated {
    std::string id;
    std::string ip;
  };
  Allocated allocate(const std::string& who = "alice") {
    const auto answer = ok("AllocateAddress", {{"Domain", "vpc"}}, who);
    return {answer.text("allocationId"), answer.text("publicIp")};
  }
  /// An interface in a VPC with an internet gateway. Its instance is none that the store knows.
  network::Interface reachable() {
    const auto vpc = make_vpc();
    const auto gateway = ok("CreateInternetGateway").text("internetGatewayId");
    ok("AttachInternetGateway", {{"InternetGatewayId", gateway}, {"VpcId", vpc}});
    return make_loose_interface(make_subnet(vpc));
  }
  network::Interface make_loose_interface(const std::string& subnet) {
    return must(store_->write([&](store::Transaction& tx) {
      Scope scope{tx, alice, clock_.now(), ids_, "test", "CreateNetworkInterface", "r-1"};
      network::InterfaceRequest request;
      request.subnet = SubnetId::trusted(subnet);
      return network::allocate_interface(scope, request);
    }));
  }
  std::string associate(const Allocated& address, const network::Interface& interface) {
    return ok("AssociateAddress", {{"AllocationId", address.id}, {"NetworkInterfaceId", interface.id.str()}})
        .text("associationId");
  }
  int found(const std::string& filter, const std::string& value) {
    return ok("DescribeAddresses", {{"Filter.1.Name", filter}, {"Filter.1.Value.1", value}}).count("<publicIp>");
  }
};

TEST_F(AddressActions, AllocateAnswersWhatClientsKeep) {
  const auto answer = ok("AllocateAddress", {{"Domain", "vpc"},
                                             {"PublicIpv4Pool", "amazon"},
                                             {"NetworkBorderGroup", "us-east-1"},
                                             {"Address", "198.18.0.9"},
                                             {"TagSpecification.1.ResourceType", "elastic-ip"},
                                             {"TagSpecification.1.Tag.1.Key", "Name"},
                                             {"TagSpecification.1.Tag.1.Value", "front"}});

  EXPECT_TRUE(answer.text("allocationId").starts_with("eipalloc-"));
  EXPECT_EQ(answer.text("publicIp"), "198.18.0.9");
  EXPECT_EQ(answer.text("domain"), "vpc");
  EXPECT_EQ(answer.text("publicIpv4Pool"), "amazon");
  EXPECT_EQ(answer.text("networkBorderGroup"), "us-east-1");
  const auto seen = ok("DescribeAddresses", {{"AllocationId.1", answer.text("allocationId")}});
  EXPECT_EQ(seen.text("publicIp"), "198.18.0.9");
  EXPECT_TRUE(seen.has("<tagSet><item><key>Name</key><value>front</value></item></tagSet>"));
  EXPECT_FALSE(seen.has("<associationId>"));
  EXPECT_FALSE(seen.has("<instanceId>"));
}

TEST_F(AddressActions, AllocateRefusesWhatIsNotHonoured) {
  EXPECT_EQ(code("AllocateAddress", {{"Domain", "standard"}}), "UnsupportedOperation");
  EXPECT_EQ(code("AllocateAddress", {{"PublicIpv4Pool", "ipv4pool-ec2-012345"}}), "UnsupportedOperation");
  EXPECT_EQ(code("AllocateAddress", {{"CustomerOwnedIpv4Pool", "pool"}}), "UnsupportedOperation");
  EXPECT_EQ(code("AllocateAddress", {{"IpamPoolId", "ipam-pool-1"}}), "UnsupportedOperation");
  EXPECT_EQ(code("AllocateAddress", {{"NetworkBorderGroup", "us-east-1-wl1"}}), "InvalidParameterValue");
  EXPECT_EQ(code("AllocateAddress", {{"Address", "10.0.0.1"}}), "InvalidAddress.NotFound");
  EXPECT_EQ(
      code("AllocateAddress", {{"TagSpecification.1.ResourceType", "vpc"}, {"TagSpecification.1.Tag.1.Key", "Name"}}),
      "InvalidParameterValue");
  EXPECT_FALSE(ok("DescribeAddresses").has("<item>"));
}

TEST_F(AddressActions, QuotaAndPoolAreToldApart) {
  const auto account = ok("DescribeAccountAttributes");
  for (const auto* name : {"max-elastic-ips", "vpc-max-elastic-ips"})
    EXPECT_TRUE(account.has(std::string("<attributeName>") + name + "</attributeName><attributeValueSet><item>" +
                            "<attributeValue>50</attributeValue>"))
        << name;
  for (int i = 0; i < 50; ++i) allocate();
  EXPECT_EQ(code("AllocateAddress", {}), "AddressLimitExceeded");
  const auto dry = call("AllocateAddress", {{"DryRun", "true"}});
  EXPECT_EQ(dry.code(), "DryRunOperation");
  EXPECT_TRUE(dry.has("AddressLimitExceeded"));

  config_.public_cidrs = {"198.51.100.1/32"};
  allocate("bob");
  EXPECT_EQ(code("AllocateAddress", {}, "bob"), "InsufficientAddressCapacity");
}

TEST_F(AddressActions, AssociationsAreShownAndEnd) {
  const auto interface = reachable();
  const auto address = allocate();
  const auto association = associate(address, interface);

  const auto seen = ok("DescribeAddresses", {{"PublicIp.1", address.ip}});
  EXPECT_EQ(seen.text("associationId"), association);
  EXPECT_EQ(seen.text("networkInterfaceId"), interface.id.str());
  EXPECT_EQ(seen.text("networkInterfaceOwnerId"), "111111111111");
  EXPECT_EQ(seen.text("privateIpAddress"), interface.private_ip);
  EXPECT_EQ(seen.text("subnetId"), interface.subnet.str());
  EXPECT_EQ(associate(address, interface), association);
  EXPECT_EQ(code("ReleaseAddress", {{"AllocationId", address.id}}), "InvalidIPAddress.InUse");

  ok("DisassociateAddress", {{"AssociationId", association}});
  EXPECT_EQ(code("DisassociateAddress", {{"AssociationId", association}}), "InvalidAssociationID.NotFound");
  EXPECT_FALSE(ok("DescribeAddresses").has("<associationId>"));
  ok("ReleaseAddress", {{"AllocationId", address.id}, {"NetworkBorderGroup", "us-east-1"}});
  EXPECT_EQ(code("DescribeAddresses", {{"AllocationId.1", address.id}}), "InvalidAllocationID.NotFound");
  EXPECT_EQ(code("DescribeAddresses", {{"PublicIp.1", address.ip}}), "InvalidAddress.NotFound");
}

TEST_F(AddressActions, TakeTheAddressInPlaceOfItsIds) {
  const auto interface = reachable();
  const auto address = allocate();
  ok("AssociateAddress", {{"PublicIp", address.ip}, {"NetworkInterfaceId", interface.id.str()}});
  ok("DisassociateAddress", {{"PublicIp", address.ip}});
  ok("DisassociateAddress", {{"PublicIp", address.ip}});
  ok("ReleaseAddress", {{"PublicIp", address.ip}});
  EXPECT_EQ(code("ReleaseAddress", {{"PublicIp", address.ip}}), "InvalidAddress.NotFound");
}

TEST_F(AddressActions, AssociateSaysWhatIsMissing) {
  const auto address = allocate();
  const auto interface = make_loose_interface(make_subnet(make_vpc())).id.str();
  const auto id = address.id;
  EXPECT_EQ(code("AssociateAddress", {{"AllocationId", id}, {"NetworkInterfaceId", interface}}), "Gateway.NotAttached");
  EXPECT_EQ(code("AssociateAddress", {{"AllocationId", id}}), "MissingParameter");
  EXPECT_EQ(code("AssociateAddress", {{"NetworkInterfaceId", interface}}), "MissingParameter");
  EXPECT_EQ(
      code("AssociateAddress", {{"AllocationId", id}, {"PublicIp", address.ip}, {"NetworkInterfaceId", interface}}),
      "InvalidParameterCombination");
  EXPECT_EQ(code("AssociateAddress",
                 {{"AllocationId", id}, {"InstanceId", "i-00000000000000001"}, {"NetworkInterfaceId", interface}}),
            "InvalidParameterCombination");
  EXPECT_EQ(code("AssociateAddress", {{"AllocationId", id}, {"InstanceId", "i-00000000000000001"}}),
            "InvalidInstanceID.NotFound");
  EXPECT_EQ(code("AssociateAddress", {{"AllocationId", id}, {"InstanceId", "x"}}), "InvalidInstanceID.Malformed");
  EXPECT_EQ(code("AssociateAddress", {{"AllocationId", id}, {"NetworkInterfaceId", "eni-00000000000000001"}}),
            "InvalidNetworkInterfaceID.NotFound");
  EXPECT_EQ(code("AssociateAddress", {{"AllocationId", "eipalloc-1"}, {"NetworkInterfaceId", interface}}),
            "InvalidAllocationID.Malformed");
  EXPECT_EQ(
      code("AssociateAddress", {{"AllocationId", "eipalloc-00000000000000001"}, {"NetworkInterfaceId", interface}}),
      "InvalidAllocationID.NotFound");
}

TEST_F(AddressActions, ReassociationCanBeForbidden) {
  const auto one = reachable();
  const auto two = make_loose_interface(one.subnet.str());
  const auto address = allocate();
  associate(address, one);
  EXPECT_EQ(code("AssociateAddress",
                 {{"AllocationId", address.id}, {"NetworkInterfaceId", two.id.str()}, {"AllowReassociation", "false"}}),
            "Resource.AlreadyAssociated");
  associate(address, two);
  EXPECT_EQ(ok("DescribeAddresses").text("networkInterfaceId"), two.id.str());
  EXPECT_EQ(
      code("AssociateAddress",
           {{"AllocationId", address.id}, {"NetworkInterfaceId", two.id.str()}, {"PrivateIpAddress", "10.0.1.99"}}),
      "InvalidParameterValue");
}

TEST_F(AddressActions, DisassociateAndReleaseSayWhatIsWrong) {
  const auto address = allocate();
  EXPECT_EQ(code("DisassociateAddress", {}), "MissingParameter");
  EXPECT_EQ(code("DisassociateAddress", {{"AssociationId", "eipassoc-00000000000000001"}, {"PublicIp", address.ip}}),
            "InvalidParameterCombination");
  EXPECT_EQ(code("DisassociateAddress", {{"AssociationId", "eipassoc-x"}}), "InvalidAssociationID.Malformed");
  EXPECT_EQ(code("ReleaseAddress", {}), "MissingParameter");
  EXPECT_EQ(code("ReleaseAddress", {{"AllocationId", address.id}, {"NetworkBorderGroup", "elsewhere"}}),
            "InvalidAddress.NotFound");
  EXPECT_EQ(code("ReleaseAddress", {{"PublicIp", "300.0.0.1"}}), "InvalidParameterValue");
}

TEST_F(AddressActions, FiltersMatchAndDoNotMatch) {
  const auto interface = reachable();
  const auto address = allocate();
  const auto idle = allocate();
  const auto association = associate(address, interface);
  ok("CreateTags", {{"ResourceId.1", idle.id}, {"Tag.1.Key", "role"}, {"Tag.1.Value", "spare"}});

  for (const auto& [filter, value] : {std::pair<std::string, std::string>{"allocation-id", address.id},
                                      {"association-id", association},
                                      {"network-interface-id", interface.id.str()},
                                      {"network-interface-owner-id", "111111111111"},
                                      {"private-ip-address", interface.private_ip},
                                      {"public-ip", address.ip},
                                      {"tag:role", "spare"},
                                      {"tag:role", "sp*"},
                                      {"tag-key", "role"}}) {
    EXPECT_EQ(found(filter, value), 1) << filter;
    EXPECT_EQ(found(filter, "other"), 0) << filter;
  }
  for (const auto& [filter, value] :
       {std::pair<std::string, std::string>{"domain", "vpc"}, {"network-border-group", "us-east-1"}}) {
    EXPECT_EQ(found(filter, value), 2) << filter;
    EXPECT_EQ(found(filter, "other"), 0) << filter;
  }
  EXPECT_EQ(found("instance-id", "i-00000000000000001"), 0);
  EXPECT_EQ(code("DescribeAddresses", {{"Filter.1.Name", "colour"}, {"Filter.1.Value.1", "red"}}),
            "InvalidParameterValue");
}

TEST_F(AddressActions, ListsNameEachAddressOnce) {
  const auto one = allocate();
  const auto two = allocate();
  allocate();
  const auto seen =
      ok("DescribeAddresses", {{"AllocationId.1", one.id}, {"PublicIp.1", one.ip}, {"PublicIp.2", two.ip}});
  EXPECT_EQ(seen.count("<publicIp>"), 2);
}

TEST_F(AddressActions, AttributesAreNoneButTheirAddressesAreChecked) {
  const auto address = allocate();
  const auto answer = ok("DescribeAddressesAttribute",
                         {{"Attribute", "domain-name"}, {"AllocationId.1", address.id}, {"MaxResults", "100"}});
  EXPECT_FALSE(answer.has("<item>"));
  EXPECT_FALSE(answer.has("<nextToken>e"));
  EXPECT_EQ(code("DescribeAddressesAttribute", {{"AllocationId.1", "eipalloc-00000000000000001"}}),
            "InvalidAllocationID.NotFound");
}

TEST_F(AddressActions, Threat_B01_AreInvisibleToOthers) {
  const auto address = allocate();
  const auto association = associate(address, reachable());
  EXPECT_EQ(code("DescribeAddresses", {{"AllocationId.1", address.id}}, "bob"), "InvalidAllocationID.NotFound");
  EXPECT_EQ(code("DescribeAddresses", {{"PublicIp.1", address.ip}}, "bob"), "InvalidAddress.NotFound");
  EXPECT_EQ(code("ReleaseAddress", {{"AllocationId", address.id}}, "bob"), "InvalidAllocationID.NotFound");
  EXPECT_EQ(code("DisassociateAddress", {{"AssociationId", association}}, "bob"), "InvalidAssociationID.NotFound");
  EXPECT_EQ(code("CreateTags", {{"ResourceId.1", address.id}, {"Tag.1.Key", "a"}}, "bob"),
            "InvalidAllocationID.NotFound");
  EXPECT_FALSE(ok("DescribeAddresses", {}, "bob").has("<item>"));
}

}  // namespace
}  // namespace virga::api
