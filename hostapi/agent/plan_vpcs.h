#pragma once

// What to do about VPCs: pure.

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/time.h"
#include "hostapi/agent/documents.h"

namespace virga::hostapi {

/// A VPC as it was last applied by this process.
struct AppliedVpc {
  std::uint64_t generation = 0;
  Time at;
};

enum class VpcStepKind { apply, remove };

struct VpcStep {
  VpcStepKind kind = VpcStepKind::apply;
  VpcId vpc;
  auto operator<=>(const VpcStep&) const = default;
};

struct VpcPlan {
  std::vector<VpcStep> steps;
  Time look_again;  ///< when the next repair is due
};

/// An applied VPC is applied again after this long, which repairs what somebody changed behind the host's back.
constexpr std::chrono::milliseconds repair_interval{60'000};

/// `in_use`: VPCs in which a guest has, or is about to have, an interface: their removal waits.
VpcPlan plan_vpcs(const WantedState& wanted, const std::map<VpcId, AppliedVpc>& applied, const std::set<VpcId>& in_use,
                  Time now);

/// VPCs that instances of this host name.
std::set<VpcId> vpcs_of_instances(const WantedState& wanted);

}  // namespace virga::hostapi
