#include "hostapi/agent/network_reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace virga::hostapi {
namespace {

std::string key_of(VpcStepKind kind) { return kind == VpcStepKind::apply ? "apply" : "remove"; }

bool any_vpc_damaged(const WantedState& wanted) {
  return std::any_of(wanted.damaged.begin(), wanted.damaged.end(),
                     [](const auto& entry) { return entry.first.starts_with(VpcId::prefix); });
}

}  // namespace

Pass NetworkReconciler::pass() {
  const auto wanted = shared_.documents.current();
  if (orphans_pending_) remove_orphans(*wanted);
  const Time now = shared_.ports.clock.now();
  const auto plan = plan_vpcs(*wanted, applied_, vpcs_of_instances(*wanted), now);
  bool progressed = false;
  for (const auto& step : plan.steps) {
    const auto& entry = *wanted->vpcs.at(step.vpc);
    auto& memory = memory_of(step.vpc, entry);
    if (!memory.backoff.ready(key_of(step.kind), now)) continue;
    const auto done = run(step, entry);
    if (done) {
      memory.backoff.succeeded(key_of(step.kind));
      progressed = true;
    } else {
      spdlog::warn("network: {} {}: {}", key_of(step.kind), step.vpc.str(), describe(done.error()));
      memory.backoff.failed(key_of(step.kind), now, describe(done.error()));
    }
  }
  report(*shared_.documents.current());
  Time next = plan.look_again;
  for (const auto& [id, memory] : memory_) next = memory.backoff.next(next);
  if (orphans_pending_ && wanted->confirmed) next = std::min(next, now + outage_interval);
  return {.progressed = progressed, .next = next};
}

void NetworkReconciler::remove_orphans(const WantedState& wanted) {
  // What belongs to a VPC whose document was lost or cannot be read must not look like nobody's.
  if (!wanted.confirmed || any_vpc_damaged(wanted)) return;
  std::vector<network::WantedVpc> known;
  for (const auto& [id, entry] : wanted.vpcs)
    if (!entry->remnant) known.push_back(entry->wanted);
  const auto removed = shared_.ports.network.remove_orphans(known);
  orphans_problem_ = removed ? std::string() : describe(removed.error());
  if (!removed) return;
  orphans_pending_ = false;
  for (const auto& name : *removed) spdlog::info("network: removed {}, which belongs to no VPC of this host", name);
}

NetworkReconciler::Memory& NetworkReconciler::memory_of(const VpcId& id, const Entry<network::WantedVpc>& entry) {
  auto& memory = memory_[id];
  if (memory.generation != entry.wanted.generation || memory.removed != entry.removed) {
    memory = Memory{.generation = entry.wanted.generation, .removed = entry.removed, .backoff = {}};
  }
  return memory;
}

Result<void> NetworkReconciler::run(const VpcStep& step, const Entry<network::WantedVpc>& entry) {
  switch (step.kind) {
    case VpcStepKind::apply:
      return apply(step.vpc);
    case VpcStepKind::remove:
      return remove(step.vpc, entry);
  }
  return {};
}

Result<void> NetworkReconciler::apply(const VpcId& id) {
  const auto lock = shared_.vpc_locks.lock(id);
  const auto newest = shared_.documents.current();
  const auto found = newest->vpcs.find(id);
  if (found == newest->vpcs.end() || found->second->remnant) return {};
  const auto& vpc = found->second->wanted;
  TRY_VOID(shared_.ports.network.apply(vpc));
  const auto before = applied_.find(id);
  const bool is_new = before == applied_.end() || before->second.generation != vpc.generation;
  applied_[id] = {.generation = vpc.generation, .at = shared_.ports.clock.now()};
  std::set<NetworkInterfaceId> interfaces;
  for (const auto& interface : vpc.interfaces)
    if (interface.local) interfaces.insert(interface.id);
  shared_.readiness.set_interfaces(id, std::move(interfaces));
  hooks_.applied(vpc);
  if (is_new) ready_();
  return {};
}

Result<void> NetworkReconciler::remove(const VpcId& id, const Entry<network::WantedVpc>& entry) {
  if (entry.remnant) {  // nothing is known but its id: what is left of it is an orphan now
    orphans_pending_ = true;
    return shared_.documents.forget(DocumentKind::vpc, id.str());
  }
  const auto lock = shared_.vpc_locks.lock(id);
  const auto newest = shared_.documents.current();
  if (vpcs_of_instances(*newest).contains(id)) return {};  // an instance came to need it meanwhile
  shared_.readiness.drop_vpc(id);
  applied_.erase(id);
  hooks_.removed(entry.wanted);
  TRY_VOID(unplug_dead(entry.wanted));
  TRY_VOID(shared_.ports.network.remove(entry.wanted));
  return shared_.documents.forget(DocumentKind::vpc, id.str());
}

Result<void> NetworkReconciler::unplug_dead(const network::WantedVpc& vpc) {
  const auto domains = TRY(shared_.ports.hypervisor.list());
  for (const auto& interface : vpc.interfaces) {
    if (!interface.local) continue;
    const bool on = std::any_of(domains.begin(), domains.end(), [&](const compute::Domain& domain) {
      return domain.id == interface.instance && domain.state != compute::DomainState::off;
    });
    if (!on) TRY_VOID(shared_.ports.network.unplug(vpc, interface.id));
  }
  return {};
}

void NetworkReconciler::report(const WantedState& wanted) {
  std::vector<network::ObservedVpc> observed;
  for (const auto& [id, entry] : wanted.vpcs) {
    const auto applied = applied_.find(id);
    observed.push_back({.id = id,
                        .generation = applied == applied_.end() ? 0 : applied->second.generation,
                        .problem = memory_of(id, *entry).backoff.any_problem()});
  }
  for (const auto& [id, why] : wanted.damaged) {
    if (const auto vpc = VpcId::parse(id))
      observed.push_back({.id = *vpc, .generation = 0, .problem = "its document is damaged"});
  }
  shared_.observed.set_vpcs(std::move(observed));
  auto problems = shared_.ports.network.problems();
  if (!orphans_problem_.empty()) problems.push_back("network: removing orphans: " + orphans_problem_);
  shared_.observed.set_problems("network", std::move(problems));
  std::erase_if(memory_, [&](const auto& entry) { return !wanted.vpcs.contains(entry.first); });
}

}  // namespace virga::hostapi
