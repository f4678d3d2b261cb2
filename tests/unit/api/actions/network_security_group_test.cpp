#include "tests/unit/api/actions/network_wire.h"

namespace virga::api {
namespace {

class NetworkSecurityGroups : public NetworkWire {
 protected:
  std::string vpc_ = make_vpc();
  std::string group_ = make_group(vpc_);

  Parameters ssh(const std::string& range = "10.9.8.7/8") const {
    return {{"GroupId", group_},
            {"IpPermissions.1.IpProtocol", "TCP"},
            {"IpPermissions.1.FromPort", "22"},
            {"IpPermissions.1.ToPort", "22"},
            {"IpPermissions.1.IpRanges.1.CidrIp", range},
            {"IpPermissions.1.IpRanges.1.Description", "ssh"}};
  }
};

TEST_F(NetworkSecurityGroups, ShowPermissionsAsEc2Does) {
  const auto other = make_group(vpc_, "db");
  ok("AuthorizeSecurityGroupIngress", ssh());
  ok("AuthorizeSecurityGroupIngress", {{"GroupId", group_},
                                       {"IpPermissions.1.IpProtocol", "-1"},
                                       {"IpPermissions.1.FromPort", "0"},
                                       {"IpPermissions.1.ToPort", "0"},
                                       {"IpPermissions.1.Groups.1.GroupId", other},
                                       {"IpPermissions.1.Groups.2.GroupName", "web"},
                                       {"IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0"}});
  const auto seen = ok("DescribeSecurityGroups", {{"GroupId.1", group_}});
  EXPECT_EQ(seen.text("groupName"), "web");
  EXPECT_EQ(seen.text("groupDescription"), "d");
  EXPECT_EQ(seen.text("vpcId"), vpc_);
  EXPECT_EQ(seen.text("securityGroupArn"), "arn:aws:ec2:us-east-1:111111111111:security-group/" + group_);
  EXPECT_EQ(seen.count("<fromPort>"), 1);
  EXPECT_TRUE(seen.has("<fromPort>22</fromPort>"));
  EXPECT_TRUE(seen.has("<cidrIp>10.0.0.0/8</cidrIp>"));
  EXPECT_TRUE(seen.has("<cidrIpv6>::/0</cidrIpv6>"));
  EXPECT_TRUE(seen.has("<groupId>" + other + "</groupId>"));
  EXPECT_EQ(seen.count("<ipProtocol>"), 3);
}

TEST_F(NetworkSecurityGroups, AnswerWithRuleIdsAndTags) {
  auto request = ssh();
  request.insert(request.end(), {{"TagSpecification.1.ResourceType", "security-group-rule"},
                                 {"TagSpecification.1.Tag.1.Key", "k"},
                                 {"TagSpecification.1.Tag.1.Value", "v"}});
  const auto made = ok("AuthorizeSecurityGroupIngress", request);
  const auto id = made.text("securityGroupRuleId");
  EXPECT_TRUE(id.starts_with("sgr-"));
  const auto seen = ok("DescribeSecurityGroupRules", {{"SecurityGroupRuleId.1", id}});
  EXPECT_EQ(seen.text("ipProtocol"), "tcp");
  EXPECT_EQ(seen.text("cidrIpv4"), "10.0.0.0/8");
  EXPECT_EQ(seen.text("isEgress"), "false");
  EXPECT_EQ(seen.text("description"), "ssh");
  EXPECT_TRUE(seen.has("<key>k</key>"));
  EXPECT_EQ(ok("DescribeSecurityGroupRules", {{"Filter.1.Name", "group-id"}, {"Filter.1.Value.1", group_}})
                .count("<securityGroupRuleId>"),
            2);
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", ssh("10.0.0.0/8")), "InvalidPermission.Duplicate");
  const auto gone = ok("RevokeSecurityGroupIngress", {{"GroupId", group_}, {"SecurityGroupRuleId.1", id}});
  EXPECT_EQ(gone.text("securityGroupRuleId"), id);
  EXPECT_EQ(code("DescribeSecurityGroupRules", {{"SecurityGroupRuleId.1", id}}), "InvalidSecurityGroupRuleId.NotFound");
  EXPECT_EQ(code("RevokeSecurityGroupIngress", ssh()), "InvalidPermission.NotFound");
}

TEST_F(NetworkSecurityGroups, LoseTheirFirstEgressRuleAsTerraformDoesIt) {
  const auto all = [&](const std::string& name, const std::string& member, const std::string& range) {
    return Parameters{{"GroupId", group_},
                      {"IpPermissions.1.IpProtocol", "-1"},
                      {"IpPermissions.1.FromPort", "0"},
                      {"IpPermissions.1.ToPort", "0"},
                      {"IpPermissions.1." + name + ".1." + member, range}};
  };
  ok("RevokeSecurityGroupEgress", all("IpRanges", "CidrIp", "0.0.0.0/0"));
  EXPECT_EQ(code("RevokeSecurityGroupEgress", all("Ipv6Ranges", "CidrIpv6", "::/0")), "InvalidPermission.NotFound");
  EXPECT_TRUE(ok("DescribeSecurityGroups", {{"GroupId.1", group_}}).has("<ipPermissionsEgress/>"));
  ok("AuthorizeSecurityGroupEgress", all("IpRanges", "CidrIp", "0.0.0.0/0"));
}

TEST_F(NetworkSecurityGroups, ChangeARuleInPlace) {
  const auto id = ok("AuthorizeSecurityGroupIngress", ssh()).text("securityGroupRuleId");
  const auto change = [&](const Parameters& rule) {
    Parameters request = {{"GroupId", group_}, {"SecurityGroupRule.1.SecurityGroupRuleId", id}};
    for (const auto& [name, value] : rule) request.emplace_back("SecurityGroupRule.1.SecurityGroupRule." + name, value);
    return request;
  };
  const Parameters ports = {{"IpProtocol", "udp"}, {"FromPort", "53"}, {"ToPort", "54"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    auto rule = ports;
    rule.emplace_back(name, value);
    return rule;
  };

  EXPECT_EQ(ok("ModifySecurityGroupRules", change(with("CidrIpv4", "10.0.0.1/24"))).text("return"), "true");
  const auto seen = ok("DescribeSecurityGroupRules", {{"SecurityGroupRuleId.1", id}});
  EXPECT_EQ(seen.text("ipProtocol"), "udp");
  EXPECT_EQ(seen.text("toPort"), "54");
  EXPECT_EQ(seen.text("cidrIpv4"), "10.0.0.0/24");
  EXPECT_FALSE(seen.has("<description>"));
  EXPECT_EQ(code("ModifySecurityGroupRules", change(with("CidrIpv6", "::/0"))), "InvalidParameterValue");
  EXPECT_EQ(code("ModifySecurityGroupRules", change(with("ReferencedGroupId", group_))), "InvalidParameterValue");
  EXPECT_EQ(code("ModifySecurityGroupRules", change(with("PrefixListId", "pl-12345678"))), "UnsupportedOperation");
  EXPECT_EQ(code("ModifySecurityGroupRules", change(ports)), "MissingParameter");
  EXPECT_EQ(code("ModifySecurityGroupRules", change({})), "MissingParameter");
  auto both = with("CidrIpv4", "10.0.0.0/8");
  both.emplace_back("CidrIpv6", "::/0");
  EXPECT_EQ(code("ModifySecurityGroupRules", change(both)), "InvalidParameterCombination");
  EXPECT_EQ(code("ModifySecurityGroupRules", change(with("CidrIpv4", "10.0.0.0/8")), "bob"), "InvalidGroup.NotFound");
}

TEST_F(NetworkSecurityGroups, DescribeARuleAnewByIdOrByWhatItSays) {
  const auto id = ok("AuthorizeSecurityGroupIngress", ssh()).text("securityGroupRuleId");
  const auto described = [&] {
    return ok("DescribeSecurityGroupRules", {{"SecurityGroupRuleId.1", id}}).text("description");
  };
  const std::string update = "UpdateSecurityGroupRuleDescriptionsIngress";
  const Parameters by_id = {{"GroupId", group_},
                            {"SecurityGroupRuleDescription.1.SecurityGroupRuleId", id},
                            {"SecurityGroupRuleDescription.1.Description", "by id"}};

  ok(update, by_id);
  EXPECT_EQ(described(), "by id");
  ok(update, ssh());
  EXPECT_EQ(described(), "ssh");
  ok(update, {by_id[0], by_id[1]});
  EXPECT_EQ(described(), "");
  EXPECT_EQ(code(update, ssh("10.0.0.0/9")), "InvalidPermission.NotFound");
  EXPECT_EQ(code("UpdateSecurityGroupRuleDescriptionsEgress", by_id), "InvalidSecurityGroupRuleId.NotFound");
  EXPECT_EQ(code("UpdateSecurityGroupRuleDescriptionsEgress", ssh()), "InvalidPermission.NotFound");
  EXPECT_EQ(code(update, {{"GroupId", group_}}), "MissingParameter");
  auto both = by_id;
  for (const auto& each : ssh()) both.push_back(each);
  both.erase(both.begin());
  EXPECT_EQ(code(update, both), "InvalidParameterCombination");
}

TEST_F(NetworkSecurityGroups, AreFoundByTheNamesOfGroupsThatRulesReferTo) {
  const auto other = make_group(vpc_, "db");
  ok("AuthorizeSecurityGroupIngress",
     {{"GroupId", other}, {"IpPermissions.1.IpProtocol", "-1"}, {"IpPermissions.1.Groups.1.GroupId", group_}});
  const auto found = [&](const std::string& filter, const std::string& name) {
    return ok("DescribeSecurityGroups", {{"Filter.1.Name", filter}, {"Filter.1.Value.1", name}}).text("groupName");
  };
  EXPECT_EQ(found("ip-permission.group-name", "we?"), "db");
  EXPECT_EQ(found("ip-permission.group-name", "db"), "");
  EXPECT_EQ(found("egress.ip-permission.group-name", "web"), "");
}

TEST_F(NetworkSecurityGroups, TakeTheFlatForm) {
  ok("AuthorizeSecurityGroupIngress",
     {{"GroupId", group_}, {"IpProtocol", "icmp"}, {"FromPort", "-1"}, {"ToPort", "-1"}, {"CidrIp", "0.0.0.0/0"}});
  ok("AuthorizeSecurityGroupIngress", {{"GroupId", group_}, {"IpProtocol", "-1"}, {"SourceSecurityGroupName", "web"}});
  const auto seen = ok("DescribeSecurityGroups", {{"GroupId.1", group_}});
  EXPECT_TRUE(seen.has("<fromPort>-1</fromPort>"));
  EXPECT_TRUE(seen.has("<groupId>" + group_ + "</groupId>"));
  auto both = ssh();
  both.emplace_back("CidrIp", "0.0.0.0/0");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", both), "InvalidParameterCombination");
  EXPECT_EQ(code("AuthorizeSecurityGroupEgress", {{"GroupId", group_}, {"CidrIp", "0.0.0.0/0"}}),
            "UnsupportedOperation");
}

TEST_F(NetworkSecurityGroups, RefuseWhatMakesNoRule) {
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", {{"GroupId", group_}}), "MissingParameter");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", {{"GroupId", group_}, {"IpPermissions.1.IpProtocol", "-1"}}),
            "MissingParameter");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", ssh("10.0.0.0")), "InvalidParameterValue");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", {{"GroupId", group_},
                                                   {"IpPermissions.1.IpProtocol", "-1"},
                                                   {"IpPermissions.1.PrefixListIds.1.PrefixListId", "pl-12345678"}}),
            "UnsupportedOperation");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", {{"GroupId", group_},
                                                   {"IpPermissions.1.IpProtocol", "-1"},
                                                   {"IpPermissions.1.Groups.1.UserId", "222222222222"},
                                                   {"IpPermissions.1.Groups.1.GroupId", group_}}),
            "InvalidGroup.NotFound");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", ssh("0.0.0.0/0"), "bob"), "InvalidGroup.NotFound");
}

