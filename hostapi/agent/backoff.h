#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

#include "core/error.h"
#include "core/time.h"

namespace virga::hostapi {

/// Failures of one object's steps: when each may be tried again, and why it failed.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds first{500};
  static constexpr std::chrono::milliseconds cap{60'000};

  bool ready(const std::string& step, Time now) const {
    const auto found = failures_.find(step);
    return found == failures_.end() || found->second.next <= now;
  }
  void failed(const std::string& step, Time now, std::string problem) {
    auto& failure = failures_[step];
    failure.delay = failure.delay.count() == 0 ? first : std::min(failure.delay * 2, cap);
    failure.next = now + failure.delay;
    failure.problem = std::move(problem);
  }
  void succeeded(const std::string& step) { failures_.erase(step); }
  void clear() { failures_.clear(); }
  /// Drops what is remembered of steps that are no longer planned.
  template <class IsPlanned>
  void keep_only(IsPlanned is_planned) {
    std::erase_if(failures_, [&](const auto& entry) { return !is_planned(entry.first); });
  }

  /// Why that step is waiting; empty: it has not failed.
  std::string problem_of(const std::string& step) const {
    const auto found = failures_.find(step);
    return found == failures_.end() ? std::string() : found->second.problem;
  }
  std::string any_problem() const { return failures_.empty() ? std::string() : failures_.begin()->second.problem; }
  /// The earliest moment at which something may be tried again; `otherwise` when nothing failed.
  Time next(Time otherwise) const {
    for (const auto& [step, failure] : failures_) otherwise = std::min(otherwise, failure.next);
    return otherwise;
  }

 private:
  struct Failure {
    std::chrono::milliseconds delay{0};
    Time next;
    std::string problem;
  };
  std::map<std::string, Failure> failures_;
};

}  // namespace virga::hostapi
