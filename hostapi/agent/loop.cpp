#include "hostapi/agent/loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace virga::hostapi {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds longest_sleep{30'000};
constexpr milliseconds shortest_sleep{10};
constexpr milliseconds after_exception{1000};
}  // namespace

Loop::Loop(std::string name, const Clock& clock, std::function<Pass()> pass)
    : name_(std::move(name)), clock_(clock), pass_(std::move(pass)) {}

void Loop::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Loop::wake() {
  {
    const std::lock_guard lock(mutex_);
    wake_ = true;
  }
  woken_.notify_all();
}

void Loop::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

Pass Loop::guarded_pass() {
  try {
    return pass_();
  } catch (const std::exception& exception) {
    spdlog::error("{}: {}", name_, exception.what());
    return {.progressed = false, .next = clock_.now() + after_exception};
  }
}

void Loop::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Pass pass = guarded_pass();
    if (pass.progressed) continue;
    const auto sleep = std::clamp(pass.next - clock_.now(), shortest_sleep, longest_sleep);
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, stop, sleep, [this] { return wake_; });
    wake_ = false;
  }
}

}  // namespace virga::hostapi
