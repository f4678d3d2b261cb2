#include "hostapi/agent/plan_instance.h"

#include <gtest/gtest.h>

#include "hostapi/agent/plan_volumes.h"
#include "hostapi/agent/plan_vpcs.h"
#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using compute::Domain;
using compute::DomainState;
using compute::ExitReason;
using compute::GuestState;
using compute::Power;
using Kind = InstanceStepKind;

const Time now{1'000'000};

/// Wanted running, nothing there yet, nothing in its way.
InstanceFacts facts_of_new() {
  InstanceFacts facts;
  facts.wanted = wanted_instance(1);
  facts.boot_id = "boot";
  facts.ready_volumes = {id<VolumeId>(1)};
  facts.now = now;
  return facts;
}

Domain domain_in(DomainState state, std::uint64_t start_number = 1) {
  return {.id = id<InstanceId>(1),
          .start_number = start_number,
          .state = state,
          .exit_reason = ExitReason::none,
          .disks = {id<VolumeId>(1)},
          .resets = 0};
}

/// The same, running since long.
InstanceFacts facts_of_running() {
  auto facts = facts_of_new();
  facts.domain = domain_in(DomainState::running);
  facts.record = {
      .start_number = 1, .reboot_number = 0, .boot_id = "boot", .exited = false, .exit_reason = ExitReason::none};
  return facts;
}

std::vector<Kind> kinds(const InstancePlan& plan) {
  std::vector<Kind> all;
  for (const auto& step : plan.steps) all.push_back(step.kind);
  return all;
}

struct Case {
  const char* name;
  std::function<InstanceFacts()> facts;
  std::vector<Kind> steps;
  GuestState state;
};

class PlanInstance : public ::testing::TestWithParam<Case> {};

TEST_P(PlanInstance, TakesTheNextStep) {
  const auto plan = plan_instance(GetParam().facts());
  EXPECT_EQ(kinds(plan), GetParam().steps);
  EXPECT_EQ(plan.state, GetParam().state);
}

InstanceFacts change(InstanceFacts facts, const std::function<void(InstanceFacts&)>& how) {
  how(facts);
  return facts;
}

