#include "tests/unit/api/actions/network_wire.h"

namespace virga::api {
namespace {

using NetworkVpcs = NetworkWire;

TEST_F(NetworkVpcs, AreShownWithAllThatClientsNeed) {
  const auto made = ok("CreateVpc", {{"CidrBlock", "10.0.0.9/16"},
                                     {"InstanceTenancy", "default"},
                                     {"AmazonProvidedIpv6CidrBlock", "false"},
                                     {"TagSpecification.1.ResourceType", "vpc"},
                                     {"TagSpecification.1.Tag.1.Key", "Name"},
                                     {"TagSpecification.1.Tag.1.Value", "v"}});
  const auto seen = ok("DescribeVpcs", {{"VpcId.1", made.text("vpcId")}});
  for (const auto& answer : {made, seen}) {
    EXPECT_EQ(answer.text("cidrBlock"), "10.0.0.0/16");
    EXPECT_EQ(answer.text("instanceTenancy"), "default");
    EXPECT_EQ(answer.text("isDefault"), "false");
    EXPECT_EQ(answer.text("ownerId"), "111111111111");
    EXPECT_TRUE(answer.text("dhcpOptionsId").starts_with("dopt-"));
    EXPECT_TRUE(answer.text("associationId").starts_with("vpc-cidr-assoc-"));
    EXPECT_TRUE(answer.has("<tagSet><item><key>Name</key><value>v</value></item></tagSet>"));
  }
  EXPECT_TRUE(seen.has("<state>available</state>"));
}

TEST_F(NetworkVpcs, RefuseWhatIsNotHonoured) {
  EXPECT_EQ(code("CreateVpc", {{"CidrBlock", "10.0.0.0/16"}, {"InstanceTenancy", "dedicated"}}),
            "UnsupportedOperation");
  EXPECT_EQ(code("CreateVpc", {{"CidrBlock", "10.0.0.0/16"}, {"AmazonProvidedIpv6CidrBlock", "true"}}),
            "UnsupportedOperation");
  EXPECT_EQ(code("CreateVpc", {}), "MissingParameter");
  EXPECT_EQ(code("CreateVpc", {{"CidrBlock", "10.0.0.0/8"}}), "InvalidVpc.Range");
  EXPECT_EQ(code("CreateVpc", {{"CidrBlock", "10.0.0.0/16"},
                               {"TagSpecification.1.ResourceType", "subnet"},
                               {"TagSpecification.1.Tag.1.Key", "Name"}}),
            "InvalidParameterValue");
}

TEST_F(NetworkVpcs, HaveAttributesThatReadBack) {
  const auto vpc = make_vpc();
  const auto value = [&](const std::string& attribute) {
    return ok("DescribeVpcAttribute", {{"VpcId", vpc}, {"Attribute", attribute}}).text(attribute);
  };
  EXPECT_EQ(value("enableDnsSupport"), "<value>true</value>");
  EXPECT_EQ(value("enableDnsHostnames"), "<value>false</value>");
  EXPECT_EQ(value("enableNetworkAddressUsageMetrics"), "<value>false</value>");
  ok("ModifyVpcAttribute", {{"VpcId", vpc}, {"EnableDnsHostnames.Value", "true"}});
  EXPECT_EQ(value("enableDnsHostnames"), "<value>true</value>");
  EXPECT_EQ(code("ModifyVpcAttribute", {{"VpcId", vpc}}), "InvalidParameterCombination");
}

TEST_F(NetworkVpcs, GoOnlyWhenEmpty) {
  const auto vpc = make_vpc();
  const auto subnet = make_subnet(vpc);
  EXPECT_EQ(code("DeleteVpc", {{"VpcId", vpc}}), "DependencyViolation");
  ok("DeleteSubnet", {{"SubnetId", subnet}});
  ok("DeleteVpc", {{"VpcId", vpc}});
  EXPECT_EQ(code("DescribeVpcs", {{"VpcId.1", vpc}}), "InvalidVpcID.NotFound");
  EXPECT_EQ(code("DescribeVpcs", {{"VpcId.1", "vpc-xyz"}}), "InvalidVpcID.Malformed");
}

TEST_F(NetworkVpcs, DefaultOneIsMadeOnce) {
  EXPECT_EQ(ok("CreateDefaultVpc").text("isDefault"), "true");
  EXPECT_EQ(code("CreateDefaultVpc", {}), "DefaultVpcAlreadyExists");
  EXPECT_EQ(
      ok("DescribeSubnets", {{"Filter.1.Name", "default-for-az"}, {"Filter.1.Value.1", "true"}}).count("<subnetId>"),
      3);
  EXPECT_EQ(ok("DescribeVpcs", {{"Filter.1.Name", "isDefault"}, {"Filter.1.Value.1", "true"}}).count("<vpcId>"), 1);
}

TEST_F(NetworkVpcs, SubnetsMapPublicAddressesWhenTold) {
  const auto id = make_subnet(make_vpc());
  const auto mapping = [&](const std::string& value) {
    return ok("DescribeSubnets", {{"Filter.1.Name", "map-public-ip-on-launch"}, {"Filter.1.Value.1", value}});
  };
  ok("ModifySubnetAttribute", {{"SubnetId", id}, {"MapPublicIpOnLaunch.Value", "true"}});
  EXPECT_EQ(mapping("true").text("subnetId"), id);
  EXPECT_FALSE(mapping("false").has(id));
  ok("ModifySubnetAttribute", {{"SubnetId", id}, {"MapPublicIpOnLaunch.Value", "false"}});
  EXPECT_EQ(mapping("false").text("subnetId"), id);

  ok("CreateDefaultVpc");
  EXPECT_EQ(mapping("true").count("<defaultForAz>true</defaultForAz>"), 3) << "as EC2's default subnets do";
}

TEST_F(NetworkVpcs, SubnetsAreShownAndKept) {
  const auto vpc = make_vpc();
  const auto made =
      ok("CreateSubnet", {{"VpcId", vpc}, {"CidrBlock", "10.0.1.0/24"}, {"AvailabilityZoneId", "use1-az2"}});
  EXPECT_EQ(made.text("availabilityZone"), "us-east-1b");
  EXPECT_EQ(made.text("availableIpAddressCount"), "251");
  EXPECT_EQ(made.text("mapPublicIpOnLaunch"), "false");
  EXPECT_EQ(made.text("hostnameType"), "ip-name");
  const auto id = made.text("subnetId");
  EXPECT_EQ(made.text("subnetArn"), "arn:aws:ec2:us-east-1:111111111111:subnet/" + id);
  ok("ModifySubnetAttribute", {{"SubnetId", id}, {"MapPublicIpOnLaunch.Value", "false"}});
  EXPECT_EQ(code("ModifySubnetAttribute", {{"SubnetId", id}, {"EnableDns64.Value", "true"}}), "UnsupportedOperation");
  EXPECT_EQ(code("ModifySubnetAttribute", {{"SubnetId", id}}), "InvalidParameterCombination");
  EXPECT_EQ(code("CreateSubnet", {{"VpcId", vpc}, {"CidrBlock", "10.0.1.0/25"}}), "InvalidSubnet.Conflict");
  const auto interface = make_interface(id);
  EXPECT_EQ(code("DeleteSubnet", {{"SubnetId", id}}), "DependencyViolation");
  const auto shown = ok("DescribeNetworkInterfaces", {{"Filter.1.Name", "subnet-id"}, {"Filter.1.Value.1", id}});
  EXPECT_EQ(shown.text("networkInterfaceId"), interface.id.str());
  EXPECT_EQ(shown.text("privateIpAddress"), "10.0.1.4");
  EXPECT_EQ(shown.text("instanceId"), interface.instance.str());
  EXPECT_EQ(ok("DescribeSubnets", {{"SubnetId.1", id}}).text("availableIpAddressCount"), "250");
}

TEST_F(NetworkVpcs, HaveAnAclAndDhcpOptions) {
  const auto vpc = make_vpc();
  const auto subnet = make_subnet(vpc);
  const auto acl = ok("DescribeNetworkAcls", {{"Filter.1.Name", "default"},
                                              {"Filter.1.Value.1", "true"},
                                              {"Filter.2.Name", "vpc-id"},
                                              {"Filter.2.Value.1", vpc}});
  EXPECT_TRUE(acl.text("networkAclId").starts_with("acl-"));
  EXPECT_EQ(acl.count("<ruleNumber>32767</ruleNumber>"), 2);
  EXPECT_TRUE(acl.has("<subnetId>" + subnet + "</subnetId>"));
  const auto options = ok("DescribeDhcpOptions");
  EXPECT_TRUE(options.has("ec2.internal"));
  EXPECT_TRUE(options.has("AmazonProvidedDNS"));
}

TEST_F(NetworkVpcs, OthersSeeNothing) {
  const auto vpc = make_vpc();
  const auto subnet = make_subnet(vpc);
  make_interface(subnet);
  for (const char* action : {"DescribeVpcs", "DescribeSubnets", "DescribeRouteTables", "DescribeSecurityGroups",
                             "DescribeSecurityGroupRules", "DescribeNetworkInterfaces", "DescribeNetworkAcls",
                             "DescribeDhcpOptions", "DescribeInternetGateways"})
    EXPECT_FALSE(ok(action, {}, "bob").has("<item>")) << action;
  EXPECT_EQ(code("DeleteSubnet", {{"SubnetId", subnet}}, "bob"), "InvalidSubnetID.NotFound");
  EXPECT_EQ(code("DeleteVpc", {{"VpcId", vpc}}, "bob"), "InvalidVpcID.NotFound");
}

}  // namespace
}  // namespace virga::api
