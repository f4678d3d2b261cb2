#pragma once

// The fake of the Hypervisor port: guests that are rows in files. It keeps the port's promises honestly: it has a
// capacity, guests take time to boot, to shut down and to let go of a disk, a volume can be open in one domain only,
// and its guests outlive the process as real ones do (a later SimulatedHypervisor on the same directory finds them,
// with everything that became due in between having happened).
//
// Nothing here waits: what takes time is noted with the moment it becomes due, and happens when somebody looks.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "compute/host/hypervisor.h"
#include "compute/host/simulated_guest.h"
#include "core/faults.h"
#include "core/time.h"

namespace virga::compute {

struct SimulatedMachine {
  std::filesystem::path directory;  ///< where the guests are kept
  int cpus = 16;
  std::int64_t memory_mib = 65'536;
  SimulatedLatencies latencies;
  /// Stands for QEMU's writing into a volume's file when it makes a disk larger.
  std::function<Result<void>(const VolumeId& volume, std::uint64_t size_gib)> grow_volume = {};
  /// Watches the clock on a thread of its own and reports what becomes due. Off in tests that move the clock by hand.
  bool watch_clock = true;
};

/// `faults` must not be used after its end.
class SimulatedHypervisor final : public Hypervisor {
 public:
  static Result<std::unique_ptr<SimulatedHypervisor>> create(SimulatedMachine machine, const Clock& clock,
                                                             Faults& faults);
  ~SimulatedHypervisor() override;

  Result<HypervisorInfo> info() override;
  Result<std::vector<Domain>> list() override;
  Result<std::optional<Domain>> look_at(const InstanceId& id) override;
  Result<void> start_paused(const DomainSpec& spec) override;
  Result<void> resume(const InstanceId& id) override;
  Result<void> shutdown(const InstanceId& id) override;
  Result<void> destroy(const InstanceId& id) override;
  Result<void> reboot(const InstanceId& id) override;
  Result<void> reset(const InstanceId& id) override;
  Result<void> undefine(const InstanceId& id) override;
  Result<void> attach_disk(const InstanceId& id, const DomainDisk& disk) override;
  Result<void> detach_disk(const InstanceId& id, const VolumeId& volume) override;
  Result<void> resize_disk(const InstanceId& id, const VolumeId& volume, std::uint64_t size_gib) override;
  Result<void> begin_backup(const InstanceId& id, const VolumeId& volume, const std::string& target) override;
  Result<DiskBackup> backup_state(const InstanceId& id) override;
  Result<void> cancel_backup(const InstanceId& id) override;
  Result<std::string> console_output(const InstanceId& id) override;
  /// The simulated guests have no interactive console: UnsupportedOperation.
  Result<std::string> console_socket(const InstanceId& id) override;
  void on_change(std::function<void()> changed) override;
  /// Simulated guests end without a word of their own: on_change tells, as of everything else.
  void on_end(std::function<void(const InstanceId&)> /*ended*/) override {}

  // What happens to guests without the host's doing.
  Result<void> guest_poweroff(const InstanceId& id);
  Result<void> kill_process(const InstanceId& id);
  /// From now on the guest does not answer the power button, and keeps its disks.
  Result<void> make_deaf(const InstanceId& id);
  /// The machine lost its power: every guest is off, for no reason of its own.
  void lose_power();

 private:
  SimulatedHypervisor(SimulatedMachine machine, const Clock& clock, Faults& faults);
  Result<void> load();
  Result<void> save(const SimulatedGuest& guest);
  /// Lets everything happen that is due by now.
  void settle();
  Result<SimulatedGuest*> find(const InstanceId& id);
  Result<SimulatedGuest*> find_on(const InstanceId& id);
  Result<void> check_room(const DomainSpec& spec) const;
  Result<void> check_free(const InstanceId& id, const DomainDisk& disk) const;
  void suffer(FaultKind kind, const std::string& object);
  /// Runs `effect` between the injected faults.
  Result<void> call(std::string_view name, const InstanceId& id, const std::function<Result<void>()>& effect);
  void forget(const InstanceId& id);
  std::filesystem::path file_of(const InstanceId& id) const;
  void watch(const std::stop_token& stop);

  const SimulatedMachine machine_;
  const Clock& clock_;
  Faults& faults_;
  std::mutex mutex_;
  std::condition_variable_any due_;
  std::map<InstanceId, SimulatedGuest> guests_;
  std::function<void()> changed_;
  bool touched_ = false;     ///< what is due may have changed: the watcher looks again
  bool unreported_ = false;  ///< something happened by itself that `changed_` has not been told of
  std::jthread watcher_;
};

}  // namespace virga::compute
