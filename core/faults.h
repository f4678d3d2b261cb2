#pragma once

// Faults of the simulated host: what its fakes are told to do wrong, and to which object. Shared by the fakes of all
// three ports, so that one request can spoil whatever happens next to an object.

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace virga {

enum class FaultKind {
  fail,   ///< the call does nothing and reports an error
  hang,   ///< the call takes `delay`, does nothing and reports that its deadline passed
  crash,  ///< the process ends in the middle of the call
  // These do not wait for a call, and name one object:
  forget,    ///< the object is lost, as if somebody had removed it behind the host's back
  poweroff,  ///< the guest shuts itself down
  kill       ///< the guest's process is killed
};

struct Fault {
  static constexpr std::chrono::milliseconds max_delay{30'000};
  FaultKind kind = FaultKind::fail;
  /// An id; "*" for whichever comes first; "@hypervisor", "@network", "@storage" for the calls about no single object.
  std::string object = "*";
  int count = 1;  ///< how many calls it spoils
  std::chrono::milliseconds delay{0};
};

/// Thread-safe.
class Faults {
 public:
  enum class Moment { before, after };
  /// Called at the beginning and the end of each call of a fake; may throw (tests end an agent in the middle that way).
  using Probe = std::function<void(std::string_view call, Moment moment)>;
  using Listener = std::function<void(FaultKind kind, const std::string& object)>;

  static constexpr std::size_t max_pending = 256;

  /// Errors: InvalidParameterValue for a count or delay out of bounds; too many faults waiting.
  Result<void> inject(Fault fault);
  void set_probe(Probe probe) { probe_ = std::move(probe); }
  /// Told of the faults that do not wait for a call. For the fakes, before the first fault; never withdrawn.
  void subscribe(Listener listener) { listeners_.push_back(std::move(listener)); }

  /// A fake's call begins. Errors are the injected ones.
  Result<void> enter(std::string_view call, const std::string& object);
  /// A fake's call has taken effect.
  void leave(std::string_view call) const;

 private:
  std::mutex mutex_;
  std::vector<Fault> pending_;
  std::vector<Listener> listeners_;
  Probe probe_;
};

/// The fault of that name ("fail", "hang", "crash", "forget", "poweroff", "kill").
Result<FaultKind> parse_fault_kind(std::string_view text);

}  // namespace virga
