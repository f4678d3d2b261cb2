#pragma once

// A store of its own with two accounts, and short ways to call the service and to ask what it did.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/scope.h"
#include "network/interfaces.h"
#include "network/internet_gateways.h"
#include "network/route_tables.h"
#include "network/security_groups.h"
#include "network/subnets.h"
#include "network/vpcs.h"
#include "tests/support/temporary_directory.h"

namespace virga::network {

class NetworkTest : public testing::Test {
 protected:
  /// Runs `function(Scope&)`, which returns a Result, in a transaction of the account.
  template <class Function>
  auto as(const AccountId& account, Function function) {
    return store_->write([&](store::Transaction& tx) {
      Scope scope{.tx = tx,
                  .account = account,
                  .now = clock_.now(),
                  .ids = ids_,
                  .actor = "arn:aws:iam::test:user/t",
                  .action = "Test",
                  .request_id = "r-1"};
      return function(scope);
    });
  }
  /// The value of what must succeed.
  template <class T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(describe(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  template <class Function>
  auto ok(const AccountId& account, Function function) {
    return must(as(account, function));
  }
  /// The error of what must fail.
  template <class Function>
  Error error(const AccountId& account, Function function) {
    const auto result = as(account, function);
    if (result) throw std::runtime_error("succeeded, but must fail");
    return result.error();
  }
  template <class Function>
  Code code(const AccountId& account, Function function) {
    return error(account, function).code;
  }
  /// Runs a function that cannot fail.
  template <class Function>
  auto ask(const AccountId& account, Function function) {
    return ok(account,
              [&](Scope& scope) -> Result<std::invoke_result_t<Function&, Scope&>> { return function(scope); });
  }

  NetworkTest() {
    for (const auto& account : {alice, bob})
      ask(alice, [&](Scope& scope) {
        return scope.tx.execute("INSERT INTO account (id, name, created_ms) VALUES (?, ?, 0)", account, account.str());
      });
  }

  Vpc make_vpc(const AccountId& account, const std::string& cidr = "10.0.0.0/16") {
    return ok(account, [&](Scope& scope) { return vpcs::create(scope, config_, {.cidr = cidr}); });
  }
  Subnet make_subnet(const AccountId& account, const VpcId& vpc, const std::string& cidr = "10.0.1.0/24") {
    return ok(account,
              [&](Scope& scope) { return subnets::create(scope, config_, {.vpc = vpc, .cidr = cidr, .zone = {}}); });
  }
  SecurityGroup make_group(const AccountId& account, const VpcId& vpc, const std::string& name = "web") {
    return ok(account, [&](Scope& scope) {
      return security_groups::create(scope, {.vpc = vpc, .name = name, .description = "of the test"});
    });
  }
  InternetGateway make_gateway(const AccountId& account, const VpcId& vpc) {
    return ok(account, [&](Scope& scope) -> Result<InternetGateway> {
      auto gateway = TRY(internet_gateways::create(scope));
      TRY_VOID(internet_gateways::attach(scope, gateway.id, vpc));
      return gateway;
    });
  }
  static InterfaceRequest on_host(const SubnetId& subnet, const InstanceId& instance, const std::string& host) {
    InterfaceRequest request;
    request.subnet = subnet;
    request.instance = instance;
    request.host = host;
    return request;
  }
  Interface make_interface(const AccountId& account, const InterfaceRequest& request) {
    return ok(account, [&](Scope& scope) { return allocate_interface(scope, request); });
  }
  Interface make_interface(const AccountId& account, const SubnetId& subnet, const std::string& host = "h1") {
    return make_interface(account, on_host(subnet, InstanceId::generate(ids_), host));
  }

  std::int64_t used(const AccountId& account, quota::Name name) {
    return ask(account, [&](Scope& scope) { return quota::used(scope, name); });
  }
  void limit(const AccountId& account, quota::Name name, std::int64_t value) {
    ask(account, [&](Scope& scope) {
      quota::set_limit(scope, name, value);
      return true;
    });
  }
  /// Journal rows of a resource: how many creations, changes, deletions.
  std::string journal(const std::string& id) {
    return ask(alice, [&](Scope& scope) {
      std::string marks;
      scope.tx.for_each(
          "SELECT before IS NULL, after IS NULL FROM journal WHERE resource_id = ? AND actor = "
          "'arn:aws:iam::test:user/t'"
          " AND action = 'Test' AND request_id = 'r-1' ORDER BY seq",
          [&](store::Row& row) { marks += row.boolean(0)   ? "+"
                                          : row.boolean(1) ? "-"
                                                           : "~"; }, id);
      return marks;
    });
  }
  /// Whether the VPC's document is to be computed anew; forgets it.
  bool touched(const VpcId& vpc) {
    return ask(alice, [&](Scope& scope) {
      return scope.tx.execute("DELETE FROM outbox WHERE kind = 'vpc' AND id = ?", vpc) > 0;
    });
  }
  std::int64_t rows_left(const AccountId& account) {
    return ask(account, [&](Scope& scope) {
      return scope.tx.number("SELECT count(*) FROM resource WHERE account = ? AND type <> 'dhcp-options'", account);
    });
  }

  const AccountId alice = AccountId::trusted("111111111111");
  const AccountId bob = AccountId::trusted("222222222222");
  test::TemporaryDirectory directory_;
  ManualClock clock_;
  SeededIdSource ids_{7};
  Config config_;
  std::unique_ptr<store::Store> store_ = must(store::Store::open((directory_.path() / "virga.db").string()));
};

}  // namespace virga::network
