#include "hostapi/agent/plan_vpcs.h"

#include <algorithm>

namespace virga::hostapi {

VpcPlan plan_vpcs(const WantedState& wanted, const std::map<VpcId, AppliedVpc>& applied, const std::set<VpcId>& in_use,
                  Time now) {
  VpcPlan plan{.steps = {}, .look_again = now + repair_interval};
  for (const auto& [id, entry] : wanted.vpcs) {
    // A removed VPC that guests still use stays as it is, and goes on being repaired.
    if (entry->removed && !in_use.contains(id)) {
      plan.steps.push_back({VpcStepKind::remove, id});
      continue;
    }
    const auto found = applied.find(id);
    const bool current = found != applied.end() && found->second.generation == entry->wanted.generation;
    if (!current || found->second.at + repair_interval <= now) {
      plan.steps.push_back({VpcStepKind::apply, id});
    } else {
      plan.look_again = std::min(plan.look_again, found->second.at + repair_interval);
    }
  }
  return plan;
}

std::set<VpcId> vpcs_of_instances(const WantedState& wanted) {
  std::set<VpcId> vpcs;
  for (const auto& [id, entry] : wanted.instances)
    for (const auto& nic : entry->wanted.nics) vpcs.insert(nic.vpc);
  return vpcs;
}

}  // namespace virga::hostapi
