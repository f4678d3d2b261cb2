#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "core/config.h"
#include "hostapi/agent/backoff.h"
#include "hostapi/agent/guest_records.h"
#include "hostapi/agent/instance_steps.h"
#include "hostapi/agent/loop.h"
#include "hostapi/agent/parts.h"
#include "hostapi/agent/plan_instance.h"

namespace virga::hostapi {

/// Makes the guests on this host those that are wanted. Not thread-safe. While the hypervisor does not answer, nothing
/// is known and nothing is done.
class ComputeReconciler {
 public:
  ComputeReconciler(const Shared& shared, GuestRecords& records, const Config& config, std::string boot_id)
      : shared_(shared), records_(records), config_(config), boot_id_(boot_id), steps_(shared, records, boot_id) {}
  /// Called when an instance has been forgotten: its volumes and VPC may be waiting for that.
  void on_forgotten(std::function<void()> forgotten) { forgotten_ = std::move(forgotten); }
  Pass pass();

 private:
  /// What this process remembers of an instance between passes.
  struct Memory {
    std::uint64_t generation = 0;
    bool removed = false;
    Backoff backoff;
    std::map<std::string, Time> done;  ///< steps that worked lately, by key
    bool taps_gone = false;
    std::optional<Time> stop_asked;
    std::optional<Time> stop_repeated;
    std::optional<PendingReboot> reboot;
    std::optional<Time> plugs_checked;
    std::vector<NetworkInterfaceId> unplugged;
  };
  /// Launches are slow: one a pass, so that what other guests do meanwhile is seen between them.
  bool launched_in_pass_ = false;
  using Domains = std::map<InstanceId, compute::Domain>;

  void report_capacity(Time now);
  InstanceFacts gather(const Entry<compute::WantedInstance>& entry, const Domains& domains, Memory& memory, Time now);
  void check_plugs(const InstanceFacts& facts, Memory& memory) const;
  std::string waiting_for(const compute::WantedInstance& wanted) const;
  /// Whether any step was taken.
  bool run_steps(const InstancePlan& plan, const InstanceFacts& facts, Memory& memory);
  void note_success(const InstanceStep& step, const InstanceFacts& facts, Memory& memory);
  compute::ObservedInstance observe(const InstancePlan& plan, const InstanceFacts& facts, const Memory& memory) const;
  bool handle(const Entry<compute::WantedInstance>& entry, const Domains& domains,
              std::vector<compute::ObservedInstance>& observed, Time& next);
  bool remove_orphans(const WantedState& wanted, const Domains& domains);
  void observe_damaged(const WantedState& wanted, const Domains& domains,
                       std::vector<compute::ObservedInstance>& observed) const;

  Shared shared_;
  GuestRecords& records_;
  const Config& config_;
  const std::string boot_id_;
  InstanceSteps steps_;
  std::function<void()> forgotten_ = [] {};
  std::map<InstanceId, Memory> memory_;
  std::map<InstanceId, Backoff> orphans_;
  std::optional<Time> capacity_read_;
  std::vector<std::string> capacity_problems_;
  std::vector<std::string> orphan_problems_;
};

}  // namespace virga::hostapi
