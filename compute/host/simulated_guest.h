#pragma once

// The life of one simulated guest: pure, moved on by the clock alone.

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compute/host/hypervisor.h"
#include "core/time.h"

namespace virga::compute {

/// How long things take. Each is the time from the request to its effect.
struct SimulatedLatencies {
  std::chrono::milliseconds boot{50};
  std::chrono::milliseconds shutdown{50};
  std::chrono::milliseconds detach{50};
  std::chrono::milliseconds backup{50};
};

struct SimulatedDisk {
  VolumeId volume;
  int slot = 0;
  std::int64_t gone_at_ms = 0;  ///< when the guest will have let go of it; 0: it was not asked to
};

/// The last copy of a disk of the guest.
struct SimulatedBackup {
  VolumeId volume;  ///< empty: there was none
  std::string target;
  std::int64_t begun_at_ms = 0;
  std::int64_t done_at_ms = 0;
  DiskBackup::State state = DiskBackup::State::none;

  /// How far it is.
  DiskBackup seen(Time now) const;
};

struct ConsoleLine {
  std::int64_t at_ms = 0;  ///< printed at that moment, if the guest is still on then
  std::string text;
};

struct SimulatedGuest {
  InstanceId id;
  std::uint64_t start_number = 0;
  std::string instance_type;
  int vcpus = 1;
  std::int64_t memory_mib = 0;
  DomainState state = DomainState::off;
  ExitReason exit_reason = ExitReason::none;
  bool deaf = false;
  std::int64_t ready_at_ms = 0;   ///< when it has booted, and begins to answer the power button
  std::int64_t off_at_ms = 0;     ///< when it will have shut down; 0: not asked to
  std::int64_t reboot_at_ms = 0;  ///< when it will have gone down for a reboot; 0: not asked to
  std::uint64_t resets = 0;
  std::vector<SimulatedDisk> disks;
  SimulatedBackup backup;
  std::vector<ConsoleLine> console;

  bool on() const { return state != DomainState::off; }
  /// The CPUs start (or start over): console lines until ready.
  void boot(Time now, const SimulatedLatencies& latencies);
  void press_power_button(Time now, const SimulatedLatencies& latencies);
  void ask_reboot(Time now, const SimulatedLatencies& latencies);
  /// The disk must be attached. One that runs is cancelled.
  void begin_backup(const VolumeId& volume, const std::string& target, Time now, const SimulatedLatencies& latencies);
  void cancel_backup();
  void go_off(Time at, ExitReason reason);
  /// Lets happen what is due; whether anything did.
  bool settle(Time now, const SimulatedLatencies& latencies);
  /// When something happens next by itself.
  std::optional<Time> next_due() const;
  std::string console_until(Time now) const;
  Domain as_domain() const;

 private:
  void print(Time at, std::string text);
};

void to_json(nlohmann::json& json, const SimulatedGuest& guest);
void from_json(const nlohmann::json& json, SimulatedGuest& guest);

}  // namespace virga::compute
