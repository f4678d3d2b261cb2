#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hostapi/agent/backoff.h"
#include "hostapi/agent/loop.h"
#include "hostapi/agent/parts.h"
#include "hostapi/agent/plan_snapshots.h"
#include "hostapi/agent/snapshot_copies.h"

namespace virga::hostapi {

/// Makes the snapshots on this host those that are wanted. Not thread-safe. What is under way is known to this process
/// alone: after its end all of it begins again, and what it left half done is never taken for a snapshot.
class SnapshotReconciler {
 public:
  SnapshotReconciler(const Shared& shared, SnapshotCopies& copies) : shared_(shared), copies_(copies) {}
  /// Called when there is something for the copies to do.
  void on_queued(std::function<void()> queued) { queued_ = std::move(queued); }
  /// Called when a volume is no longer busy: guests, its growth and its removal may have waited for that.
  void on_released(std::function<void()> released) { released_ = std::move(released); }
  Pass pass();

 private:
  struct Memory {
    std::uint64_t generation = 0;
    bool removed = false;
    Backoff backoff;
  };
  using Seen = std::map<SnapshotId, storage::ObservedSnapshot>;

  /// Whether a copy in the background has ended since the last pass.
  bool take_ended(Time now);
  /// Ends what hypervisors may be copying unknown to us: for a process before this one, or begun after its deadline.
  void cancel_strays();
  /// Nothing when the volumes or the snapshots cannot be listed.
  std::optional<SnapshotFacts> gather(const WantedState& wanted, const Seen& seen);
  std::optional<OpenVolumes> open_volumes();
  bool run_all(const SnapshotPlan& plan, const WantedState& wanted);
  /// Whether anything was done.
  Result<bool> run(const SnapshotStep& step, const WantedState& wanted);
  Result<bool> copy(const storage::WantedSnapshot& snapshot, const storage::WantedVolume& volume);
  Result<bool> back_up(const SnapshotStep& step, const storage::WantedSnapshot& snapshot,
                       const storage::WantedVolume& volume);
  Result<bool> cancel(const SnapshotId& id);
  /// What was begun is over; its volume is free again.
  void end_work(const SnapshotId& id);
  void report(const WantedState& wanted, const Seen& seen, const SnapshotPlan& plan);
  void show_progress(storage::ObservedSnapshot& snapshot, const Seen& seen) const;
  Memory& memory_of(const SnapshotId& id, const Entry<storage::WantedSnapshot>& entry);

  Shared shared_;
  SnapshotCopies& copies_;
  std::function<void()> queued_ = [] {};
  std::function<void()> released_ = [] {};
  std::optional<std::set<InstanceId>> strays_;  ///< guests to look at for that; nothing: not known yet
  std::map<SnapshotId, SnapshotWork> work_;
  std::map<SnapshotId, Memory> memory_;
};

}  // namespace virga::hostapi
