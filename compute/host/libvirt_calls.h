#pragma once

// Runs blocking calls with a deadline. libvirt's functions wait for an answer for as long as it takes; a hung libvirtd
// must cost a caller its deadline and no more.
//
// A call that misses its deadline is abandoned: its caller gets `unavailable`, its thread is replaced and ends when
// libvirt lets go of it. At most `max_abandoned` threads may hang so; beyond that calls fail at once.
// What a call captures must own what it uses, since it may outlive its caller. Thread-safe.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga::compute {

class LibvirtCalls {
 public:
  struct Limits {
    int workers = 6;
    int max_abandoned = 24;
  };

  explicit LibvirtCalls(Limits limits);
  /// Waits a short while for calls that run; those that still hang are left behind.
  ~LibvirtCalls();
  LibvirtCalls(const LibvirtCalls&) = delete;
  LibvirtCalls& operator=(const LibvirtCalls&) = delete;

  /// `what` names the call in errors. Time spent waiting for a free worker counts.
  template <class T>
  Result<T> run(std::string_view what, std::chrono::milliseconds deadline, std::function<Result<T>()> call) {
    auto slot = std::make_shared<std::optional<Result<T>>>();
    TRY_VOID(execute(what, deadline, [slot, call = std::move(call)] { slot->emplace(call()); }));
    return std::move(**slot);
  }

  /// Threads that hang in a call whose caller has gone.
  int abandoned() const;

 private:
  struct State;
  Result<void> execute(std::string_view what, std::chrono::milliseconds deadline, std::function<void()> work);
  std::shared_ptr<State> state_;
};

}  // namespace virga::compute
