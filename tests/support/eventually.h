#pragma once

// Waiting for a condition that other processes bring about: looks every 20 ms, gives up at the deadline.

#include <chrono>
#include <functional>
#include <thread>

namespace virga::test {

/// Whether the condition became true in time.
inline bool eventually(std::chrono::milliseconds deadline, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace virga::test
