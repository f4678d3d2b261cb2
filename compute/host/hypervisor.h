#pragma once

// Port: virtual machines on one host. The real adapter (libvirt_hypervisor) speaks libvirt; the fake
// (simulated_hypervisor) keeps the same promises in memory.
//
// Thread-safe. Every call has a deadline; a hung libvirt makes it fail with `unavailable`, never block for ever.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compute/wanted.h"
#include "core/result.h"

namespace virga::compute {

/// A disk as the hypervisor needs it.
struct DomainDisk {
  VolumeId volume;
  std::string path;
  int slot = 0;  ///< 0: vda, 1: vdb, ...
  /// The qcow2 files below it, nearest first: what QEMU may read, and whose owner stays as it is.
  std::vector<std::string> backing = {};
};

struct DomainNic {
  NetworkInterfaceId interface;
  std::string tap;
  std::string mac;
};

struct DomainSpec {
  InstanceId id;
  std::uint64_t start_number = 0;
  AccountId account;
  std::string instance_type;
  int vcpus = 1;
  int memory_mib = 512;
  std::vector<DomainDisk> disks;
  std::vector<DomainNic> nics;
};

enum class DomainState { off, paused, running, shutting_down };

struct Domain {
  InstanceId id;
  std::uint64_t start_number = 0;  ///< from the domain's own metadata
  DomainState state = DomainState::off;
  ExitReason exit_reason = ExitReason::none;  ///< how it last went off, where the hypervisor knows
  std::vector<VolumeId> disks;                ///< attached now
  /// Resets of the guest seen since this process listens (its reboots); nothing where the hypervisor cannot tell.
  std::optional<std::uint64_t> resets = {};
};

/// The copy of one disk of a guest that is on, as the disk was at the moment the copy began.
struct DiskBackup {
  enum class State {
    none,      ///< there is none, and nothing is known of one
    running,
    finished,  ///< the file has everything; told of the last one until the next begins or the guest goes off
    failed,    ///< cancelled, the guest went off, or the file could not be written
  };
  State state = State::none;
  std::uint64_t done_bytes = 0;  ///< running: of total_bytes
  std::uint64_t total_bytes = 0;
};

struct HypervisorInfo {
  std::string accelerator;  ///< kvm | tcg | simulated
  std::string version;
  int cpus = 0;
  std::int64_t memory_mib = 0;
  std::vector<std::string> problems;
};

class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  virtual Result<HypervisorInfo> info() = 0;
  /// All domains of this installation, on or off.
  virtual Result<std::vector<Domain>> list() = 0;
  /// One domain, without waiting for what others are busy with; nothing if it is not defined.
  virtual Result<std::optional<Domain>> look_at(const InstanceId& id) = 0;
  /// Defines the domain (replacing an older definition that is off) and starts it with its CPUs stopped.
  virtual Result<void> start_paused(const DomainSpec& spec) = 0;
  virtual Result<void> resume(const InstanceId& id) = 0;
  /// Asks the guest to shut down (ACPI). Returns at once.
  virtual Result<void> shutdown(const InstanceId& id) = 0;
  /// Ends it at once. Success if it is off.
  virtual Result<void> destroy(const InstanceId& id) = 0;
  /// Asks the guest to reboot; a guest that does not answer is reset by the caller with reset().
  virtual Result<void> reboot(const InstanceId& id) = 0;
  virtual Result<void> reset(const InstanceId& id) = 0;
  /// Removes the definition and everything kept for it (console log, NVRAM). Off before. Success if it is unknown.
  virtual Result<void> undefine(const InstanceId& id) = 0;

  virtual Result<void> attach_disk(const InstanceId& id, const DomainDisk& disk) = 0;
  /// Asks the guest to let go. The disk is detached when list() no longer shows it.
  virtual Result<void> detach_disk(const InstanceId& id, const VolumeId& volume) = 0;
  /// Makes an attached disk that large, and lets the guest know; never smaller: success if it is at least as large.
  /// Errors: the guest is off, or the volume is not attached to it (IncorrectState).
  virtual Result<void> resize_disk(const InstanceId& id, const VolumeId& volume, std::uint64_t size_gib) = 0;

  /// Begins to copy an attached disk, as it is at this moment, into the existing qcow2 file `target` of the disk's size,
  /// while the guest goes on; on_change() rings at its end. One at a time for each guest: one that runs is cancelled
  /// first. Errors: the guest is off, or the volume is not attached to it (IncorrectState).
  virtual Result<void> begin_backup(const InstanceId& id, const VolumeId& volume, const std::string& target) = 0;
  /// How the last one that was begun is doing. `none` for a guest that is off or unknown.
  virtual Result<DiskBackup> backup_state(const InstanceId& id) = 0;
  /// Success if none runs.
  virtual Result<void> cancel_backup(const InstanceId& id) = 0;

  /// The last 64 KiB of the serial console.
  virtual Result<std::string> console_output(const InstanceId& id) = 0;
  /// Path of the unix socket of the interactive serial console; the guest must be on.
  virtual Result<std::string> console_socket(const InstanceId& id) = 0;

  /// Calls `changed` (from any thread, quickly) whenever something may have changed: a guest stopped, a disk went, the
  /// connection came back. Set once, before the first other call.
  virtual void on_change(std::function<void()> changed) = 0;
  /// Calls `ended` (from any thread, quickly) as soon as a guest is off, whoever ended it. It may be called for guests
  /// of others, and late; look_at() tells the truth. Set once, before the first other call.
  virtual void on_end(std::function<void(const InstanceId&)> ended) = 0;
};

}  // namespace virga::compute
