#pragma once

#include <algorithm>
#include <chrono>

namespace virga::network {

/// When a process that ends again and again may be started again. One that has run for a while is started at once; the
/// pauses double from `first` to `longest` when starts follow each other closely.
class RestartPace {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds first{250};
  static constexpr std::chrono::milliseconds longest{30'000};
  /// A process that lived this long beyond its pause has proved itself.
  static constexpr std::chrono::milliseconds steady{10'000};

  /// How long to wait before the next start; zero: not at all.
  std::chrono::milliseconds wait(Clock::time_point now) const {
    if (pause_.count() == 0) return std::chrono::milliseconds(0);
    return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(last_ + pause_ - now));
  }
  /// A start is tried now.
  void starting(Clock::time_point now) {
    const bool proved = pause_.count() == 0 || now - last_ >= pause_ + steady;
    pause_ = proved ? first : std::min(pause_ * 2, longest);
    last_ = now;
  }

 private:
  Clock::time_point last_;
  std::chrono::milliseconds pause_{0};
};

}  // namespace virga::network
