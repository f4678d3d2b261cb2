#include "ec2/op/CreateRouteTable.h"
#include "ec2/op/CreateVolume.h"
#include "ec2/op/DeleteVolume.h"
#include "storage/volumes.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

class ClientTokens : public ComputeTest {
 protected:
  ec2::RunInstancesRequest launch_with_token(const std::string& token, int count = 1) {
    auto request = launch(count, count);
    request.client_token = token;
    return request;
  }
  static std::string id_of(const ec2::Reservation& reservation, std::size_t index = 0) {
    return *reservation.instances.at(index).instance_id;
  }
  void end(const std::string& text) {
    const auto id = InstanceId::trusted(text);
    terminate(id);
    removed(id);
  }
  void expire() {
    ask(alice, [&](Scope& scope) { return expire_client_tokens(scope.tx, scope.now); });
  }
};

TEST_F(ClientTokens, EveryActionWithATokenSaysHowItsFirstAnswerIsBroughtUpToDate) {
  for (const auto& row : all_actions()) {
    if (row.operation->idempotency_token.empty() || row.operation->output == nullptr) continue;
    EXPECT_TRUE(row.options.refresh) << row.name << ": its row needs .refresh = refresh_with(...), see api/action.h";
  }
}

TEST_F(ClientTokens, ARepeatedLaunchShowsTheSameInstancesAsTheyAreNow) {
  const auto first = run(launch_with_token("t", 2));
  observe(InstanceId::trusted(id_of(first)), compute::GuestState::running);

  const auto again = run(launch_with_token("t", 2));

  EXPECT_EQ(*again.reservation_id, *first.reservation_id);
  ASSERT_EQ(again.instances.size(), 2u);
  EXPECT_EQ(id_of(again), id_of(first));
  EXPECT_EQ(id_of(again, 1), id_of(first, 1));
  EXPECT_EQ(*first.instances[0].state->name, "pending");
  EXPECT_EQ(*again.instances[0].state->name, "running");
  EXPECT_EQ(*again.instances[1].state->name, "pending");
  EXPECT_EQ(number("SELECT count(*) FROM instance"), 2);
}

TEST_F(ClientTokens, ATokenOfTerminatedInstancesSaysSo) {
  const auto first = run(launch_with_token("t", 2));
  end(id_of(first));

  const auto half = run(launch_with_token("t", 2));
  EXPECT_EQ(*half.instances.at(0).state->name, "terminated");

  end(id_of(first, 1));
  EXPECT_EQ(try_run(launch_with_token("t", 2)).error().code, Code::idempotent_instance_terminated);
}

TEST_F(ClientTokens, ATokenOutlivesForgottenInstancesForADay) {
  const auto first = run(launch_with_token("t"));
  clock_.advance(std::chrono::hours(72));
  EXPECT_EQ(id_of(run(launch_with_token("t"))), id_of(first)) << "a living instance keeps its token";
  expire();
  end(id_of(first));
  clock_.advance(std::chrono::minutes(61));
  expire();
  ask(alice, [](Scope& scope) {
    Scope reconciler{scope.tx, {}, scope.now, scope.ids, "virga", "sync", {}};
    return must(compute::expire(reconciler)), 0;
  });
  ASSERT_EQ(number("SELECT count(*) FROM instance"), 0);

  clock_.advance(std::chrono::hours(22));
  expire();
  EXPECT_EQ(try_run(launch_with_token("t")).error().code, Code::idempotent_instance_terminated);
  clock_.advance(std::chrono::hours(24));
  expire();
  EXPECT_NE(id_of(run(launch_with_token("t"))), id_of(first));
}

TEST_F(ClientTokens, OtherParametersAreRefusedAndOtherAccountsHaveTheirOwnTokens) {
  run(launch_with_token("t"));
  auto other = launch_with_token("t");
  other.instance_type = "t3.nano";
  EXPECT_EQ(try_run(other).error().code, Code::idempotent_parameter_mismatch);
  EXPECT_TRUE((call<ec2::Reservation>(bob, "RunInstances", launch_with_token("t"))));
}

TEST_F(ClientTokens, ARepeatedVolumeIsShownAsItIsNowAndNotAfterItsEnd) {
  ec2::CreateVolumeRequest request;
  request.availability_zone = std::string(zone);
  request.size = 1;
  request.client_token = "t";
  const auto first = must(call<ec2::Volume>(alice, "CreateVolume", request));
  tell_hosts();
  volumes_ready();

  const auto again = must(call<ec2::Volume>(alice, "CreateVolume", request));
  EXPECT_EQ(*again.volume_id, *first.volume_id);
  EXPECT_EQ(*first.state, "creating");
  EXPECT_EQ(*again.state, "available");

  ec2::DeleteVolumeRequest remove;
  remove.volume_id = first.volume_id;
  must(call<ec2::NoOutput>(alice, "DeleteVolume", remove));
  const auto gone = call<ec2::Volume>(alice, "CreateVolume", request);
  EXPECT_TRUE(!gone || *gone->state == "deleting");
}

TEST_F(ClientTokens, ARepeatedRouteTableIsShownAsItIsNow) {
  ec2::CreateRouteTableRequest request;
  request.client_token = "t";
  request.vpc_id = ask(alice, [](Scope& scope) {
    return *scope.tx.one(
        "SELECT id FROM vpc WHERE account = ?", [](store::Row& row) { return row.text(0); }, scope.account);
  });
  const auto first = must(call<ec2::CreateRouteTableResult>(alice, "CreateRouteTable", request));
  ask(alice, [&](Scope& scope) { return must(tags::put(scope, *first.route_table->route_table_id, {{"a", "b"}})), 0; });

  const auto again = must(call<ec2::CreateRouteTableResult>(alice, "CreateRouteTable", request));

  EXPECT_EQ(*again.route_table->route_table_id, *first.route_table->route_table_id);
  EXPECT_EQ(again.route_table->tags.size(), 1u);
  EXPECT_EQ(*again.client_token, "t");
}

}  // namespace
}  // namespace virga::api