TEST_F(NetworkSecurityGroups, AreNamedInTheDefaultVpc) {
  EXPECT_EQ(code("CreateSecurityGroup", {{"GroupName", "g"}, {"GroupDescription", "d"}}), "VPCIdNotSpecified");
  const auto vpc = ok("CreateDefaultVpc").text("vpcId");
  const auto group = ok("CreateSecurityGroup", {{"GroupName", "g"}, {"GroupDescription", "d"}}).text("groupId");
  EXPECT_EQ(ok("DescribeSecurityGroups", {{"GroupName.1", "g"}}).text("vpcId"), vpc);
  EXPECT_EQ(code("DescribeSecurityGroups", {{"GroupName.1", "web"}}), "InvalidGroup.NotFound");
  EXPECT_EQ(code("DeleteSecurityGroup", {{"GroupName", "default"}}), "CannotDelete");
  EXPECT_EQ(ok("DeleteSecurityGroup", {{"GroupName", "g"}}).text("groupId"), group);
}

TEST_F(NetworkSecurityGroups, DryRunChangesNothing) {
  auto request = ssh();
  request.emplace_back("DryRun", "true");
  EXPECT_EQ(code("AuthorizeSecurityGroupIngress", request), "DryRunOperation");
  EXPECT_EQ(ok("DescribeSecurityGroupRules", {{"Filter.1.Name", "group-id"}, {"Filter.1.Value.1", group_}})
                .count("<securityGroupRuleId>"),
            1);
}

}  // namespace
}  // namespace virga::api
