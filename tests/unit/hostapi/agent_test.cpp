#include "hostapi/agent/agent.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::DomainState;
using compute::ExitReason;
using compute::GuestState;
using ::testing::HasSubstr;

TEST_F(AgentTest, LaunchesAGuestOnceItsVolumeAndNetworkAreThere) {
  ASSERT_TRUE(agent_->put(wanted_instance(1)));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::waiting);
  EXPECT_THAT(seen(1).problem, HasSubstr("vol-"));
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  settle();
  EXPECT_THAT(seen(1).problem, HasSubstr("eni-"));
  ASSERT_TRUE(agent_->put(wanted_vpc(1, {1})));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_TRUE(seen(1).problem.empty());
  ASSERT_EQ(seen(1).disks.size(), 1U);
  EXPECT_TRUE(seen(1).disks[0].attached);
  EXPECT_EQ(taps(), 1U);
  EXPECT_TRUE(network_->is_plugged(wanted_vpc(1, {1}), id<NetworkInterfaceId>(1)));
  EXPECT_THAT(applied_, ::testing::Contains(id<VpcId>(1)));
}

TEST_F(AgentTest, ShowsAnObjectFromTheMomentItIsPut) {
  ASSERT_TRUE(agent_->put(wanted_instance(1)));
  ASSERT_TRUE(agent_->put(wanted_volume(1)));
  ASSERT_TRUE(agent_->put(wanted_vpc(1, {1})));
  const auto state = agent_->state();
  EXPECT_EQ(state.instances.size(), 1U);
  EXPECT_EQ(state.volumes.size(), 1U);
  EXPECT_EQ(state.vpcs.size(), 1U);
}

TEST_F(AgentTest, RestartOfTheRoleLeavesARunningGuestAlone) {
  put_all(1);
  settle();
  const auto console = agent_->console_output(id<InstanceId>(1)).value();
  std::vector<std::string> calls;
  start_role();
  faults_->set_probe([&](std::string_view call, Faults::Moment) { calls.emplace_back(call); });
  settle();
  run_for(seconds(90), seconds(10));
  EXPECT_EQ(seen(1).state, GuestState::running);
  for (const auto* untouched : {"hypervisor.start_paused", "hypervisor.resume", "hypervisor.destroy", "network.plug",
                                "network.unplug", "network.create_tap"}) {
    EXPECT_EQ(std::count(calls.begin(), calls.end(), untouched), 0) << untouched;
  }
}

TEST_F(AgentTest, GuestThatEndsByItselfIsNotStartedAgain) {
  put_all(2);
  settle();
  ASSERT_TRUE(hypervisor_->guest_poweroff(id<InstanceId>(1)));
  ASSERT_TRUE(hypervisor_->kill_process(id<InstanceId>(2)));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::exited);
  EXPECT_EQ(seen(1).exit_reason, ExitReason::guest_shutdown);
  EXPECT_EQ(seen(2).state, GuestState::exited);
  EXPECT_EQ(seen(2).exit_reason, ExitReason::process_killed);
  EXPECT_EQ(taps(), 0U);
  start_role();
  settle();
  EXPECT_EQ(seen(1).state, GuestState::exited);
  EXPECT_EQ(seen(1).exit_reason, ExitReason::guest_shutdown);

  auto again = wanted_instance(1, 2);
  again.start_number = 2;
  ASSERT_TRUE(agent_->put(again));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_EQ(seen(1).start_number, 2U);
}

TEST_F(AgentTest, GuestThatEndedWhileTheRoleWasAwayIsSeenToHaveExited) {
  put_all(1);
  settle();
  ASSERT_TRUE(hypervisor_->kill_process(id<InstanceId>(1)));
  start_role();
  settle();
  EXPECT_EQ(seen(1).state, GuestState::exited);
  EXPECT_EQ(seen(1).exit_reason, ExitReason::process_killed);
}

