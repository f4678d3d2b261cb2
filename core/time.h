#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga {

/// A point in time, milliseconds since the Unix epoch, UTC: the resolution of EC2's timestamps.
struct Time {
  std::int64_t ms = 0;
  auto operator<=>(const Time&) const = default;
};
inline Time operator+(Time time, std::chrono::milliseconds d) { return {time.ms + d.count()}; }
inline std::chrono::milliseconds operator-(Time a, Time b) { return std::chrono::milliseconds(a.ms - b.ms); }

/// `2026-11-22T07:52:15.000Z`, the form of EC2's answers.
std::string to_iso8601(Time time);
/// Accepts `2030-01-02T03:04:05Z`, with or without fractions of a second or a numeric zone offset.
Result<Time> parse_iso8601(std::string_view text);

/// Port: where the time comes from, so that tests decide it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
};

/// A clock that stands still until told to move. Thread-safe to read; advance from one thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start = {1'800'000'000'000}) : now_ms_(start.ms) {}
  Time now() const override { return {now_ms_}; }
  void advance(std::chrono::milliseconds d) { now_ms_ += d.count(); }
  void set(Time time) { now_ms_ = time.ms; }

 private:
  std::int64_t now_ms_;
};

}  // namespace virga
