#pragma once

// What the host last saw of everything, as it is reported. Each visible change has a number; whoever waits for one
// greater than the number he knows is woken by it.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "hostapi/host.h"

namespace virga::hostapi {

class Observed {
 public:
  static constexpr int max_waiters = 4;
  static constexpr std::chrono::milliseconds max_wait{30'000};

  /// `boot_id` names this start of the host role.
  Observed(std::string host_name, std::string version, std::string boot_id);

  void set_instances(std::vector<compute::ObservedInstance> instances);
  /// Replaces or adds one, ahead of the next set_instances.
  void set_instance(const compute::ObservedInstance& instance);
  /// Of an instance seen running in this start: it has ended. What is set later from an older look, that it runs in
  /// this start, does not bring it back. False: it was not seen running in this start, and nothing is changed.
  bool end_instance(const InstanceId& id, std::uint64_t start_number, compute::ExitReason reason);
  void set_volumes(std::vector<storage::ObservedVolume> volumes);
  void set_snapshots(std::vector<storage::ObservedSnapshot> snapshots);
  void set_images(std::vector<storage::ObservedImage> images);
  void set_vpcs(std::vector<network::ObservedVpc> vpcs);
  void set_compute_capacity(std::string accelerator, std::int64_t vcpus, std::int64_t memory_mib);
  void set_storage_capacity(std::int64_t storage_gib);
  /// What the operator should know, by who says it.
  void set_problems(const std::string& source, std::vector<std::string> problems);

  HostState current() const;
  /// Returns when the sequence is greater than `sequence` (one of another boot_id counts as older), after `wait` (at
  /// most max_wait), or at close(). Errors: RequestLimitExceeded when max_waiters wait already.
  Result<std::uint64_t> wait(std::uint64_t sequence, const std::string& boot_id, std::chrono::milliseconds wait);
  /// Ends all waits, now and later.
  void close();

 private:
  template <class T>
  void set_list(std::vector<T> HostState::*member, std::vector<T> values);
  /// With the lock held, as the two below.
  template <class T>
  void replace_list(std::vector<T> HostState::*member, std::vector<T> values);
  void changed();
  void keep_end(compute::ObservedInstance& instance);

  mutable std::mutex mutex_;
  std::condition_variable moved_;
  HostState state_;
  std::map<std::string, std::vector<std::string>> problems_;
  std::map<InstanceId, compute::ObservedInstance> ends_;  ///< reported ahead of the reconciler, until it says the same
  int waiters_ = 0;
  bool closed_ = false;
};

}  // namespace virga::hostapi
