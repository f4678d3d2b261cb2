#pragma once

// Tells when processes end, children of this one or not: a thread of its own sleeps in the kernel until one does.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::network {

class ProcessWatch {
 public:
  using Key = std::uint32_t;
  /// What to do after a process has ended: watch another, or ask again after a while, or neither.
  struct Next {
    UniqueFd process;
    std::optional<std::chrono::milliseconds> ask_again;
  };
  /// Called on the watch's thread, one call at a time, and without a lock: it may call watch() and forget().
  using Ended = std::function<Next(Key)>;

  static Result<std::unique_ptr<ProcessWatch>> create(Ended ended);
  ~ProcessWatch();  ///< waits for a call that is under way

  /// Watches the process behind a pidfd in place of the key's earlier one. Without a process: as if it had just ended.
  void watch(Key key, UniqueFd process);
  /// Nothing of this key will be told any more, but for a call that is under way.
  void forget(Key key);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Watched {
    std::uint64_t serial = 0;
    UniqueFd process;
    std::optional<Time> due;  ///< when to call; nothing: when the process ends
  };

  ProcessWatch(Ended ended, UniqueFd poll, UniqueFd wake_up);
  void put(Key key, UniqueFd process, std::optional<Time> due);
  void wake() const;
  void run();
  int time_until_due();
  void take_event(std::uint64_t serial);
  void call_those_due();

  const Ended ended_;
  const UniqueFd poll_;
  const UniqueFd wake_up_;
  std::mutex mutex_;  ///< guards the members below
  std::map<Key, Watched> watched_;
  std::uint64_t last_serial_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace virga::network
