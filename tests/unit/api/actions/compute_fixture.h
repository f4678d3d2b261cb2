#pragma once

// An account with a default VPC, a host that is up and an imported image; requests go through the rows of the action
// table, observations through compute/sync.h and storage/sync.h.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/action.h"
#include "api/idempotency.h"
#include "api/row_checks.h"
#include "compute/sync.h"
#include "ec2/op/DescribeInstances.h"
#include "ec2/op/DescribeVolumes.h"
#include "ec2/op/RunInstances.h"
#include "ec2/op/TerminateInstances.h"
#include "network/vpcs.h"
#include "storage/images.h"
#include "storage/sync.h"
#include "tests/support/temporary_directory.h"

namespace virga::api {

/// No filters, one page.
class Everything final : public Selection {
 public:
  bool matches(const ec2::Shape&, const void*, const Hidden&) const override { return true; }
  const std::string& after() const override { return after_; }
  std::size_t room() const override { return 1000; }
  void took(std::string_view) override {}
  void more() override {}

 private:
  std::string after_;
};

class NoHosts final : public Hosts {
 public:
  std::shared_ptr<hostapi::Host> find(const std::string&) override { return nullptr; }
};

class ComputeTest : public testing::Test {
 protected:
  static constexpr std::string_view zone = "us-east-1a";

  ComputeTest() {
    config_.zones = {"a", "b"};
    for (const auto& account : {alice, bob})
      ask(account, [&](Scope& scope) {
        scope.tx.execute("INSERT INTO account (id, name, created_ms) VALUES (?, ?, 0)", account, account.str());
        return must(network::create_default_vpc(scope, config_)).id;
      });
    add_host("h1", R"(["us-east-1a"])", 64, 65536, 1000);
    image_ = ask(alice, [&](Scope& scope) {
      return must(storage::images::create_import(
          scope, {.name = "tiny", .description = "", .visibility = storage::Visibility::everyone}));
    });
    observe_image("h1");
  }

