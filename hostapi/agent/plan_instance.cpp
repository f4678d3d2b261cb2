#include "hostapi/agent/plan_instance.h"

#include <algorithm>

namespace virga::hostapi {

using compute::DomainState;
using compute::ExitReason;
using compute::GuestState;
using Kind = InstanceStepKind;

namespace {

bool is_on(const InstanceFacts& facts) { return facts.domain && facts.domain->state != DomainState::off; }

void look_again_at(InstancePlan& plan, Time at) {
  if (!plan.look_again || at < *plan.look_again) plan.look_again = at;
}

/// The guest is on and must not be.
void plan_stop(const InstanceFacts& facts, InstancePlan& plan) {
  plan.state = GuestState::stopping;
  plan.start_number = facts.domain->start_number;
  const std::chrono::milliseconds timeout = std::chrono::seconds(facts.wanted.shutdown_timeout_s);
  if (facts.domain->state == DomainState::paused || timeout.count() <= 0) {
    plan.steps.push_back({.kind = Kind::destroy});
    return;
  }
  if (!facts.stop_asked) {
    plan.steps.push_back({.kind = Kind::shutdown});
    return;
  }
  const Time end = *facts.stop_asked + timeout;
  if (end <= facts.now) {
    plan.steps.push_back({.kind = Kind::destroy});
    return;
  }
  look_again_at(plan, end);
  const Time repeat = facts.stop_repeated.value_or(*facts.stop_asked) + power_button_repeat;
  if (repeat <= facts.now) {
    plan.steps.push_back({.kind = Kind::shutdown});
  } else {
    look_again_at(plan, repeat);
  }
}

void plan_reboot(const InstanceFacts& facts, InstancePlan& plan) {
  if (facts.wanted.reboot_number > facts.record.reboot_number) {
    plan.steps.push_back({.kind = Kind::reboot});
    return;
  }
  if (!facts.reboot || !facts.domain->resets || *facts.domain->resets != facts.reboot->resets) return;
  const Time end = facts.reboot->asked + PendingReboot::patience;
  if (end <= facts.now) {
    plan.steps.push_back({.kind = Kind::reset});
  } else {
    look_again_at(plan, end);
  }
}

void plan_disks(const InstanceFacts& facts, InstancePlan& plan) {
  const auto& attached = facts.domain->disks;
  for (const auto& disk : facts.wanted.disks) {
    const bool there = std::find(attached.begin(), attached.end(), disk.volume) != attached.end();
    if (!there && facts.ready_volumes.contains(disk.volume)) {
      plan.steps.push_back({.kind = Kind::attach_disk, .volume = disk.volume});
    }
  }
  for (const auto& volume : attached) {
    const bool wanted = std::any_of(facts.wanted.disks.begin(), facts.wanted.disks.end(),
                                    [&](const compute::WantedDisk& disk) { return disk.volume == volume; });
    if (!wanted && !facts.busy_volumes.contains(volume))
      plan.steps.push_back({.kind = Kind::detach_disk, .volume = volume});
  }
}

/// The guest is on, as wanted, in the start that is wanted.
void plan_on(const InstanceFacts& facts, InstancePlan& plan) {
  const bool carried_out =
      facts.record.start_number == facts.wanted.start_number && facts.record.boot_id == facts.boot_id;
  plan.start_number = facts.wanted.start_number;
  if (facts.domain->state == DomainState::paused && !carried_out) {
    plan.steps.push_back({.kind = Kind::continue_launch});
    return;
  }
  plan.state = GuestState::running;
  if (!carried_out || facts.record.exited) {
    plan.steps.push_back({.kind = Kind::record_start});
    return;
  }
  for (const auto& interface : facts.unplugged) plan.steps.push_back({.kind = Kind::plug, .interface = interface});
  if (facts.domain->state == DomainState::paused) {
    // Closed while an interface is missing: a guest that waited paused goes on only when all are plugged.
    if (facts.unplugged.empty()) plan.steps.push_back({.kind = Kind::resume});
    return;
  }
  plan_reboot(facts, plan);
  plan_disks(facts, plan);
}

/// The guest is off and wanted on.
void plan_start(const InstanceFacts& facts, InstancePlan& plan) {
  plan.start_number = facts.wanted.start_number;
  const bool started = facts.record.start_number == facts.wanted.start_number;
  const bool lost_power = started && !facts.record.exited && facts.record.boot_id != facts.boot_id;
  if (started && !lost_power) {
    plan.state = GuestState::exited;
    plan.exit_reason = facts.record.exit_reason;
    if (!facts.record.exited) {
      plan.exit_reason = exit_reason_of(facts.domain);
      plan.steps.push_back({.kind = Kind::record_exit, .reason = plan.exit_reason});
    }
    if (!facts.taps_gone) plan.steps.push_back({.kind = Kind::unplug_all});
    return;
  }
  if (facts.waiting_for.empty()) plan.steps.push_back({.kind = Kind::launch});
}

}  // namespace

std::string InstanceStep::key() const {
  switch (kind) {
    case Kind::record_start:
      return "record-start";
    case Kind::record_exit:
      return "record-exit";
    case Kind::launch:
    case Kind::continue_launch:
      return "launch";
    case Kind::plug:
      return "plug " + interface.str();
    case Kind::resume:
      return "resume";
    case Kind::shutdown:
      return "shutdown";
    case Kind::destroy:
      return "destroy";
    case Kind::unplug_all:
      return "unplug";
    case Kind::forget:
      return "forget";
    case Kind::reboot:
      return "reboot";
    case Kind::reset:
      return "reset";
    case Kind::attach_disk:
      return "attach " + volume.str();
    case Kind::detach_disk:
      return "detach " + volume.str();
  }
  return {};
}

bool InstanceStep::gates() const {
  return kind != Kind::attach_disk && kind != Kind::detach_disk && kind != Kind::plug && kind != Kind::reboot &&
         kind != Kind::reset && kind != Kind::record_exit;
}

ExitReason exit_reason_of(const std::optional<compute::Domain>& domain) {
  const auto seen = domain ? domain->exit_reason : ExitReason::none;
  return seen == ExitReason::none ? ExitReason::process_killed : seen;
}

InstancePlan plan_instance(const InstanceFacts& facts) {
  InstancePlan plan;
  plan.start_number = facts.wanted.start_number;
  if (facts.removed || facts.wanted.power == compute::Power::stopped) {
    if (is_on(facts)) {
      plan_stop(facts, plan);
      return plan;
    }
    plan.state = GuestState::stopped;
    if (!facts.taps_gone) plan.steps.push_back({.kind = Kind::unplug_all});
    if (facts.removed) plan.steps.push_back({.kind = Kind::forget});
    return plan;
  }
  if (!is_on(facts)) {
    plan_start(facts, plan);
  } else if (facts.domain->start_number == facts.wanted.start_number) {
    plan_on(facts, plan);
  } else {
    plan_stop(facts, plan);  // an earlier start that must end before the wanted one
  }
  return plan;
}

}  // namespace virga::hostapi
