#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "hostapi/agent/loop.h"
#include "storage/host/volume_backend.h"

namespace virga::hostapi {

/// Copies for snapshots, each of which takes seconds to hours. Thread-safe: as many at once as threads call pass().
class SnapshotCopies {
 public:
  struct Task {
    storage::WantedSnapshot snapshot;
    std::optional<storage::WantedVolume> volume;  ///< whose file is copied; nothing: what its hypervisor has made
  };

  SnapshotCopies(storage::VolumeBackend& volumes, const Clock& clock) : volumes_(volumes), clock_(clock) {}

  void enqueue(Task task);
  /// Takes it out of the queue; false when it is under way, or over.
  bool withdraw(const SnapshotId& id);
  /// Carries out the first that waits.
  Pass pass();
  /// Those that have ended since the last call, and how.
  std::map<SnapshotId, Result<void>> take_ended();
  /// Called when one has ended, either way.
  void on_done(std::function<void()> done) { done_ = std::move(done); }

 private:
  storage::VolumeBackend& volumes_;
  const Clock& clock_;
  std::function<void()> done_ = [] {};
  std::mutex mutex_;
  std::deque<Task> waiting_;
  std::map<SnapshotId, Result<void>> ended_;
};

}  // namespace virga::hostapi