TEST_F(AgentTest, RebootOfTheMachineBringsBackWhatRanAndOnlyThat) {
  put_all(3);
  auto stopped = wanted_instance(3);
  settle();
  ASSERT_TRUE(hypervisor_->guest_poweroff(id<InstanceId>(2)));
  stopped.generation = 2;
  stopped.power = compute::Power::stopped;
  ASSERT_TRUE(agent_->put(stopped));
  settle();
  run_for(seconds(2));
  boot_machine();
  settle();
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_EQ(seen(2).state, GuestState::exited);
  EXPECT_EQ(seen(3).state, GuestState::stopped);
  EXPECT_EQ(taps(), 1U);
}

TEST_F(AgentTest, StopAsksTheGuestAndThenWaits) {
  put_all(1);
  settle();
  auto stop = wanted_instance(1, 2);
  stop.power = compute::Power::stopped;
  ASSERT_TRUE(agent_->put(stop));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::stopping);
  run_for(seconds(2));
  EXPECT_EQ(seen(1).state, GuestState::stopped);
  EXPECT_EQ(taps(), 0U);
  EXPECT_THAT(hypervisor_->console_output(id<InstanceId>(1)).value(), HasSubstr("Power down"));
}

TEST_F(AgentTest, GuestThatDoesNotShutDownIsDestroyedAtItsTimeout) {
  put_all(1);
  settle();
  ASSERT_TRUE(hypervisor_->make_deaf(id<InstanceId>(1)));
  auto stop = wanted_instance(1, 2);
  stop.power = compute::Power::stopped;
  stop.shutdown_timeout_s = 30;
  ASSERT_TRUE(agent_->put(stop));
  settle();
  run_for(seconds(29));
  EXPECT_EQ(seen(1).state, GuestState::stopping);
  run_for(seconds(2));
  EXPECT_EQ(seen(1).state, GuestState::stopped);
}

TEST_F(AgentTest, ForcedStopDoesNotWait) {
  put_all(1);
  settle();
  auto stop = wanted_instance(1, 2);
  stop.power = compute::Power::stopped;
  stop.shutdown_timeout_s = 0;
  ASSERT_TRUE(agent_->put(stop));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::stopped);
}

TEST_F(AgentTest, RemovedObjectsGoInTheOrderThatIsSafe) {
  put_all(1);
  settle();
  ASSERT_TRUE(agent_->remove(DocumentKind::vpc, id<VpcId>(1).str()));
  ASSERT_TRUE(agent_->remove(DocumentKind::volume, id<VolumeId>(1).str()));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_EQ(volumes_->list().value().size(), 1U);
  EXPECT_EQ(network_->vpcs().size(), 1U);
  EXPECT_TRUE(removed_.empty());

  ASSERT_TRUE(agent_->remove(DocumentKind::instance, id<InstanceId>(1).str()));
  settle();
  start_role();  // tombstones outlive the role
  settle();
  run_for(seconds(10));
  EXPECT_FALSE(knows(1));
  EXPECT_TRUE(agent_->state().volumes.empty());
  EXPECT_TRUE(agent_->state().vpcs.empty());
  EXPECT_TRUE(hypervisor_->list().value().empty());
  EXPECT_TRUE(volumes_->list().value().empty());
  EXPECT_TRUE(network_->vpcs().empty());
  EXPECT_EQ(removed_.size(), 1U);
}

TEST_F(AgentTest, OlderGenerationsAreWithoutEffect) {
  put_all(1);
  auto newer = wanted_instance(1, 5);
  ASSERT_TRUE(agent_->put(newer));
  settle();
  auto older = wanted_instance(1, 4);
  older.power = compute::Power::stopped;
  ASSERT_TRUE(agent_->put(older));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_EQ(seen(1).generation, 5U);
}

TEST_F(AgentTest, FailedLaunchLeavesNothingAndIsTriedAgainLater) {
  put_all(2);
  ASSERT_TRUE(
      faults_->inject({.kind = FaultKind::fail, .object = id<NetworkInterfaceId>(1).str(), .count = 3, .delay = {}}));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::failed);
  EXPECT_FALSE(seen(1).problem.empty());
  EXPECT_EQ(seen(2).state, GuestState::running) << "one object's failure must not stop the others";
  EXPECT_EQ(domain(1).state, DomainState::off);
  EXPECT_EQ(taps(), 1U);
  run_for(seconds(10));
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_TRUE(seen(1).problem.empty());
}

