#include "hostapi/agent/compute_reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace virga::hostapi {

using compute::DomainState;
using compute::GuestState;
using std::chrono::milliseconds;
using Kind = InstanceStepKind;

namespace {

/// A step that worked and is planned again is repeated only after this long: its effect may take time to show.
constexpr milliseconds repeat_interval{5'000};

/// The volumes that the step makes a guest open.
std::vector<VolumeId> volumes_opened_by(const InstanceStep& step, const compute::WantedInstance& wanted) {
  if (step.kind == Kind::attach_disk) return {step.volume};
  std::vector<VolumeId> volumes;
  if (step.kind == Kind::launch)
    for (const auto& disk : wanted.disks) volumes.push_back(disk.volume);
  return volumes;
}

bool is_on(const std::optional<compute::Domain>& domain) { return domain && domain->state != DomainState::off; }

}  // namespace

Pass ComputeReconciler::pass() {
  const Time now = shared_.ports.clock.now();
  launched_in_pass_ = false;
  report_capacity(now);
  const auto listed = shared_.ports.hypervisor.list();
  if (!listed) {
    spdlog::warn("compute: {}", describe(listed.error()));
    shared_.observed.set_problems("compute", {"hypervisor: " + describe(listed.error())});
    return {.progressed = false, .next = now + outage_interval};
  }
  Domains domains;
  for (const auto& domain : *listed) domains.emplace(domain.id, domain);

  const auto wanted = shared_.documents.current();
  bool progressed = false;
  Time next = now + look_interval;
  std::vector<compute::ObservedInstance> observed;
  for (const auto& [id, entry] : wanted->instances) progressed = handle(*entry, domains, observed, next) || progressed;
  observe_damaged(*wanted, domains, observed);
  progressed = remove_orphans(*wanted, domains) || progressed;

  shared_.observed.set_instances(std::move(observed));
  auto problems = capacity_problems_;
  problems.insert(problems.end(), orphan_problems_.begin(), orphan_problems_.end());
  for (const auto& [id, why] : records_.damaged())
    problems.push_back("the host's record of " + id + " is damaged: " + why);
  shared_.observed.set_problems("compute", std::move(problems));
  std::erase_if(memory_, [&](const auto& entry) { return !wanted->instances.contains(entry.first); });
  return {.progressed = progressed, .next = next};
}

void ComputeReconciler::report_capacity(Time now) {
  if (capacity_read_ && now - *capacity_read_ < look_interval) return;
  const auto info = shared_.ports.hypervisor.info();
  if (!info) {
    capacity_problems_ = {"hypervisor: " + describe(info.error())};
    return;
  }
  capacity_read_ = now;
  capacity_problems_ = info->problems;
  const auto memory = std::max<std::int64_t>(0, info->memory_mib - config_.reserved_memory_mib);
  shared_.observed.set_compute_capacity(
      info->accelerator, static_cast<std::int64_t>(info->cpus * config_.vcpu_overcommit),
      static_cast<std::int64_t>(static_cast<double>(memory) * config_.memory_overcommit));
}

std::string ComputeReconciler::waiting_for(const compute::WantedInstance& wanted) const {
  for (const auto& disk : wanted.disks)
    if (!shared_.readiness.has_volume(disk.volume)) return "Waiting for volume " + disk.volume.str() + ".";
  for (const auto& nic : wanted.nics)
    if (!shared_.readiness.has_interface(nic.vpc, nic.interface))
      return "Waiting for the network of " + nic.interface.str() + ".";
  return {};
}

InstanceFacts ComputeReconciler::gather(const Entry<compute::WantedInstance>& entry, const Domains& domains,
                                        Memory& memory, Time now) {
  const auto& wanted = entry.wanted;
  if (memory.generation != wanted.generation || memory.removed != entry.removed) {
    memory.generation = wanted.generation;
    memory.removed = entry.removed;
    memory.backoff.clear();
    memory.done.clear();
  }
  InstanceFacts facts;
  facts.wanted = wanted;
  facts.removed = entry.removed;
  if (const auto found = domains.find(wanted.id); found != domains.end()) facts.domain = found->second;
  facts.record = records_.find(wanted.id);
  facts.boot_id = boot_id_;
  facts.waiting_for = waiting_for(wanted);
  for (const auto& disk : wanted.disks)
    if (shared_.readiness.has_volume(disk.volume)) facts.ready_volumes.insert(disk.volume);
  facts.busy_volumes = shared_.readiness.busy_volumes();
  facts.now = now;

  const bool on = is_on(facts.domain);
  const bool wanted_on = !entry.removed && wanted.power == compute::Power::running;
  if (!on || (wanted_on && facts.domain->start_number == wanted.start_number)) {
    memory.stop_asked.reset();
    memory.stop_repeated.reset();
  }
  if (!on || (memory.reboot && facts.domain->resets != memory.reboot->resets)) memory.reboot.reset();
  if (on) {
    memory.taps_gone = false;
    if (wanted_on) check_plugs(facts, memory);
  } else {
    memory.plugs_checked.reset();
    memory.unplugged.clear();
  }
  facts.unplugged = memory.unplugged;
  facts.taps_gone = memory.taps_gone;
  facts.stop_asked = memory.stop_asked;
  facts.stop_repeated = memory.stop_repeated;
  facts.reboot = memory.reboot;
  return facts;
}

void ComputeReconciler::check_plugs(const InstanceFacts& facts, Memory& memory) const {
  // Looking costs the network adapter a walk through the kernel: seldom, unless something was amiss.
  if (memory.plugs_checked && memory.unplugged.empty() && facts.now - *memory.plugs_checked < look_interval) return;
  memory.plugs_checked = facts.now;
  memory.unplugged.clear();
  const auto documents = shared_.documents.current();
  for (const auto& nic : facts.wanted.nics) {
    const auto vpc = documents->vpcs.find(nic.vpc);
    // Without an applied VPC there is nothing to plug into; while its document is damaged nothing of it is touched.
    if (vpc == documents->vpcs.end() || !shared_.readiness.has_interface(nic.vpc, nic.interface)) continue;
    if (!shared_.ports.network.is_plugged(vpc->second->wanted, nic.interface))
      memory.unplugged.push_back(nic.interface);
  }
}

bool ComputeReconciler::run_steps(const InstancePlan& plan, const InstanceFacts& facts, Memory& memory) {
  const auto is_planned = [&](const std::string& key) {
    return std::any_of(plan.steps.begin(), plan.steps.end(),
                       [&](const InstanceStep& step) { return step.key() == key; });
  };
  memory.backoff.keep_only(is_planned);
  std::erase_if(memory.done, [&](const auto& done) { return !is_planned(done.first); });
  bool progressed = false;
  for (const auto& step : plan.steps) {
    const auto key = step.key();
    const auto done_at = memory.done.find(key);
    const bool waits = !memory.backoff.ready(key, facts.now) ||
                       (done_at != memory.done.end() && facts.now - done_at->second < repeat_interval);
    if (waits) {
      if (step.gates()) break;
      continue;
    }
    if (step.kind == Kind::launch) {
      if (launched_in_pass_) {
        progressed = true;  // the next pass follows at once
        break;
      }
      launched_in_pass_ = true;
    }
    if (step.kind == Kind::shutdown) {  // whether it works or not, the time the guest is given begins
      if (!memory.stop_asked) memory.stop_asked = facts.now;
      memory.stop_repeated = facts.now;
    }
    const Readiness::Opening opening(shared_.readiness, volumes_opened_by(step, facts.wanted));
    if (!opening.allowed()) {  // one is being copied since we looked; its end wakes us
      if (step.gates()) break;
      continue;
    }
    const auto done = steps_.run(step, facts);
    if (!done) {
      spdlog::warn("compute: {} {}: {}", key, facts.wanted.id.str(), describe(done.error()));
      memory.backoff.failed(key, facts.now, done.error().message);
      if (step.gates()) break;
      continue;
    }
    spdlog::info("compute: {} {}", key, facts.wanted.id.str());
    memory.backoff.succeeded(key);
    memory.done[key] = facts.now;
    note_success(step, facts, memory);
    progressed = true;
  }
  return progressed;
}

void ComputeReconciler::note_success(const InstanceStep& step, const InstanceFacts& facts, Memory& memory) {
  if (step.kind == Kind::unplug_all) memory.taps_gone = true;
  if (step.kind == Kind::plug) memory.plugs_checked.reset();
  if (step.kind == Kind::launch || step.kind == Kind::continue_launch) memory.taps_gone = false;
  if (step.kind == Kind::reboot && facts.domain->resets) {
    memory.reboot = PendingReboot{.asked = facts.now, .resets = *facts.domain->resets};
  }
  if (step.kind == Kind::reset) memory.reboot.reset();
  if (step.kind == Kind::forget) forgotten_();
}

compute::ObservedInstance ComputeReconciler::observe(const InstancePlan& plan, const InstanceFacts& facts,
                                                     const Memory& memory) const {
  const auto& wanted = facts.wanted;
  compute::ObservedInstance observed;
  observed.id = wanted.id;
  observed.generation = wanted.generation;
  observed.start_number = plan.start_number;
  observed.state = plan.state;
  observed.exit_reason = plan.exit_reason;
  const auto launch_problem = memory.backoff.problem_of("launch");
  if (plan.state == GuestState::waiting && !launch_problem.empty()) observed.state = GuestState::failed;
  const auto attached = is_on(facts.domain) ? facts.domain->disks : std::vector<VolumeId>();
  const auto has = [&](const VolumeId& id) {
    return std::find(attached.begin(), attached.end(), id) != attached.end();
  };
  for (const auto& disk : wanted.disks) {
    observed.disks.push_back({.volume = disk.volume,
                              .attached = has(disk.volume),
                              .problem = memory.backoff.problem_of("attach " + disk.volume.str())});
  }
  for (const auto& volume : attached) {
    const bool named =
        std::any_of(wanted.disks.begin(), wanted.disks.end(), [&](const auto& disk) { return disk.volume == volume; });
    if (!named) {
      observed.disks.push_back(
          {.volume = volume, .attached = true, .problem = memory.backoff.problem_of("detach " + volume.str())});
    }
  }
  for (const auto& step : plan.steps) {
    const bool of_a_disk = step.kind == Kind::attach_disk || step.kind == Kind::detach_disk;
    if (observed.problem.empty() && !of_a_disk) observed.problem = memory.backoff.problem_of(step.key());
  }
  if (observed.state == GuestState::waiting && observed.problem.empty()) observed.problem = facts.waiting_for;
  return observed;
}

bool ComputeReconciler::handle(const Entry<compute::WantedInstance>& entry, const Domains& domains,
                               std::vector<compute::ObservedInstance>& observed, Time& next) {
  const Time now = shared_.ports.clock.now();
  auto& memory = memory_[entry.wanted.id];
  const auto facts = gather(entry, domains, memory, now);
  const auto plan = plan_instance(facts);
  const bool progressed = run_steps(plan, facts, memory);
  auto seen = observe(plan, facts, memory);
  if (progressed) {  // others may take long: what just came about is not to wait for them
    const bool launched = memory.done.contains("launch");
    if (launched) {
      seen.state = GuestState::running;
      seen.problem.clear();
      for (auto& disk : seen.disks) disk.attached = true;
    }
    shared_.observed.set_instance(seen);
  }
  observed.push_back(std::move(seen));
  if (plan.look_again) next = std::min(next, *plan.look_again);
  next = memory.backoff.next(next);
  for (const auto& [key, at] : memory.done) next = std::min(next, at + repeat_interval);
  return progressed;
}

bool ComputeReconciler::remove_orphans(const WantedState& wanted, const Domains& domains) {
  bool progressed = false;
  orphan_problems_.clear();
  for (const auto& [id, domain] : domains) {
    if (wanted.instances.contains(id) || wanted.is_damaged(id.str())) continue;
    if (!wanted.confirmed) {
      orphan_problems_.push_back("guest " + id.str() +
                                 " has no document; left alone until the control role has said what it wants");
      continue;
    }
    const Time now = shared_.ports.clock.now();
    auto& backoff = orphans_[id];
    if (!backoff.ready("remove", now)) continue;
    spdlog::warn("compute: guest {} belongs to no instance of this host: removing it", id.str());
    auto done = shared_.ports.hypervisor.destroy(id);
    if (done) done = steps_.unplug_all(id, {});
    if (done) done = shared_.ports.hypervisor.undefine(id);
    if (done) done = records_.forget(id);
    if (done) {
      progressed = true;
      continue;
    }
    orphan_problems_.push_back("guest " + id.str() + " belongs to no instance: " + describe(done.error()));
    backoff.failed("remove", now, done.error().message);
  }
  std::erase_if(orphans_, [&](const auto& entry) { return !domains.contains(entry.first); });
  return progressed;
}

void ComputeReconciler::observe_damaged(const WantedState& wanted, const Domains& domains,
                                        std::vector<compute::ObservedInstance>& observed) const {
  for (const auto& [text, why] : wanted.damaged) {
    const auto id = InstanceId::parse(text);
    if (!id) continue;
    compute::ObservedInstance instance;
    instance.id = *id;
    instance.problem = "The wanted document is damaged.";
    if (const auto found = domains.find(*id); found != domains.end()) {
      instance.start_number = found->second.start_number;
      if (found->second.state == DomainState::running) instance.state = GuestState::running;
    }
    observed.push_back(std::move(instance));
  }
}

}  // namespace virga::hostapi
