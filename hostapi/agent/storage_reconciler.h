#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "hostapi/agent/backoff.h"
#include "hostapi/agent/images.h"
#include "hostapi/agent/loop.h"
#include "hostapi/agent/parts.h"
#include "hostapi/agent/plan_volumes.h"

namespace virga::hostapi {

/// Makes the volumes on this host those that are wanted. Not thread-safe.
class StorageReconciler {
 public:
  StorageReconciler(const Shared& shared, ImageImports& imports) : shared_(shared), imports_(imports) {}
  /// Called when volumes have become ready.
  void on_ready(std::function<void()> ready) { ready_ = std::move(ready); }
  Pass pass();

 private:
  struct Memory {
    std::uint64_t generation = 0;
    bool removed = false;
    Backoff backoff;
    std::optional<Time> resized = {};  ///< when it last worked
  };
  void remove_leftovers();
  /// Nothing when it is not known, or does not matter.
  std::optional<OpenVolumes> open_volumes(const WantedState& wanted, const ExistingVolumes& existing);
  Result<void> run(const VolumeStep& step, const WantedState& wanted);
  /// Whether any step was taken.
  bool run_all(const VolumePlan& plan, const WantedState& wanted);
  void report(const WantedState& wanted, const std::vector<storage::ObservedVolume>& existing, const VolumePlan& plan);
  void report_capacity(const std::vector<storage::ObservedVolume>& existing);
  /// Volumes whose file is about to be changed: no guest should open them meanwhile. One that cannot be changed at
  /// present does not keep its guest waiting.
  bool is_about_to_change(const VolumeId& id, const Entry<storage::WantedVolume>& entry, const VolumePlan& plan);
  Memory& memory_of(const VolumeId& id, const Entry<storage::WantedVolume>& entry);

  Shared shared_;
  ImageImports& imports_;
  std::function<void()> ready_ = [] {};
  std::map<VolumeId, Memory> memory_;
  std::set<std::string> bases_;  ///< what volumes may be overlays on
  bool cleaned_ = false;
};

}  // namespace virga::hostapi