TEST_F(AgentTest, BackOffGrowsToItsCap) {
  put_all(1);
  settle();
  int launches = 0;
  faults_->set_probe([&](std::string_view call, Faults::Moment moment) {
    launches += call == "hypervisor.start_paused" && moment == Faults::Moment::before;
  });
  ASSERT_TRUE(hypervisor_->kill_process(id<InstanceId>(1)));
  ASSERT_TRUE(
      faults_->inject({.kind = FaultKind::fail, .object = id<InstanceId>(1).str(), .count = 1'000'000, .delay = {}}));
  auto again = wanted_instance(1, 2);
  again.start_number = 2;
  ASSERT_TRUE(agent_->put(again));
  run_for(seconds(600));
  EXPECT_GE(launches, 10);
  EXPECT_LE(launches, 20);
}

TEST_F(AgentTest, SilentHypervisorIsNotTakenForGuestsThatAreOff) {
  put_all(1);
  settle();
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::hang, .object = "@hypervisor", .count = 1'000, .delay = {}}));
  run_for(seconds(20));
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_FALSE(agent_->state().problems.empty());
}

TEST_F(AgentTest, AttachesAndDetachesVolumesOfARunningGuest) {
  put_all(1);
  settle();
  ASSERT_TRUE(agent_->put(wanted_volume(7)));
  auto more = wanted_instance(1, 2);
  more.disks.push_back({.volume = id<VolumeId>(7), .device = "/dev/sdf", .slot = 1, .root = false});
  ASSERT_TRUE(agent_->put(more));
  settle();
  ASSERT_EQ(seen(1).disks.size(), 2U);
  EXPECT_TRUE(seen(1).disks[1].attached);

  ASSERT_TRUE(agent_->put(wanted_instance(1, 3)));
  ASSERT_TRUE(agent_->remove(DocumentKind::volume, id<VolumeId>(7).str()));
  settle();
  EXPECT_EQ(volumes_->list().value().size(), 2U) << "not before the guest has let go";
  run_for(seconds(10));
  EXPECT_EQ(seen(1).disks.size(), 1U);
  EXPECT_EQ(volumes_->list().value().size(), 1U);
}

TEST_F(AgentTest, DiskThatCannotBeAttachedSaysWhyAndHarmsNothingElse) {
  put_all(2);
  settle();
  auto thief = wanted_instance(1, 2);
  thief.disks.push_back({.volume = id<VolumeId>(2), .device = "/dev/sdf", .slot = 1, .root = false});
  ASSERT_TRUE(agent_->put(thief));
  settle();
  ASSERT_EQ(seen(1).disks.size(), 2U);
  EXPECT_FALSE(seen(1).disks[1].attached);
  EXPECT_FALSE(seen(1).disks[1].problem.empty());
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_TRUE(seen(1).problem.empty());
}

TEST_F(AgentTest, RebootsOncePerNumber) {
  put_all(1);
  settle();
  run_for(seconds(2));
  ASSERT_TRUE(agent_->put([] {
    auto i = wanted_instance(1, 2);
    i.reboot_number = 1;
    return i;
  }()));
  run_for(seconds(5));
  EXPECT_EQ(domain(1).resets, 1U);
  start_role();
  run_for(seconds(120), seconds(10));
  EXPECT_EQ(domain(1).resets, 1U);
}

TEST_F(AgentTest, GuestDeafToTheRebootIsReset) {
  put_all(1);
  settle();
  run_for(seconds(2));
  ASSERT_TRUE(hypervisor_->make_deaf(id<InstanceId>(1)));
  ASSERT_TRUE(agent_->put([] {
    auto i = wanted_instance(1, 2);
    i.reboot_number = 1;
    return i;
  }()));
  run_for(seconds(50));
  EXPECT_EQ(domain(1).resets, 0U);
  run_for(seconds(15));
  EXPECT_EQ(domain(1).resets, 1U);
}

TEST_F(AgentTest, VolumeThatWasLostIsReportedAndNotMadeAnew) {
  put_all(1);
  settle();
  ASSERT_TRUE(faults_->inject({.kind = FaultKind::forget, .object = id<VolumeId>(1).str(), .count = 1, .delay = {}}));
  settle();
  ASSERT_EQ(agent_->state().volumes.size(), 1U);
  EXPECT_FALSE(agent_->state().volumes[0].ready);
  EXPECT_THAT(agent_->state().volumes[0].problem, HasSubstr("missing"));
  EXPECT_TRUE(volumes_->list().value().empty());
}

