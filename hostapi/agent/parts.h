#pragma once

// What the agent's reconcilers share.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "compute/host/hypervisor.h"
#include "core/time.h"
#include "hostapi/agent/documents.h"
#include "hostapi/agent/observed.h"
#include "network/host/host_network.h"
#include "storage/host/volume_backend.h"

namespace virga::hostapi {

struct Ports {
  compute::Hypervisor& hypervisor;
  network::HostNetwork& network;
  storage::VolumeBackend& volumes;
  const Clock& clock;
};

/// How often everything is looked at though nothing seems to have happened.
constexpr std::chrono::milliseconds look_interval{30'000};
/// How soon after a failure to look at all.
constexpr std::chrono::milliseconds outage_interval{2'000};

/// What the storage and network reconcilers have made ready for the compute reconciler. Thread-safe.
class Readiness {
 public:
  /// Whether there are volumes that were not ready before.
  bool set_volumes(std::set<VolumeId> volumes) {
    const std::lock_guard lock(mutex_);
    bool more = false;
    for (const auto& volume : volumes) more = more || !volumes_.contains(volume);
    volumes_ = std::move(volumes);
    return more;
  }
  bool has_volume(const VolumeId& id) const {
    const std::lock_guard lock(mutex_);
    return volumes_.contains(id);
  }
  void set_interfaces(const VpcId& vpc, std::set<NetworkInterfaceId> interfaces) {
    const std::lock_guard lock(mutex_);
    interfaces_[vpc] = std::move(interfaces);
  }
  void drop_vpc(const VpcId& vpc) {
    const std::lock_guard lock(mutex_);
    interfaces_.erase(vpc);
  }
  /// The VPC is applied and its document contains the interface.
  bool has_interface(const VpcId& vpc, const NetworkInterfaceId& interface) const {
    const std::lock_guard lock(mutex_);
    const auto found = interfaces_.find(vpc);
    return found != interfaces_.end() && found->second.contains(interface);
  }

 private:
  mutable std::mutex mutex_;
  std::set<VolumeId> volumes_;
  std::map<VpcId, std::set<NetworkInterfaceId>> interfaces_;
};

/// Orders what the network and compute reconcilers do to one VPC, so that an interface is never programmed from a
/// document older than the one applied: whoever holds the lock reads the newest document and works with it.
class VpcLocks {
 public:
  std::unique_lock<std::mutex> lock(const VpcId& vpc) {
    std::mutex* mutex = nullptr;
    {
      const std::lock_guard guard(mutex_);
      auto& slot = mutexes_[vpc];
      if (!slot) slot = std::make_unique<std::mutex>();
      mutex = slot.get();
    }
    return std::unique_lock(*mutex);
  }

 private:
  std::mutex mutex_;
  std::map<VpcId, std::unique_ptr<std::mutex>> mutexes_;  // one per VPC ever seen by this process
};

/// Told by the network reconciler, on its thread. Both may be called again for the same VPC.
struct VpcHooks {
  std::function<void(const network::WantedVpc&)> applied = [](const network::WantedVpc&) {};
  /// Before the VPC is taken down: whatever is open in it must be closed now.
  std::function<void(const network::WantedVpc&)> removed = [](const network::WantedVpc&) {};
};

struct Shared {
  Ports ports;
  Documents& documents;
  Observed& observed;
  Readiness& readiness;
  VpcLocks& vpc_locks;
};

}  // namespace virga::hostapi
