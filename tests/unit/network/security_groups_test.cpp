#include "network/security_groups.h"

#include "tests/unit/network/network_fixture.h"

namespace virga::network {
namespace {

class SecurityGroups : public NetworkTest {
 protected:
  static RuleRequest tcp(int port, const std::string& cidr = "0.0.0.0/0") {
    return {{.protocol = "tcp", .from_port = port, .to_port = port, .cidr = cidr, .peer = {}}, std::nullopt};
  }
  static RuleRequest from(const SecurityGroupId& peer) {
    return {{.protocol = "-1", .from_port = -1, .to_port = -1, .cidr = {}, .peer = peer}, std::nullopt};
  }
  std::vector<SecurityGroupRule> allow(const SecurityGroupId& group, const std::vector<RuleRequest>& rules) {
    return ok(alice, [&](Scope& s) { return security_group_rules::authorize(s, group, Direction::ingress, rules); });
  }
  Error refused(const SecurityGroupId& group, const std::vector<RuleRequest>& rules) {
    return error(alice, [&](Scope& s) { return security_group_rules::authorize(s, group, Direction::ingress, rules); });
  }
  SecurityGroup find(const SecurityGroupId& id) {
    return ok(alice, [&](Scope& s) { return security_groups::find(s, id); });
  }
};

TEST_F(SecurityGroups, LetEverythingOutAndNothingInAtFirst) {
  const auto vpc = make_vpc(alice);
  touched(vpc.id);
  const auto group = make_group(alice, vpc.id);

  ASSERT_EQ(group.rules.size(), 1u);
  EXPECT_EQ(group.rules[0].direction, Direction::egress);
  EXPECT_EQ(group.rules[0].rule.cidr, "0.0.0.0/0");
  EXPECT_EQ(journal(group.id.str()), "+");
  EXPECT_EQ(journal(group.rules[0].id.str()), "+");
  EXPECT_TRUE(touched(vpc.id));
}

TEST_F(SecurityGroups, HaveNamesOfTheirOwnInAVpc) {
  const auto vpc = make_vpc(alice);
  make_group(alice, vpc.id, "web");
  make_group(alice, make_vpc(alice).id, "web");
  const auto refused_name = [&](const std::string& name, const std::string& description = "d") {
    return code(alice, [&](Scope& s) {
      return security_groups::create(s, {.vpc = vpc.id, .name = name, .description = description});
    });
  };

  EXPECT_EQ(refused_name("web"), Code::invalid_group_duplicate);
  EXPECT_EQ(refused_name("default"), Code::invalid_parameter_value);
  EXPECT_EQ(refused_name("sg-web"), Code::invalid_parameter_value);
  EXPECT_EQ(refused_name("we<b"), Code::invalid_parameter_value);
  EXPECT_EQ(refused_name(std::string(256, 'a')), Code::invalid_parameter_value);
  EXPECT_EQ(refused_name("db", "a\nb"), Code::invalid_parameter_value);
  EXPECT_EQ(refused_name(""), Code::missing_parameter);
  EXPECT_EQ(refused_name("db", ""), Code::missing_parameter);
}

TEST_F(SecurityGroups, TakeRulesOnce) {
  const auto group = make_group(alice, make_vpc(alice).id);
  const auto made = allow(group.id, {tcp(22), tcp(80), tcp(80, "::/0"), from(group.id)});

  EXPECT_EQ(made.size(), 4u);
  EXPECT_EQ(find(group.id).rules.size(), 5u);
  const auto again = refused(group.id, {tcp(443), tcp(22)});
  EXPECT_EQ(again.code, Code::invalid_permission_duplicate);
  EXPECT_EQ(again.message,
            "the specified rule \"peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW\" already exists");
  EXPECT_EQ(find(group.id).rules.size(), 5u);
  EXPECT_EQ(refused(group.id, {tcp(443), tcp(443)}).code, Code::invalid_parameter_value);
  EXPECT_EQ(refused(group.id, {from(group.id)}).code, Code::invalid_permission_duplicate);
}

TEST_F(SecurityGroups, LimitRulesPerDirection) {
  limit(alice, quota::Name::rules_per_security_group, 2);
  const auto group = make_group(alice, make_vpc(alice).id);
  allow(group.id, {tcp(1), tcp(2)});

  EXPECT_EQ(refused(group.id, {tcp(3)}).code, Code::rules_per_security_group_limit_exceeded);
  ok(alice, [&](Scope& s) { return security_group_rules::authorize(s, group.id, Direction::egress, {tcp(3)}); });
}

TEST_F(SecurityGroups, KeepToTheQuota) {
  limit(alice, quota::Name::security_groups, 1);
  const auto vpc = make_vpc(alice);
  EXPECT_EQ(
      code(alice,
           [&](Scope& s) { return security_groups::create(s, {.vpc = vpc.id, .name = "web", .description = "d"}); }),
      Code::security_group_limit_exceeded);
}

TEST_F(SecurityGroups, RevokeAllOrNothing) {
  const auto group = make_group(alice, make_vpc(alice).id);
  const auto made = allow(group.id, {tcp(22), tcp(80)});
  const auto revoke = [&](const std::vector<Rule>& rules) {
    return as(alice, [&](Scope& s) { return security_group_rules::revoke(s, group.id, Direction::ingress, rules); });
  };

  EXPECT_EQ(revoke({tcp(22).rule, tcp(443).rule}).error().code, Code::invalid_permission_not_found);
  EXPECT_EQ(find(group.id).rules.size(), 3u);
  EXPECT_EQ(must(revoke({tcp(22).rule, tcp(22).rule})).size(), 1u);
  EXPECT_EQ(find(group.id).rules.size(), 2u);
  EXPECT_EQ(journal(made[0].id.str()), "+-");
}

TEST_F(SecurityGroups, RevokeByRuleId) {
  const auto vpc = make_vpc(alice);
  const auto group = make_group(alice, vpc.id);
  const auto other = make_group(alice, vpc.id, "other");
  const auto id = allow(group.id, {tcp(22)})[0].id;
  const auto revoke = [&](const AccountId& account, const SecurityGroupId& of, Direction direction) {
    return as(account, [&](Scope& s) { return security_group_rules::revoke_by_id(s, of, direction, {id}); });
  };

  EXPECT_EQ(revoke(alice, other.id, Direction::ingress).error().code, Code::invalid_security_group_rule_id_not_found);
  EXPECT_EQ(revoke(alice, group.id, Direction::egress).error().code, Code::invalid_security_group_rule_id_not_found);
  EXPECT_EQ(revoke(bob, group.id, Direction::ingress).error().code, Code::invalid_group_not_found);
  EXPECT_TRUE(revoke(alice, group.id, Direction::ingress));
  EXPECT_EQ(code(alice, [&](Scope& s) { return security_group_rules::find(s, id); }),
            Code::invalid_security_group_rule_id_not_found);
}

TEST_F(SecurityGroups, ChangeRulesAllOrNothing) {
  const auto vpc = make_vpc(alice);
  const auto group = make_group(alice, vpc.id);
  const auto made = allow(group.id, {tcp(22), tcp(80), tcp(443, "::/0"), from(group.id)});
  const auto change = [&](const std::vector<RuleChange>& changes) {
    return as(alice, [&](Scope& s) { return security_group_rules::modify(s, group.id, changes); });
  };
  const auto rule = [&](std::size_t i) {
    return ok(alice, [&](Scope& s) { return security_group_rules::find(s, made[i].id); });
  };
  touched(vpc.id);

  EXPECT_EQ(change({{made[0].id, tcp(23)}, {made[1].id, tcp(23)}}).error().code, Code::invalid_permission_duplicate);
  EXPECT_EQ(change({{made[0].id, tcp(80)}}).error().code, Code::invalid_permission_duplicate);
  EXPECT_EQ(change({{made[0].id, tcp(1)}, {made[0].id, tcp(2)}}).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(change({{made[0].id, tcp(22, "::/0")}}).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(change({{made[2].id, from(group.id)}}).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(change({{made[0].id, {tcp(1).rule, "a\nb"}}}).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(change({{SecurityGroupRuleId::generate(ids_), tcp(1)}}).error().code,
            Code::invalid_security_group_rule_id_not_found);
  EXPECT_FALSE(touched(vpc.id));
  EXPECT_EQ(rule(0).rule, tcp(22).rule);

  ASSERT_TRUE(change({{made[0].id, {tcp(80).rule, "web"}}, {made[1].id, tcp(22)}}));
  EXPECT_EQ(rule(0).rule, tcp(80).rule);
  EXPECT_EQ(rule(0).description, "web");
  EXPECT_EQ(rule(1).rule, tcp(22).rule);
  EXPECT_TRUE(touched(vpc.id));
  EXPECT_EQ(journal(made[0].id.str()), "+~");
}

TEST_F(SecurityGroups, ChangeOnlyTheirOwnRules) {
  const auto vpc = make_vpc(alice);
  const auto group = make_group(alice, vpc.id);
  const auto other = make_group(alice, vpc.id, "other");
  const auto elsewhere = make_group(alice, make_vpc(alice).id);
  const auto id = allow(group.id, {from(group.id)})[0].id;
  const auto change = [&](const AccountId& account, const SecurityGroupId& of, const RuleRequest& wanted) {
    return as(account, [&](Scope& s) { return security_group_rules::modify(s, of, {{id, wanted}}); });
  };

  EXPECT_EQ(change(alice, other.id, from(other.id)).error().code, Code::invalid_security_group_rule_id_not_found);
  EXPECT_EQ(change(bob, group.id, from(other.id)).error().code, Code::invalid_group_not_found);
  EXPECT_EQ(change(alice, group.id, from(elsewhere.id)).error().code, Code::invalid_group_not_found);
  EXPECT_TRUE(change(alice, group.id, from(other.id)));
}

TEST_F(SecurityGroups, DescribeRulesAnew) {
  const auto group = make_group(alice, make_vpc(alice).id);
  const auto id = allow(group.id, {{tcp(22).rule, "old"}})[0].id;
  const auto describe = [&](Direction direction, const std::optional<std::string>& text) {
    return as(alice, [&](Scope& s) { return security_group_rules::describe(s, group.id, direction, {{id, text}}); });
  };
  const auto shown = [&] { return ok(alice, [&](Scope& s) { return security_group_rules::find(s, id); }).description; };

  EXPECT_EQ(describe(Direction::egress, "new").error().code, Code::invalid_security_group_rule_id_not_found);
  EXPECT_EQ(describe(Direction::ingress, "<new>").error().code, Code::invalid_parameter_value);
  EXPECT_EQ(shown(), "old");
  EXPECT_TRUE(describe(Direction::ingress, "new"));
  EXPECT_EQ(shown(), "new");
  EXPECT_TRUE(describe(Direction::ingress, std::nullopt));
  EXPECT_EQ(shown(), std::nullopt);
}

TEST_F(SecurityGroups, ReferOnlyWithinTheirVpc) {
  const auto vpc = make_vpc(alice);
  const auto group = make_group(alice, vpc.id);
  const auto elsewhere = make_group(alice, make_vpc(alice).id);
  const auto foreign = make_group(bob, make_vpc(bob).id);
  const auto absent = SecurityGroupId::generate(ids_);

  EXPECT_EQ(refused(group.id, {from(elsewhere.id)}).code, Code::invalid_group_not_found);
  const auto said = refused(group.id, {from(foreign.id)});
  EXPECT_EQ(said.code, Code::invalid_group_not_found);
  EXPECT_EQ(said.message, foreign.id.not_found().message);
  EXPECT_EQ(refused(group.id, {from(absent)}).message, absent.not_found().message);
}

TEST_F(SecurityGroups, StayWhileUsedOrReferredTo) {
  const auto vpc = make_vpc(alice);
  const auto group = make_group(alice, vpc.id);
  const auto other = make_group(alice, vpc.id, "other");
  const auto rule = allow(other.id, {from(group.id)})[0];
  allow(group.id, {from(group.id)});
  const auto remove = [&] { return as(alice, [&](Scope& s) { return security_groups::remove(s, group.id); }); };

  EXPECT_EQ(remove().error().code, Code::dependency_violation);
  ok(alice, [&](Scope& s) { return security_group_rules::revoke_by_id(s, other.id, Direction::ingress, {rule.id}); });
  auto request = on_host(make_subnet(alice, vpc.id).id, InstanceId::generate(ids_), "h1");
  request.groups = {group.id};
  const auto interface = make_interface(alice, request);
  EXPECT_EQ(remove().error().code, Code::dependency_violation);
  ok(alice, [&](Scope& s) { return release_interface(s, interface.id); });
  EXPECT_TRUE(remove());
  EXPECT_EQ(journal(group.id.str()), "+-");
}

TEST_F(SecurityGroups, DefaultOneCannotBeDeleted) {
  const auto vpc = make_vpc(alice);
  const auto group = ok(alice, [&](Scope& s) { return security_groups::find_by_name(s, vpc.id, "default"); });
  EXPECT_EQ(code(alice, [&](Scope& s) { return security_groups::remove(s, group.id); }), Code::cannot_delete);
}

TEST_F(SecurityGroups, AreFoundByNameWithinTheirVpc) {
  const auto vpc = make_vpc(alice);
  const auto group = make_group(alice, vpc.id);
  EXPECT_EQ(ok(alice, [&](Scope& s) { return groups_by_name(s, vpc.id, {"web"}); }), std::vector{group.id});
  EXPECT_EQ(code(alice,
                 [&](Scope& s) {
                   return groups_by_name(s, vpc.id, {"web", "db"});
                 }),
            Code::invalid_group_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return groups_by_name(s, vpc.id, {"web"}); }), Code::invalid_group_not_found);
  EXPECT_EQ(code(bob, [&](Scope& s) { return security_groups::find(s, group.id); }), Code::invalid_group_not_found);
}

TEST_F(SecurityGroups, CheckDescriptionsOfRules) {
  const auto group = make_group(alice, make_vpc(alice).id);
  auto rule = tcp(22);
  rule.description = "no\nway";
  EXPECT_EQ(refused(group.id, {rule}).code, Code::invalid_parameter_value);
  rule.description = "ssh";
  EXPECT_EQ(allow(group.id, {rule})[0].description, "ssh");
}

}  // namespace
}  // namespace virga::network