TEST_F(AgentTest, DamagedDocumentIsAProblemAndNothingOfTheObjectIsTouched) {
  put_all(2);
  settle();
  for (const auto* file : {"instances/i-00000000000000001.json", "volumes/vol-00000000000000001.json"}) {
    std::ofstream(directory_.path() / "agent/documents" / file) << "{\"format\":1,";
  }
  start_role();
  settle();
  run_for(seconds(5));
  EXPECT_EQ(domain(1).state, DomainState::running);
  EXPECT_EQ(volumes_->list().value().size(), 2U);
  EXPECT_TRUE(knows(1));
  EXPECT_THAT(seen(1).problem, HasSubstr("damaged"));
  EXPECT_THAT(agent_->state().damaged, ::testing::ElementsAre(id<InstanceId>(1).str(), id<VolumeId>(1).str()));
  EXPECT_FALSE(agent_->state().problems.empty());
  // A new put heals it, of any generation.
  ASSERT_TRUE(agent_->put(wanted_instance(1, 1)));
  settle();
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_TRUE(seen(1).problem.empty());
}

TEST_F(AgentTest, DamagedInstanceCanStillBeRemoved) {
  put_all(1);
  settle();
  std::ofstream(directory_.path() / "agent/documents/instances/i-00000000000000001.json") << "";
  start_role();
  settle();
  ASSERT_TRUE(agent_->remove(DocumentKind::instance, id<InstanceId>(1).str()));
  run_for(seconds(90));
  EXPECT_FALSE(knows(1));
  EXPECT_TRUE(hypervisor_->list().value().empty());
  EXPECT_EQ(taps(), 0U);
}

TEST_F(AgentTest, GuestsAreLaunchedOneAPassSoThatTheOthersAreSeenMeanwhile) {
  put_all(3);
  std::vector<std::size_t> on;
  for (int passes = 0; passes < 10 && (on.empty() || on.back() < 3); ++passes) {
    agent_->reconcile_once();
    on.push_back(hypervisor_->list().value().size());
  }
  EXPECT_EQ(on.back(), 3U);
  for (std::size_t pass = 1; pass < on.size(); ++pass) EXPECT_LE(on[pass] - on[pass - 1], 1U);
}

TEST_F(AgentTest, GuestWithoutADocumentIsRemovedOnceTheControlRoleHasSaidWhatItWants) {
  put_all(2);
  settle();
  std::filesystem::remove(directory_.path() / "agent/documents/instances/i-00000000000000001.json");
  start_role();
  settle();
  EXPECT_EQ(hypervisor_->list().value().size(), 2U);
  EXPECT_FALSE(agent_->state().problems.empty());
  ASSERT_TRUE(agent_->confirm({agent_->boot_id(), {id<InstanceId>(2)}, {id<VpcId>(1)}}));
  settle();
  EXPECT_EQ(hypervisor_->list().value().size(), 1U);
  EXPECT_EQ(taps(), 1U);
  EXPECT_TRUE(agent_->state().problems.empty());
}

TEST_F(AgentTest, GuestsAndNetworksOutliveTheLossOfAllDocumentsOverAnyNumberOfStarts) {
  put_all(2);
  settle();
  std::filesystem::remove_all(directory_.path() / "agent");
  for (int start = 0; start < 3; ++start) {
    start_role();
    run_for(seconds(60), seconds(10));
    EXPECT_EQ(domain(1).state, DomainState::running);
    EXPECT_EQ(taps(), 2U);
    const Inventory all{agent_->boot_id(), {id<InstanceId>(1), id<InstanceId>(2)}, {id<VpcId>(1)}};
    EXPECT_EQ(agent_->confirm(all).error().code, Code::incorrect_state) << "they are still missing";
  }
  const auto started = domain(1).start_number;
  put_all(2);
  ASSERT_TRUE(agent_->confirm({agent_->boot_id(), {id<InstanceId>(1), id<InstanceId>(2)}, {id<VpcId>(1)}}));
  run_for(seconds(60), seconds(10));
  EXPECT_EQ(seen(1).state, GuestState::running);
  EXPECT_EQ(seen(2).state, GuestState::running);
  EXPECT_EQ(domain(1).start_number, started);
  EXPECT_EQ(taps(), 2U);
}

