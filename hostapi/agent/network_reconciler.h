#pragma once

#include <functional>
#include <map>
#include <set>

#include "hostapi/agent/backoff.h"
#include "hostapi/agent/loop.h"
#include "hostapi/agent/parts.h"
#include "hostapi/agent/plan_vpcs.h"

namespace virga::hostapi {

/// Makes the VPCs on this host those that are wanted. Not thread-safe.
class NetworkReconciler {
 public:
  NetworkReconciler(const Shared& shared, VpcHooks hooks) : shared_(shared), hooks_(std::move(hooks)) {}
  /// Called when a VPC has been applied.
  void on_ready(std::function<void()> ready) { ready_ = std::move(ready); }
  Pass pass();

 private:
  struct Memory {
    std::uint64_t generation = 0;
    bool removed = false;
    Backoff backoff;
  };
  void remove_orphans(const WantedState& wanted);
  Result<void> run(const VpcStep& step, const Entry<network::WantedVpc>& entry);
  Result<void> apply(const VpcId& id);
  Result<void> remove(const VpcId& id, const Entry<network::WantedVpc>& entry);
  /// Deletes the taps of interfaces whose guest is not on.
  Result<void> unplug_dead(const network::WantedVpc& vpc);
  void report(const WantedState& wanted);
  Memory& memory_of(const VpcId& id, const Entry<network::WantedVpc>& entry);

  Shared shared_;
  VpcHooks hooks_;
  std::function<void()> ready_ = [] {};
  std::map<VpcId, Memory> memory_;
  std::map<VpcId, AppliedVpc> applied_;
  bool orphans_pending_ = true;
  std::string orphans_problem_;
};

}  // namespace virga::hostapi
