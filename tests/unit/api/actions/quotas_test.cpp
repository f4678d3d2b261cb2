// Threats C10 and H04: everything that can be created has a limit, and parallel requests do not pass it together.

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "api/dispatcher.h"
#include "api/errors.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

/// Everybody is alice.
class OneCaller final : public Authentication {
 public:
  Result<Identification> authenticate(const HttpRequest&) override {
    Identification found;
    found.service = "ec2";
    found.key.id = "AKIA";
    found.key.account = AccountId::trusted("111111111111");
    found.key.user_name = "alice";
    found.key.arn = "arn:aws:iam::111111111111:user/alice";
    found.key.role = Role::administrator;
    return found;
  }
};

/// How one kind of thing is created, and how many there are by their rows.
struct Kind {
  quota::Name quota;
  std::function<std::string(int)> form;
  std::function<std::int64_t(Scope&)> count;
  /// Limits of what belongs to one VPC, table or group are no counters of the account.
  bool counter = true;
};

class Quotas : public ComputeTest {
 protected:
  static constexpr int room = 5;

  Quotas() {
    vpc_ = text(send("Action=CreateVpc&CidrBlock=10.200.0.0/16"), "vpcId");
    table_ = text(send("Action=CreateRouteTable&VpcId=" + vpc_), "routeTableId");
    gateway_ = text(send("Action=CreateInternetGateway"), "internetGatewayId");
    send("Action=AttachInternetGateway&VpcId=" + vpc_ + "&InternetGatewayId=" + gateway_);
    group_ = text(send("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&VpcId=" + vpc_), "groupId");
  }

  HttpResponse send(const std::string& form) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/";
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = form;
    return dispatcher_->handle(request);
  }
  static std::string text(const HttpResponse& response, const std::string& element) {
    const auto from = response.body.find("<" + element + ">");
    if (from == std::string::npos) throw std::runtime_error(response.body);
    const auto start = from + element.size() + 2;
    return response.body.substr(start, response.body.find('<', start) - start);
  }

  std::vector<Kind> network_kinds() const {
    return {
        {quota::Name::vpcs, [](int i) { return "Action=CreateVpc&CidrBlock=10." + std::to_string(i) + ".0.0/16"; },
         [](Scope& s) { return s.tx.number("SELECT count(*) FROM vpc WHERE account = ?", s.account); }},
        {quota::Name::internet_gateways, [](int) { return std::string("Action=CreateInternetGateway"); },
         [](Scope& s) { return s.tx.number("SELECT count(*) FROM internet_gateway WHERE account = ?", s.account); }},
        {quota::Name::security_groups,
         [v = vpc_](int i) {
           return "Action=CreateSecurityGroup&GroupDescription=d&VpcId=" + v + "&GroupName=n" + std::to_string(i);
         },
         [](Scope& s) { return s.tx.number("SELECT count(*) FROM security_group WHERE account = ?", s.account); }},
        {quota::Name::subnets_per_vpc,
         [v = vpc_](int i) {
           return "Action=CreateSubnet&VpcId=" + v + "&CidrBlock=10.200." + std::to_string(i) + ".0/24";
         },
         [v = vpc_](Scope& s) { return s.tx.number("SELECT count(*) FROM subnet WHERE vpc = ?", v); }, false},
        {quota::Name::route_tables_per_vpc, [v = vpc_](int) { return "Action=CreateRouteTable&VpcId=" + v; },
         [v = vpc_](Scope& s) { return s.tx.number("SELECT count(*) FROM route_table WHERE vpc = ?", v); }, false},
        {quota::Name::rules_per_security_group,
         [g = group_](int i) {
           const auto port = std::to_string(i + 1);
           return "Action=AuthorizeSecurityGroupIngress&GroupId=" + g +
                  "&IpProtocol=tcp&CidrIp=0.0.0.0/0&FromPort=" + port + "&ToPort=" + port;
         },
         [g = group_](Scope& s) {
           return s.tx.number("SELECT count(*) FROM security_group_rule WHERE group_id = ? AND NOT egress", g);
         },
         false}};
  }

  std::vector<Kind> compute_kinds() const {
    const auto launch = [image = image_.str()](int) {
      return "Action=RunInstances&MinCount=1&MaxCount=1&InstanceType=t3.nano&Placement.AvailabilityZone=us-east-1a&"
             "ImageId=" +
             image;
    };
    const auto volume = [](int) { return std::string("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1"); };
    return {{quota::Name::key_pairs,
             [](int i) {
               // ssh-ed25519 AAAAC3Nza...: a public key, in base64 once more as the API wants it
               return "Action=ImportKeyPair&KeyName=k" + std::to_string(i) +
                      "&PublicKeyMaterial="
                      "c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUFBQkFnTUVCUVlIQ0FrS0N3d05EZzhRRVJJVEZCVVdGeGda"
                      "R2hzY0hSNGYgYQ"
                      "%3D%3D";
             },
             [](Scope& s) { return s.tx.number("SELECT count(*) FROM key_pair WHERE account = ?", s.account); }},
            {quota::Name::volumes, volume,
             [](Scope& s) { return s.tx.number("SELECT count(*) FROM volume WHERE account = ?", s.account); }},
            {quota::Name::volume_gib, volume,
             [](Scope& s) { return s.tx.number("SELECT sum(size_gib) FROM volume WHERE account = ?", s.account); }},
            {quota::Name::instances, launch,
             [](Scope& s) { return s.tx.number("SELECT count(*) FROM instance WHERE account = ?", s.account); }},
            {quota::Name::network_interfaces, launch, [](Scope& s) {
               return s.tx.number("SELECT count(*) FROM network_interface WHERE account = ?", s.account);
             }}};
  }

  /// Lets `room` more of the kind be made, and nothing of it afterwards.
  std::int64_t set_limit(const Kind& kind) {
    return ask(alice, [&](Scope& scope) {
      const auto limit = kind.count(scope) + room;
      quota::set_limit(scope, kind.quota, limit);
      return limit;
    });
  }
  void expect_full(const Kind& kind, std::int64_t limit) {
    const auto there = ask(alice, [&](Scope& scope) { return kind.count(scope); });
    EXPECT_EQ(there, limit);
    if (kind.counter) {
      EXPECT_EQ(used(kind.quota), there) << "the counter is the number of rows";
    }
    // So that the next kind, which may be made by the same request, has room for its own.
    ask(alice, [&](Scope& scope) {
      quota::set_limit(scope, kind.quota, 1000);
      return 0;
    });
  }
  std::string refusal_of(quota::Name name) { return std::string(wire_error(quota::exceeded(name, 0, 0, 0).code).code); }

  NoHosts hosts_;
  OneCaller authentication_;
  SystemIdSource system_ids_;
  std::unique_ptr<Dispatcher> dispatcher_ =
      must(Dispatcher::create(*store_, clock_, system_ids_, config_, hosts_, authentication_));
  std::string vpc_, table_, gateway_, group_;
};