const Case cases[] = {
    {"new", facts_of_new, {Kind::launch}, GuestState::waiting},
    {"not_ready",
     [] { return change(facts_of_new(), [](auto& f) { f.waiting_for = "a volume"; }); },
     {},
     GuestState::waiting},
    {"running", facts_of_running, {}, GuestState::running},
    {"left_paused_in_mid_launch",
     [] { return change(facts_of_new(), [](auto& f) { f.domain = domain_in(DomainState::paused); }); },
     {Kind::continue_launch},
     GuestState::waiting},
    {"left_paused_by_an_older_start",
     [] {
       return change(facts_of_new(), [](auto& f) {
         f.wanted.start_number = 2;
         f.domain = domain_in(DomainState::paused);
       });
     },
     {Kind::destroy},
     GuestState::stopping},
    {"left_paused_before_a_loss_of_power",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.record.boot_id = "old";
         f.domain = domain_in(DomainState::paused);
       });
     },
     {Kind::continue_launch},
     GuestState::waiting},
    {"paused_after_its_start",
     [] { return change(facts_of_running(), [](auto& f) { f.domain = domain_in(DomainState::paused); }); },
     {Kind::resume},
     GuestState::running},
    {"paused_and_unplugged",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.domain = domain_in(DomainState::paused);
         f.unplugged = {id<NetworkInterfaceId>(1)};
       });
     },
     {Kind::plug},
     GuestState::running},
    {"running_without_a_record",
     [] { return change(facts_of_running(), [](auto& f) { f.record = {}; }); },
     {Kind::record_start},
     GuestState::running},
    {"running_an_earlier_start",
     [] { return change(facts_of_running(), [](auto& f) { f.wanted.start_number = 2; }); },
     {Kind::shutdown},
     GuestState::stopping},
    {"ended_by_itself",
     [] { return change(facts_of_running(), [](auto& f) { f.domain = domain_in(DomainState::off); }); },
     {Kind::record_exit, Kind::unplug_all},
     GuestState::exited},
    {"ended_by_itself_and_recorded",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.domain = domain_in(DomainState::off);
         f.record.exited = f.taps_gone = true;
       });
     },
     {},
     GuestState::exited},
    {"vanished",
     [] { return change(facts_of_running(), [](auto& f) { f.domain.reset(); }); },
     {Kind::record_exit, Kind::unplug_all},
     GuestState::exited},
    {"off_after_a_loss_of_power",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.domain.reset();
         f.record.boot_id = "old";
       });
     },
     {Kind::launch},
     GuestState::waiting},
    {"exited_before_a_loss_of_power",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.domain.reset();
         f.record.boot_id = "old";
         f.record.exited = f.taps_gone = true;
       });
     },
     {},
     GuestState::exited},
    {"to_be_stopped",
     [] { return change(facts_of_running(), [](auto& f) { f.wanted.power = Power::stopped; }); },
     {Kind::shutdown},
     GuestState::stopping},
    {"asked_to_stop",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.wanted.power = Power::stopped;
         f.stop_asked = now;
       });
     },
     {},
     GuestState::stopping},
    {"asked_to_stop_long_ago",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.wanted.power = Power::stopped;
         f.stop_asked = now + seconds(-60);
       });
     },
     {Kind::destroy},
     GuestState::stopping},
    {"to_be_stopped_by_force",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.wanted.power = Power::stopped;
         f.wanted.shutdown_timeout_s = 0;
       });
     },
     {Kind::destroy},
     GuestState::stopping},
    {"stopped",
     [] {
       return change(facts_of_new(), [](auto& f) {
         f.wanted.power = Power::stopped;
         f.taps_gone = true;
       });
     },
     {},
     GuestState::stopped},
    {"removed_while_on",
     [] { return change(facts_of_running(), [](auto& f) { f.removed = true; }); },
     {Kind::shutdown},
     GuestState::stopping},
    {"removed_and_off",
     [] { return change(facts_of_new(), [](auto& f) { f.removed = true; }); },
     {Kind::unplug_all, Kind::forget},
     GuestState::stopped},
    {"unplugged",
     [] { return change(facts_of_running(), [](auto& f) { f.unplugged = {id<NetworkInterfaceId>(1)}; }); },
     {Kind::plug},
     GuestState::running},
    {"to_be_rebooted",
     [] { return change(facts_of_running(), [](auto& f) { f.wanted.reboot_number = 1; }); },
     {Kind::reboot},
     GuestState::running},
    {"deaf_to_the_reboot",
     [] {
       return change(facts_of_running(),
                     [](auto& f) { f.reboot = PendingReboot{.asked = now + seconds(-60), .resets = 0}; });
     },
     {Kind::reset},
     GuestState::running},
    {"reboot_cannot_be_seen",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.reboot = PendingReboot{.asked = now + seconds(-60), .resets = 0};
         f.domain->resets.reset();
       });
     },
     {},
     GuestState::running},
    {"disk_to_attach",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.wanted.disks.push_back({.volume = id<VolumeId>(2), .device = "/dev/sdf", .slot = 1, .root = false});
         f.ready_volumes.insert(id<VolumeId>(2));
       });
     },
     {Kind::attach_disk},
     GuestState::running},
    {"disk_to_attach_not_ready",
     [] {
       return change(facts_of_running(), [](auto& f) {
         f.wanted.disks.push_back({.volume = id<VolumeId>(2), .device = "/dev/sdf", .slot = 1, .root = false});
       });
     },
     {},
     GuestState::running},
    {"disk_to_detach",
     [] { return change(facts_of_running(), [](auto& f) { f.domain->disks.push_back(id<VolumeId>(2)); }); },
     {Kind::detach_disk},
     GuestState::running},
};

