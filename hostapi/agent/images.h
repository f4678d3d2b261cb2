#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "hostapi/agent/loop.h"
#include "storage/host/volume_backend.h"

namespace virga::hostapi {

/// Images to be taken in, one after the other, since each takes seconds to minutes. Thread-safe.
class ImageImports {
 public:
  static constexpr std::size_t max_waiting = 16;

  ImageImports(storage::VolumeBackend& volumes, const Clock& clock) : volumes_(volumes), clock_(clock) {}

  /// Queues it. Errors: InvalidParameterValue (not an absolute path), RequestLimitExceeded (queue full).
  Result<void> enqueue(const ImageId& id, const std::string& path);
  /// Takes in the first that waits.
  Pass pass();
  /// What to report: the backend's images, and those that wait or failed. The failure of an import is kept until it is
  /// asked for again or the role ends.
  std::vector<storage::ObservedImage> merged_with(std::vector<storage::ObservedImage> images) const;
  void forget(const ImageId& id);
  /// Called when an import has ended, either way.
  void on_done(std::function<void()> done) { done_ = std::move(done); }

 private:
  struct Import {
    ImageId id;
    std::string path;
  };
  storage::VolumeBackend& volumes_;
  const Clock& clock_;
  std::function<void()> done_ = [] {};
  mutable std::mutex mutex_;
  std::deque<Import> waiting_;
  std::map<ImageId, std::string> problems_;
};

}  // namespace virga::hostapi
