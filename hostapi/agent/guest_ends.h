#pragma once

#include <mutex>
#include <set>

#include "hostapi/agent/loop.h"
#include "hostapi/agent/parts.h"

namespace virga::hostapi {

/// Says at once that a guest has ended by itself. The compute reconciler finds that out too, but it may be launching or
/// stopping others just then, which takes seconds. Nothing is done here about the end, it is only reported.
class GuestEnds {
 public:
  explicit GuestEnds(const Shared& shared) : shared_(shared) {}

  /// A guest is said to be off. Any thread; returns at once.
  void add(const InstanceId& id);
  /// Looks at those and reports the ends. On a thread of its own.
  Pass pass();

 private:
  void report(const InstanceId& id);

  const Shared& shared_;
  std::mutex mutex_;
  std::set<InstanceId> said_;
};

}  // namespace virga::hostapi