INSTANTIATE_TEST_SUITE_P(All, PlanInstance, ::testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(PlanInstanceTime, LooksAgainWhenThePatienceEnds) {
  auto facts = facts_of_running();
  facts.wanted.power = Power::stopped;
  facts.wanted.shutdown_timeout_s = 5;
  facts.stop_asked = now;
  EXPECT_EQ(plan_instance(facts).look_again, now + seconds(5));
}

template <class T>
std::shared_ptr<const Entry<T>> entry(T wanted, bool removed = false, bool made = false) {
  return std::make_shared<const Entry<T>>(
      Entry<T>{.wanted = std::move(wanted), .removed = removed, .made = made, .remnant = false});
}

TEST(PlanVolumes, CreatesRemovesAndKeepsWhatIsInUse) {
  WantedState wanted;
  wanted.volumes[id<VolumeId>(1)] = entry(wanted_volume(1));
  wanted.volumes[id<VolumeId>(2)] = entry(wanted_volume(2));
  wanted.volumes[id<VolumeId>(3)] = entry(wanted_volume(3), false, true);
  wanted.volumes[id<VolumeId>(4)] = entry(wanted_volume(4), true, true);
  wanted.volumes[id<VolumeId>(5)] = entry(wanted_volume(5), true, true);
  wanted.volumes[id<VolumeId>(6)] = entry(wanted_volume(6), true, true);
  wanted.volumes[id<VolumeId>(7)] = entry(wanted_volume(7), true, true);
  wanted.instances[id<InstanceId>(5)] = entry(wanted_instance(5));
  const ExistingVolumes existing = {
      {id<VolumeId>(2), 2}, {id<VolumeId>(4), 2}, {id<VolumeId>(5), 2}, {id<VolumeId>(6), 2}};
  const auto plan = plan_volumes(wanted, existing, OpenVolumes{{id<VolumeId>(6), id<InstanceId>(6)}});
  const std::vector<VolumeStep> steps = {{VolumeStepKind::create, id<VolumeId>(1)},
                                         {VolumeStepKind::mark_made, id<VolumeId>(2)},
                                         {VolumeStepKind::remove, id<VolumeId>(4)},
                                         {VolumeStepKind::forget, id<VolumeId>(7)}};
  EXPECT_EQ(plan.steps, steps);
  EXPECT_TRUE(plan.problems.contains(id<VolumeId>(3)));
  EXPECT_TRUE(plan.problems.contains(id<VolumeId>(5)));
  EXPECT_TRUE(plan.problems.contains(id<VolumeId>(6)));
}

TEST(PlanVolumes, RemovesNothingWhileUseIsUnknown) {
  WantedState wanted;
  wanted.volumes[id<VolumeId>(1)] = entry(wanted_volume(1), true, true);
  EXPECT_TRUE(plan_volumes(wanted, {{id<VolumeId>(1), 2}}, std::nullopt).steps.empty());
}

TEST(PlanVolumes, GrowsWhatIsTooSmallInItsFileOrInItsGuestAndShrinksNothing) {
  WantedState wanted;  // 2 GiB each
  for (unsigned number = 1; number <= 5; ++number)
    wanted.volumes[id<VolumeId>(number)] = entry(wanted_volume(number), false, true);
  const ExistingVolumes existing = {{id<VolumeId>(1), 1},
                                    {id<VolumeId>(2), 1},
                                    {id<VolumeId>(3), 2},
                                    {id<VolumeId>(4), 3},
                                    {id<VolumeId>(5), 0}};  // not known
  EXPECT_TRUE(open_volumes_matter(wanted, existing));
  const auto plan = plan_volumes(wanted, existing, OpenVolumes{{id<VolumeId>(2), id<InstanceId>(9)}});
  const std::vector<VolumeStep> steps = {{VolumeStepKind::resize, id<VolumeId>(1)},
                                         {VolumeStepKind::resize_open, id<VolumeId>(2), id<InstanceId>(9)}};
  EXPECT_EQ(plan.steps, steps);
  EXPECT_TRUE(plan.problems.empty());

  const auto blind = plan_volumes(wanted, existing, std::nullopt);
  EXPECT_TRUE(blind.steps.empty());
  EXPECT_TRUE(blind.problems.contains(id<VolumeId>(1)));
  EXPECT_FALSE(open_volumes_matter(wanted, {{id<VolumeId>(1), 2}}));
}

TEST(PlanVpcs, AppliesWhatIsNewRepairsWhatIsOldAndRemovesWhatIsFree) {
  WantedState wanted;
  for (unsigned number = 1; number <= 3; ++number) wanted.vpcs[id<VpcId>(number)] = entry(wanted_vpc(number, {}, 2));
  wanted.vpcs[id<VpcId>(4)] = entry(wanted_vpc(4, {}, 2), true);
  wanted.vpcs[id<VpcId>(5)] = entry(wanted_vpc(5, {}, 2), true);
  const std::map<VpcId, AppliedVpc> applied = {{id<VpcId>(1), {.generation = 1, .at = now}},
                                               {id<VpcId>(2), {.generation = 2, .at = now + seconds(-10)}},
                                               {id<VpcId>(3), {.generation = 2, .at = now + seconds(-60)}},
                                               {id<VpcId>(5), {.generation = 2, .at = now}}};
  const auto plan = plan_vpcs(wanted, applied, {id<VpcId>(5)}, now);
  const std::vector<VpcStep> steps = {
      {VpcStepKind::apply, id<VpcId>(1)}, {VpcStepKind::apply, id<VpcId>(3)}, {VpcStepKind::remove, id<VpcId>(4)}};
  EXPECT_EQ(plan.steps, steps);
  EXPECT_EQ(plan.look_again, now + seconds(50));
}

}  // namespace
}  // namespace virga::hostapi