TEST_F(AgentTest, AnInventoryForAnEarlierRunOfTheHostSaysNothing) {
  const auto earlier = agent_->boot_id();
  start_role();
  EXPECT_EQ(agent_->confirm({earlier, {}, {}}).error().code, Code::incorrect_state);
}

TEST_F(AgentTest, SequenceGrowsWithWhatIsSeenAndOnlyThen) {
  put_all(1);
  settle();
  const auto before = agent_->state();
  run_for(seconds(60), seconds(10));
  EXPECT_EQ(agent_->state().sequence, before.sequence);
  ASSERT_TRUE(hypervisor_->kill_process(id<InstanceId>(1)));
  settle();
  EXPECT_GT(agent_->state().sequence, before.sequence);
  EXPECT_GT(agent_->wait_for_change(before.sequence, before.boot_id, seconds(30)).value(), before.sequence);
  EXPECT_EQ(agent_->wait_for_change(1'000'000, "another boot", seconds(30)).value(), agent_->state().sequence);
}

TEST_F(AgentTest, CapacityIsWhatMayBePromised) {
  settle();
  const auto capacity = agent_->state().capacity;
  EXPECT_EQ(capacity.vcpus, 32);
  EXPECT_EQ(capacity.memory_mib, 8192 - 512);
  EXPECT_EQ(capacity.storage_gib, 1000);
  EXPECT_EQ(agent_->state().accelerator, "simulated");
}

TEST_F(AgentTest, ImagesAreImportedInTheBackgroundAndVolumesWaitForThem) {
  auto volume = wanted_volume(1);
  volume.image = id<ImageId>(1);
  ASSERT_TRUE(agent_->put(volume));
  settle();
  EXPECT_FALSE(agent_->state().volumes[0].problem.empty());
  const auto file = directory_.path() / "image.raw";
  std::ofstream(file) << "bytes";
  ASSERT_TRUE(agent_->import_image(id<ImageId>(1), file.string()));
  settle();
  ASSERT_EQ(agent_->state().images.size(), 1U);
  EXPECT_TRUE(agent_->state().images[0].ready);
  EXPECT_EQ(agent_->state().images[0].sha256, "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
  EXPECT_TRUE(agent_->state().volumes[0].ready);
  EXPECT_EQ(agent_->remove(DocumentKind::image, id<ImageId>(1).str()).error().code, Code::incorrect_state);

  ASSERT_TRUE(agent_->import_image(id<ImageId>(2), "/nowhere/at/all"));
  settle();
  EXPECT_FALSE(agent_->state().images[1].ready);
  EXPECT_FALSE(agent_->state().images[1].problem.empty());
  EXPECT_EQ(agent_->import_image(id<ImageId>(3), "relative").error().code, Code::invalid_parameter_value);
}

TEST_F(AgentTest, MetadataIsFoundByVpcAndAddress) {
  put_all(2);
  EXPECT_EQ(agent_->instance_by_address(id<VpcId>(1), "172.31.0.2")->id, id<InstanceId>(2));
  EXPECT_FALSE(agent_->instance_by_address(id<VpcId>(1), "172.31.0.3"));
  EXPECT_FALSE(agent_->instance_by_address(id<VpcId>(2), "172.31.0.2"));
}

TEST_F(AgentTest, InterfaceThatLostItsPlugIsPluggedAgainOrReported) {
  put_all(1);
  settle();
  ASSERT_TRUE(
      faults_->inject({.kind = FaultKind::forget, .object = id<NetworkInterfaceId>(1).str(), .count = 1, .delay = {}}));
  run_for(seconds(60), seconds(5));
  EXPECT_EQ(seen(1).state, GuestState::running) << "a running guest is never ended for it";
  EXPECT_FALSE(seen(1).problem.empty());
}

}  // namespace
}  // namespace virga::hostapi
