#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/time.h"

namespace virga::hostapi {

/// What one look at everything came to.
struct Pass {
  bool progressed = false;  ///< something was changed: look again at once
  Time next;                ///< when to look again though nobody asks
};

/// A reconciler's thread: runs `pass` when woken, when due, and again while it makes progress. An exception of a pass
/// is logged and the pass is tried again a little later.
class Loop {
 public:
  Loop(std::string name, const Clock& clock, std::function<Pass()> pass);
  ~Loop() { stop(); }
  void start();
  void wake();
  /// Returns when the pass under way has ended.
  void stop();

 private:
  void run(const std::stop_token& stop);
  Pass guarded_pass();

  const std::string name_;
  const Clock& clock_;
  const std::function<Pass()> pass_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  bool wake_ = false;
  std::jthread thread_;
};

}  // namespace virga::hostapi