  template <class T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(describe(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  template <class Function>
  std::invoke_result_t<Function&, Scope&> as(const AccountId& account, Function function) {
    return store_->write([&](store::Transaction& tx) {
      Scope scope{tx, account, clock_.now(), ids_, "arn:aws:iam::test:user/t", "Test", "r-1"};
      return function(scope);
    });
  }
  /// Runs a function that cannot fail.
  template <class Function>
  std::invoke_result_t<Function&, Scope&> ask(const AccountId& account, Function function) {
    return must(
        as(account, [&](Scope& scope) -> Result<std::invoke_result_t<Function&, Scope&>> { return function(scope); }));
  }
  std::int64_t number(store::Sql sql) {
    return ask(alice, [&](Scope& scope) { return scope.tx.number(sql); });
  }

  /// One request of the action table: the row's refusals, what it prepares, then its handler in a transaction, once for
  /// each client token.
  template <class Response, class Request>
  Result<Response> call(const AccountId& account, std::string_view name, const Request& request) {
    const auto* row = find_action(name);
    EXPECT_NE(row, nullptr) << name;
    Prepared prepared;
    if (row->options.prepare) prepared = TRY(row->options.prepare(&request));
    return as(account, [&](Scope& scope) -> Result<Response> {
      Everything everything;
      NoHosts hosts;
      const Caller caller{.account = account,
                          .user_name = "t",
                          .user_id = {},
                          .arn = {},
                          .access_key_id = {},
                          .role = Role::administrator,
                          .source_ip = {}};
      Call one(scope, caller, config_, everything, hosts, prepared.product);
      auto invocation = row->invoke();
      *static_cast<Request*>(invocation->request()) = request;
      TRY_VOID(check_honoured(*row, &request));
      TRY_VOID(run_once(*row, *invocation, one));
      if constexpr (std::is_same_v<Response, ec2::NoOutput>)
        return Response{};
      else
        return *static_cast<Response*>(invocation->response());
    });
  }

  void add_host(const std::string& name, const std::string& zones, int vcpus, int memory_mib, int storage_gib) {
    ask(alice, [&](Scope& scope) {
      return scope.tx.execute(
          "INSERT INTO host (name, endpoint, zones, state, vcpus, memory_mib, storage_gib) VALUES (?, '', ?, 'up', ?, "
          "?, ?)",
          name, zones, vcpus, memory_mib, storage_gib);
    });
  }
  void observe_image(const std::string& host) {
    must(as(alice, [&](Scope& scope) {
      return storage::observe_image(scope, host, {image_, true, 42LL << 20, 16 << 20, std::string(64, 'a'), ""});
    }));
  }

  ec2::RunInstancesRequest launch(int min = 1, int max = 1, const std::string& type = "t3.micro") const {
    ec2::RunInstancesRequest request;
    request.image_id = image_.str();
    request.min_count = min;
    request.max_count = max;
    request.instance_type = type;
    request.placement.emplace().availability_zone = zone;
    return request;
  }
  Result<ec2::Reservation> try_run(const ec2::RunInstancesRequest& request) {
    return call<ec2::Reservation>(alice, "RunInstances", request);
  }
  ec2::Reservation run(const ec2::RunInstancesRequest& request) { return must(try_run(request)); }
  InstanceId run_one() { return InstanceId::trusted(*run(launch()).instances.at(0).instance_id); }
  /// An instance whose host has said that it runs, with all its disks.
  InstanceId running() {
    const auto id = run_one();
    observe(id, compute::GuestState::running);
    return id;
  }

  /// What the synchroniser does with the outbox: documents are computed, and have a generation each.
  void tell_hosts() {
    ask(alice, [&](Scope& scope) {
      scope.tx.execute(
          "INSERT INTO wanted (host, kind, id, generation, digest) SELECT 'h1', kind, id, 1, '' FROM outbox WHERE true"
          " ON CONFLICT DO UPDATE SET generation = generation + 1");
      return scope.tx.execute("DELETE FROM outbox");
    });
  }
  std::optional<compute::WantedInstance> document(const InstanceId& id) {
    return ask(alice, [&](Scope& scope) { return compute::wanted_instance(scope.tx, config_, id); });
  }
  std::uint64_t generation(const InstanceId& id) {
    return static_cast<std::uint64_t>(ask(alice, [&](Scope& scope) {
      return scope.tx.number("SELECT generation FROM wanted WHERE kind = 'instance' AND id = ?", id);
    }));
  }

  /// The host acts on the document as it is now, and reports the guest in that state with its wanted disks.
  void observe(const InstanceId& id, compute::GuestState state,
               compute::ExitReason reason = compute::ExitReason::none) {
    tell_hosts();
    const auto wanted = document(id);
    compute::ObservedInstance observed{
        .id = id, .generation = generation(id), .state = state, .exit_reason = reason, .disks = {}, .problem = {}};
    if (wanted) {
      observed.start_number = wanted->start_number;
      for (const auto& disk : wanted->disks) observed.disks.push_back({disk.volume, true, ""});
    }
    observe(observed);
  }
  void observe(const compute::ObservedInstance& observed) {
    must(as(alice, [&](Scope& scope) {
      Scope reconciler{scope.tx, {}, scope.now, scope.ids, "virga", "sync", {}};
      return compute::observe_instance(reconciler, "h1", observed);
    }));
  }
  void volumes_ready() {
    for (const auto& volume : ask(alice, [](Scope& scope) { return storage::placed_volumes(scope.tx); }))
      must(as(alice, [&](Scope& scope) { return storage::observe_volume(scope, "h1", {volume, 1, true, 0, 0, ""}); }));
  }
  void removed(const InstanceId& id) {
    must(as(alice, [&](Scope& scope) {
      Scope reconciler{scope.tx, {}, scope.now, scope.ids, "virga", "sync", {}};
      return compute::instance_removed(reconciler, "h1", id);
    }));
  }

  Result<ec2::Instance> find(const AccountId& account, const InstanceId& id) {
    ec2::DescribeInstancesRequest request;
    request.instance_ids = {id.str()};
    auto found = TRY(call<ec2::DescribeInstancesResult>(account, "DescribeInstances", request));
    return found.reservations.at(0).instances.at(0);
  }
  ec2::Instance find(const InstanceId& id) { return must(find(alice, id)); }
  std::string state(const InstanceId& id) { return *find(id).state->name; }
  std::int64_t used(quota::Name name) {
    return ask(alice, [&](Scope& scope) { return quota::used(scope, name); });
  }
  template <class Request>
  static Request naming(const InstanceId& id) {
    Request request;
    request.instance_ids = {id.str()};
    return request;
  }
  void terminate(const InstanceId& id) {
    must(call<ec2::TerminateInstancesResult>(alice, "TerminateInstances", naming<ec2::TerminateInstancesRequest>(id)));
  }

  const AccountId alice = AccountId::trusted("111111111111");
  const AccountId bob = AccountId::trusted("222222222222");
  test::TemporaryDirectory directory_;
  std::unique_ptr<store::Store> store_ = must(store::Store::open((directory_.path() / "virga.db").string()));
  SeededIdSource ids_{7};
  ManualClock clock_;
  Config config_;
  ImageId image_;
};

}  // namespace virga::api