class Threat_C10 : public Quotas {
 protected:
  void expect_a_limit(const Kind& kind) {
    SCOPED_TRACE(std::string(quota::to_string(kind.quota)));
    const auto limit = set_limit(kind);
    for (int i = 0; i < room; ++i) {
      const auto made = send(kind.form(i));
      EXPECT_EQ(made.status, 200) << made.body;
    }
    const auto one_more = send(kind.form(room));
    EXPECT_EQ(text(one_more, "Code"), refusal_of(kind.quota)) << one_more.body;
    EXPECT_NE(one_more.body.find("limit " + std::to_string(limit)), std::string::npos) << one_more.body;
    const auto dry = send(kind.form(room) + "&DryRun=true");
    EXPECT_EQ(dry.status, 412);
    EXPECT_NE(dry.body.find(refusal_of(kind.quota)), std::string::npos) << dry.body;
    expect_full(kind, limit);
  }
};

TEST_F(Threat_C10, OneMoreThanTheLimitIsRefusedWithEc2sCode) {
  for (const auto& kind : network_kinds()) expect_a_limit(kind);
  for (const auto& kind : compute_kinds()) expect_a_limit(kind);
}

TEST_F(Threat_C10, RoutesOfATableAreLimited) {
  const Kind routes{
      quota::Name::routes_per_table,
      [this](int i) {
        return "Action=CreateRoute&RouteTableId=" + table_ + "&GatewayId=" + gateway_ + "&DestinationCidrBlock=20." +
               std::to_string(i) + ".0.0/16";
      },
      // The local route has no row, and counts.
      [this](Scope& s) { return s.tx.number("SELECT count(*) + 1 FROM route WHERE route_table = ?", table_); }, false};
  expect_a_limit(routes);
}

TEST_F(Threat_C10, VcpusAreLimited) {
  run(launch());
  ask(alice, [&](Scope& scope) {
    quota::set_limit(scope, quota::Name::vcpus, 5);
    return 0;
  });
  const std::string two = "Action=RunInstances&MinCount=1&MaxCount=1&InstanceType=t3.nano&ImageId=" + image_.str();
  EXPECT_EQ(send(two).status, 200);
  EXPECT_EQ(text(send(two), "Code"), "VcpuLimitExceeded");
}

class Threat_H04 : public Quotas {
 protected:
  static constexpr int callers = 200;

  void race(const Kind& kind) {
    SCOPED_TRACE(std::string(quota::to_string(kind.quota)));
    const auto limit = set_limit(kind);
    std::atomic<int> made = 0;
    std::mutex mutex;
    std::set<std::string> refusals;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < callers; ++i)
        threads.emplace_back([&, i] {
          const auto response = send(kind.form(i));
          if (response.status == 200) {
            ++made;
            return;
          }
          const std::lock_guard lock(mutex);
          refusals.insert(text(response, "Code"));
        });
    }
    EXPECT_EQ(made, room);
    EXPECT_EQ(refusals, std::set<std::string>{refusal_of(kind.quota)});
    expect_full(kind, limit);
  }
};

TEST_F(Threat_H04, OfParallelRequestsForNetworksExactlyTheLimitSucceeds) {
  for (const auto& kind : network_kinds()) race(kind);
}

TEST_F(Threat_H04, OfParallelRequestsForComputersAndDisksExactlyTheLimitSucceeds) {
  for (const auto& kind : compute_kinds()) race(kind);
}

}  // namespace
}  // namespace virga::api
