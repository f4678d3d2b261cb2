#include "core/faults.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace virga {

Result<void> Faults::inject(Fault fault) {
  if (fault.count < 1 || fault.count > 1'000'000) {
    return fail(Code::invalid_parameter_value, "The count of a fault must be between 1 and 1000000.");
  }
  if (fault.delay.count() < 0 || fault.delay > Fault::max_delay) {
    return fail(Code::invalid_parameter_value, "The delay of a fault must be between 0 and 30000 ms.");
  }
  const bool immediate =
      fault.kind == FaultKind::forget || fault.kind == FaultKind::poweroff || fault.kind == FaultKind::kill;
  if (immediate) {
    if (fault.object == "*") return fail(Code::invalid_parameter_value, "This fault must name one object.");
    for (const auto& listener : listeners_) listener(fault.kind, fault.object);
    return {};
  }
  const std::lock_guard lock(mutex_);
  if (pending_.size() >= max_pending)
    return fail(Code::resource_limit_exceeded, "Too many faults are waiting already.");
  pending_.push_back(std::move(fault));
  return {};
}

Result<void> Faults::enter(std::string_view call, const std::string& object) {
  if (probe_) probe_(call, Moment::before);
  std::optional<Fault> fault;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Fault& pending) {
      return pending.object == object || (pending.object == "*" && !object.starts_with('@'));
    });
    if (found == pending_.end()) return {};
    fault = *found;
    if (--found->count == 0) pending_.erase(found);
  }
  switch (fault->kind) {
    case FaultKind::fail:
      std::this_thread::sleep_for(fault->delay);
      return fail(Code::unavailable, "The simulated host was told to fail.", std::string(call) + " " + object);
    case FaultKind::hang:
      std::this_thread::sleep_for(fault->delay);
      return fail(Code::unavailable, "The host did not answer in time.", std::string(call) + " " + object);
    case FaultKind::crash:
      ::_exit(70);
    case FaultKind::forget:
    case FaultKind::poweroff:
    case FaultKind::kill:
      break;  // never pending
  }
  return {};
}

void Faults::leave(std::string_view call) const {
  if (probe_) probe_(call, Moment::after);
}

Result<FaultKind> parse_fault_kind(std::string_view text) {
  if (text == "fail") return FaultKind::fail;
  if (text == "hang") return FaultKind::hang;
  if (text == "crash") return FaultKind::crash;
  if (text == "forget") return FaultKind::forget;
  if (text == "poweroff") return FaultKind::poweroff;
  if (text == "kill") return FaultKind::kill;
  return fail(Code::invalid_parameter_value, "A fault is one of fail, hang, crash, forget, poweroff, kill.");
}

}  // namespace virga
