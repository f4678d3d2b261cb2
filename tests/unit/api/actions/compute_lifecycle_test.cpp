#include "ec2/op/DescribeInstanceStatus.h"
#include "ec2/op/RebootInstances.h"
#include "ec2/op/StartInstances.h"
#include "ec2/op/StopInstances.h"
#include "tests/unit/api/actions/compute_fixture.h"

namespace virga::api {
namespace {

using compute::ExitReason;
using compute::GuestState;
using quota::Name;

class InstanceLifecycle : public ComputeTest {
 protected:
  Result<ec2::StopInstancesResult> stop(const InstanceId& id, bool force = false) {
    auto request = naming<ec2::StopInstancesRequest>(id);
    if (force) request.force = true;
    return call<ec2::StopInstancesResult>(alice, "StopInstances", request);
  }
  Result<ec2::StartInstancesResult> start(const InstanceId& id) {
    return call<ec2::StartInstancesResult>(alice, "StartInstances", naming<ec2::StartInstancesRequest>(id));
  }
  InstanceId stopped() {
    const auto id = running();
    must(stop(id));
    observe(id, GuestState::stopped);
    return id;
  }
};

TEST_F(InstanceLifecycle, BecomesRunningWhenItsHostSaysSo) {
  const auto id = run_one();

  observe(id, GuestState::waiting);
  EXPECT_EQ(state(id), "pending");
  observe(id, GuestState::running);

  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(*find(id).block_device_mappings.at(0).ebs->status, "attached");
}

TEST_F(InstanceLifecycle, StopAnswersStatesAndEndsWithTheHostsWord) {
  const auto id = running();

  const auto answer = must(stop(id)).stopping_instances.at(0);

  EXPECT_EQ(*answer.previous_state->name, "running");
  EXPECT_EQ(*answer.current_state->name, "stopping");
  EXPECT_EQ(document(id)->power, compute::Power::stopped);
  observe(id, GuestState::stopping);
  EXPECT_EQ(state(id), "stopping");
  observe(id, GuestState::stopped);
  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(*find(id).state_reason->code, "Client.UserInitiatedShutdown");
}

TEST_F(InstanceLifecycle, StoppedGivesCapacityBackAndStartTakesItAgain) {
  const auto id = stopped();
  EXPECT_EQ(number("SELECT memory_mib_used + vcpus_used FROM host"), 0);
  EXPECT_EQ(number("SELECT storage_gib_used FROM host"), 1);

  must(start(id));

  EXPECT_EQ(number("SELECT memory_mib_used FROM host"), 1024);
  EXPECT_EQ(state(id), "pending");
  EXPECT_EQ(document(id)->start_number, 2U);
}

TEST_F(InstanceLifecycle, StartIsRefusedWhereTheHostIsFull) {
  const auto id = stopped();
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE host SET memory_mib_used = memory_mib"); });

  EXPECT_EQ(start(id).error().code, Code::insufficient_instance_capacity);
  EXPECT_EQ(state(id), "stopped");
}

TEST_F(InstanceLifecycle, StartIsRefusedWhileTheHostIsDown) {
  const auto id = stopped();
  ask(alice, [](Scope& scope) { return scope.tx.execute("UPDATE host SET state = 'down'"); });

  const auto refused = start(id);

  EXPECT_EQ(refused.error().code, Code::insufficient_instance_capacity);
  EXPECT_NE(refused.error().message.find("its host is down"), std::string::npos);
}

TEST_F(InstanceLifecycle, StoppedCountsAsInstanceButNotItsVcpus) {
  const auto id = stopped();
  EXPECT_EQ(used(Name::instances), 1);
  EXPECT_EQ(used(Name::vcpus), 0);

  must(start(id));
  EXPECT_EQ(used(Name::vcpus), 2);

  must(stop(stopped()));  // of another one, twice: nothing is given back twice
  EXPECT_EQ(used(Name::vcpus), 2);
}

TEST_F(InstanceLifecycle, StartIsRefusedOverTheVcpuQuota) {
  const auto id = stopped();
  run_one();
  ask(alice, [](Scope& scope) {
    quota::set_limit(scope, Name::vcpus, 3);
    return 0;
  });

  EXPECT_EQ(start(id).error().code, Code::vcpu_limit_exceeded);

  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(used(Name::vcpus), 2);
}

TEST_F(InstanceLifecycle, Threat_H04_CountersAreARecountWhateverCameAndWent) {
  std::vector<InstanceId> all;
  for (int i = 0; i < 6; ++i) all.push_back(running());
  must(stop(all[0]));  // stopping
  must(stop(all[1]));
  observe(all[1], GuestState::stopped);
  must(stop(all[2]));
  observe(all[2], GuestState::stopped);
  must(start(all[2]));  // pending again
  terminate(all[3]);    // shutting down
  must(stop(all[4]));
  observe(all[4], GuestState::stopped);
  terminate(all[4]);
  removed(all[4]);  // terminated from stopped
  terminate(all[5]);
  removed(all[5]);  // terminated from running

  EXPECT_EQ(used(Name::instances), number("SELECT count(*) FROM instance WHERE state <> 'terminated'"));
  EXPECT_EQ(used(Name::instances), 4);
  EXPECT_EQ(used(Name::vcpus), number("SELECT sum(vcpus) FROM instance WHERE state NOT IN ('stopped', 'terminated')"));
  EXPECT_EQ(used(Name::vcpus), number("SELECT vcpus_used FROM host"));
  EXPECT_EQ(used(Name::vcpus), 6);
}

TEST_F(InstanceLifecycle, WordsAboutAnEarlierStartAreIgnored) {
  const auto id = stopped();
  must(start(id));

  observe({.id = id,
           .generation = 9,
           .start_number = 1,
           .state = GuestState::exited,
           .exit_reason = ExitReason::guest_shutdown,
           .disks = {},
           .problem = {}});

  EXPECT_EQ(state(id), "pending");
}

TEST_F(InstanceLifecycle, AddressAndVolumesSurviveStopAndStart) {
  const auto id = running();
  const auto before = find(id);
  must(stop(id));
  observe(id, GuestState::stopped);
  must(start(id));
  observe(id, GuestState::running);

  const auto after = find(id);

  EXPECT_EQ(*after.state->name, "running");
  EXPECT_EQ(after.private_ip_address, before.private_ip_address);
  EXPECT_EQ(after.block_device_mappings.at(0).ebs->volume_id, before.block_device_mappings.at(0).ebs->volume_id);
}

TEST_F(InstanceLifecycle, RepeatedCallsSucceedAndChangeNothing) {
  const auto id = running();

  EXPECT_EQ(*must(start(id)).starting_instances.at(0).current_state->name, "running");
  must(stop(id));
  EXPECT_EQ(*must(stop(id)).stopping_instances.at(0).previous_state->name, "stopping");
  observe(id, GuestState::stopped);
  EXPECT_EQ(*must(stop(id)).stopping_instances.at(0).current_state->name, "stopped");
}

TEST_F(InstanceLifecycle, CallsThatDoNotFitTheStateAreRefused) {
  const auto id = run_one();

  EXPECT_EQ(stop(id).error().code, Code::incorrect_instance_state);
  EXPECT_EQ((call<ec2::NoOutput>(alice, "RebootInstances", naming<ec2::RebootInstancesRequest>(id))).error().code,
            Code::incorrect_instance_state);
  observe(id, GuestState::running);
  must(stop(id));
  EXPECT_EQ(start(id).error().code, Code::incorrect_instance_state);
}

TEST_F(InstanceLifecycle, ForcedStopGivesTheGuestNoTime) {
  const auto id = running();
  must(stop(id));
  EXPECT_EQ(document(id)->shutdown_timeout_s, 60);

  must(stop(id, true));

  EXPECT_EQ(document(id)->shutdown_timeout_s, 0);
}

TEST_F(InstanceLifecycle, RebootKeepsRunningAndCounts) {
  const auto id = running();

  must(call<ec2::NoOutput>(alice, "RebootInstances", naming<ec2::RebootInstancesRequest>(id)));

  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(document(id)->reboot_number, 1U);
}

TEST_F(InstanceLifecycle, GuestShutdownStopsTheInstance) {
  const auto id = running();

  observe(id, GuestState::exited, ExitReason::guest_shutdown);

  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(*find(id).state_reason->code, "Client.InstanceInitiatedShutdown");
  EXPECT_EQ(document(id)->power, compute::Power::stopped);
}

TEST_F(InstanceLifecycle, GuestShutdownTerminatesWhereAskedFor) {
  auto request = launch();
  request.instance_initiated_shutdown_behavior = "terminate";
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  observe(id, GuestState::running);

  observe(id, GuestState::exited, ExitReason::guest_shutdown);
  EXPECT_EQ(state(id), "shutting-down");
  removed(id);

  EXPECT_EQ(state(id), "terminated");
}

TEST_F(InstanceLifecycle, KilledProcessStopsWithInternalErrorEvenWhereShutdownTerminates) {
  auto request = launch();
  request.instance_initiated_shutdown_behavior = "terminate";
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  observe(id, GuestState::running);

  observe(id, GuestState::exited, ExitReason::process_killed);

  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(*find(id).state_reason->code, "Server.InternalError");
}

TEST_F(InstanceLifecycle, LaunchThatFailsTooLongIsGivenUp) {
  const auto id = run_one();

  observe(id, GuestState::failed);
  EXPECT_EQ(state(id), "pending");
  clock_.advance(std::chrono::minutes(6));
  observe(id, GuestState::failed);

  EXPECT_EQ(state(id), "shutting-down");
  EXPECT_EQ(*find(id).state_reason->code, "Server.InternalError");
}

TEST_F(InstanceLifecycle, ALaunchHasItsTimeFromItsFirstFailureHoweverLongTheHostWasAway) {
  const auto id = run_one();
  clock_.advance(std::chrono::hours(1));

  observe(id, GuestState::failed);
  clock_.advance(std::chrono::minutes(4));
  observe(id, GuestState::failed);

  EXPECT_EQ(state(id), "pending");
}

TEST_F(InstanceLifecycle, FailuresOfAnEarlierStartDoNotCountAgainstThisOne) {
  const auto id = run_one();
  observe(id, GuestState::failed);
  observe(id, GuestState::running);
  must(stop(id));
  observe(id, GuestState::stopped);
  clock_.advance(std::chrono::hours(1));

  must(start(id));
  observe(id, GuestState::failed);

  EXPECT_EQ(state(id), "pending");
}

TEST_F(InstanceLifecycle, TerminationFreesEverythingOnceTheHostHasLetGo) {
  const auto id = running();
  volumes_ready();
  tell_hosts();

  terminate(id);
  EXPECT_EQ(state(id), "shutting-down");
  EXPECT_FALSE(ask(alice, [&](Scope& scope) { return compute::host_of_instance(scope.tx, id); }));
  EXPECT_EQ(find(id).network_interfaces.size(), 1U);
  removed(id);

  const auto instance = find(id);
  EXPECT_EQ(*instance.state->name, "terminated");
  EXPECT_TRUE(instance.network_interfaces.empty());
  EXPECT_TRUE(instance.block_device_mappings.empty());
  EXPECT_FALSE(instance.private_ip_address);
  EXPECT_EQ(used(Name::instances), 0);
  EXPECT_EQ(used(Name::vcpus), 0);
  EXPECT_EQ(used(Name::network_interfaces), 0);
  EXPECT_EQ(number("SELECT memory_mib_used + vcpus_used FROM host"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM volume WHERE state = 'deleting'"), 1);
}

TEST_F(InstanceLifecycle, VolumesThatAreToStayBecomeAvailable) {
  auto request = launch();
  auto& mapping = request.block_device_mappings.emplace_back();
  mapping.device_name = "/dev/sda1";
  mapping.ebs.emplace().delete_on_termination = false;
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  observe(id, GuestState::running);
  volumes_ready();

  terminate(id);
  removed(id);

  const auto volumes =
      must(call<ec2::DescribeVolumesResult>(alice, "DescribeVolumes", ec2::DescribeVolumesRequest{})).volumes;
  ASSERT_EQ(volumes.size(), 1U);
  EXPECT_EQ(*volumes[0].state, "available");
}

TEST_F(InstanceLifecycle, AForcedTerminationIsOneWhoseGuestIsGivenTimeAndThenCutOff) {
  const auto id = running();
  tell_hosts();
  auto request = naming<ec2::TerminateInstancesRequest>(id);
  request.force = true;

  must(call<ec2::TerminateInstancesResult>(alice, "TerminateInstances", request));

  EXPECT_EQ(state(id), "shutting-down");
  removed(id);
  EXPECT_EQ(state(id), "terminated");
  request.skip_os_shutdown = true;
  EXPECT_FALSE(call<ec2::TerminateInstancesResult>(alice, "TerminateInstances", request)) << "it cannot be skipped";
}

TEST_F(InstanceLifecycle, TerminateIsIdempotentAndFinal) {
  const auto id = running();
  terminate(id);
  terminate(id);
  removed(id);
  terminate(id);
  removed(id);
  observe({.id = id,
           .generation = 99,
           .start_number = 1,
           .state = GuestState::running,
           .exit_reason = ExitReason::none,
           .disks = {},
           .problem = {}});

  EXPECT_EQ(state(id), "terminated");
  EXPECT_EQ(stop(id).error().code, Code::incorrect_instance_state);
  EXPECT_EQ(start(id).error().code, Code::incorrect_instance_state);
  EXPECT_EQ(used(Name::instances), 0);
}

TEST_F(InstanceLifecycle, InstanceNoHostWasToldOfIsTerminatedAtOnce) {
  const auto id = run_one();

  terminate(id);

  EXPECT_EQ(state(id), "terminated");
  EXPECT_EQ(number("SELECT count(*) FROM volume"), 0);
  EXPECT_EQ(used(Name::volumes), 0);
}

TEST_F(InstanceLifecycle, ProtectedInstancesAreNeitherTerminatedNorStopped) {
  auto request = launch();
  request.disable_api_termination = true;
  request.disable_api_stop = true;
  const auto id = InstanceId::trusted(*run(request).instances.at(0).instance_id);
  observe(id, GuestState::running);

  EXPECT_EQ(
      (call<ec2::TerminateInstancesResult>(alice, "TerminateInstances", naming<ec2::TerminateInstancesRequest>(id)))
          .error()
          .code,
      Code::operation_not_permitted);
  EXPECT_EQ(stop(id).error().code, Code::operation_not_permitted);
  EXPECT_EQ(state(id), "running");
}

TEST_F(InstanceLifecycle, OneUnknownIdChangesNoneOfTheOthers) {
  const auto id = running();
  auto request = naming<ec2::TerminateInstancesRequest>(id);
  request.instance_ids.push_back("i-00000000000000000");

  const auto refused = call<ec2::TerminateInstancesResult>(alice, "TerminateInstances", request);

  EXPECT_EQ(refused.error().code, Code::invalid_instance_id_not_found);
  EXPECT_EQ(state(id), "running");
}

TEST_F(InstanceLifecycle, TerminatedInstancesAreForgottenAfterAnHour) {
  const auto id = running();
  terminate(id);
  removed(id);
  const auto expire = [&] { must(as(alice, [](Scope& scope) { return compute::expire(scope); })); };

  clock_.advance(std::chrono::minutes(59));
  expire();
  EXPECT_EQ(state(id), "terminated");
  clock_.advance(std::chrono::minutes(2));
  expire();

  EXPECT_EQ(find(alice, id).error().code, Code::invalid_instance_id_not_found);
  EXPECT_EQ(number("SELECT count(*) FROM resource WHERE type = 'instance'"), 0);
}

TEST_F(InstanceLifecycle, StatusListsOnlyRunningUnlessAskedForAll) {
  const auto id = running();
  run_one();
  ec2::DescribeInstanceStatusRequest request;

  const auto some = must(call<ec2::DescribeInstanceStatusResult>(alice, "DescribeInstanceStatus", request));
  request.include_all_instances = true;
  const auto all = must(call<ec2::DescribeInstanceStatusResult>(alice, "DescribeInstanceStatus", request));

  ASSERT_EQ(some.instance_statuses.size(), 1U);
  EXPECT_EQ(*some.instance_statuses[0].instance_id, id.str());
  EXPECT_EQ(*some.instance_statuses[0].instance_status->status, "ok");
  EXPECT_EQ(all.instance_statuses.size(), 2U);
}

TEST_F(InstanceLifecycle, EveryChangeOfStateIsJournalled) {
  const auto id = running();
  must(stop(id));
  observe(id, GuestState::stopped);
  terminate(id);
  removed(id);

  // Made; then running, stopping, stopped, shutting-down, terminated.
  EXPECT_EQ(number("SELECT count(*) FROM journal WHERE resource_id LIKE 'i-%'"), 6);
}

}  // namespace
}  // namespace virga::api
