#pragma once

// What to do next about one instance: a pure function of what is wanted, what is there, and what the host remembers.
//
//                 launch                                  ends by itself
//   (no domain) ----------> paused --> running ---------------------------> exited (not started again for this number)
//        ^                     |          | wanted stopped, or removed
//        |    any error        |          v
//        +---------------------+       stopping --(shut down, or destroyed at the timeout)--> stopped / forgotten
//
// A step is repeated until the next look shows that it has worked. A healthy running guest is never destroyed, and an
// interface that is plugged is never plugged again.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compute/host/hypervisor.h"
#include "compute/wanted.h"
#include "core/time.h"
#include "hostapi/agent/guest_records.h"

namespace virga::hostapi {

enum class InstanceStepKind {
  record_start,     ///< the guest runs: the start counts as carried out (adopts a guest whose record was lost)
  record_exit,      ///< the guest ended by itself
  launch,           ///< taps, domain with CPUs stopped, plug, record, resume; any error takes all of it back
  continue_launch,  ///< the same from an existing paused domain on
  plug,             ///< one interface of a running guest that is not plugged
  resume,           ///< a guest that had been started and is paused
  shutdown,         ///< press the power button
  destroy,
  unplug_all,  ///< the guest is off: its taps go
  forget,      ///< definition, record, document: the removed instance is gone
  reboot,
  reset,  ///< the guest did not answer the reboot
  attach_disk,
  detach_disk,
};

struct InstanceStep {
  InstanceStepKind kind = InstanceStepKind::launch;
  VolumeId volume = {};                                    ///< attach_disk, detach_disk
  NetworkInterfaceId interface = {};                       ///< plug
  compute::ExitReason reason = compute::ExitReason::none;  ///< record_exit

  /// Names the step among those of its instance, for back-off.
  std::string key() const;
  /// When it fails, the steps after it are not tried.
  bool gates() const;
  auto operator<=>(const InstanceStep&) const = default;
};

/// A reboot the guest was asked for and has not been seen to do.
struct PendingReboot {
  static constexpr std::chrono::milliseconds patience{60'000};
  Time asked;
  std::uint64_t resets = 0;  ///< the hypervisor's count when it was asked
};

struct InstanceFacts {
  compute::WantedInstance wanted;
  bool removed = false;
  std::optional<compute::Domain> domain;
  GuestRecord record;
  std::string boot_id;                        ///< of the kernel running now
  std::string waiting_for;                    ///< what a launch still needs; empty: nothing
  std::set<VolumeId> ready_volumes;           ///< of those it wants
  std::set<VolumeId> busy_volumes;            ///< that its hypervisor is at work on: they stay attached meanwhile
  std::vector<NetworkInterfaceId> unplugged;  ///< its interfaces seen not to be plugged (only looked at while it is on)
  bool taps_gone = false;                     ///< unplug_all was done since it was last on
  std::optional<Time> stop_asked;             ///< when the guest was first asked to stop
  std::optional<Time> stop_repeated;          ///< when it was last asked
  std::optional<PendingReboot> reboot;
  Time now;
};

struct InstancePlan {
  std::vector<InstanceStep> steps;
  compute::GuestState state = compute::GuestState::waiting;
  compute::ExitReason exit_reason = compute::ExitReason::none;
  std::uint64_t start_number = 0;  ///< the start `state` speaks of
  std::optional<Time> look_again;  ///< when time alone changes the plan
};

/// The power button is pressed again after this long: a guest that was still booting did not see the first time.
constexpr std::chrono::milliseconds power_button_repeat{10'000};

/// Why a guest that nobody told to end is off: nothing known counts as a process that was killed.
compute::ExitReason exit_reason_of(const std::optional<compute::Domain>& domain);

InstancePlan plan_instance(const InstanceFacts& facts);

}  // namespace virga::hostapi
