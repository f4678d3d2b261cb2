#pragma once

// What the agent's reconcilers share.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

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

/// What the storage and network reconcilers have made ready for the compute reconciler, and which volumes are spoken for
/// at the moment: a closed volume that is being copied is opened by no guest, and one that a guest is about to open is
/// not copied as a closed one. Thread-safe.
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
    return volumes_.contains(id) && !reserved_.contains(id);
  }

  /// Keeps guests from opening the volume. False: one is about to.
  bool reserve(const VolumeId& id) {
    const std::lock_guard lock(mutex_);
    if (opening_.contains(id)) return false;
    reserved_.insert(id);
    busy_.insert(id);
    return true;
  }
  /// A guest has the volume open, and its hypervisor is at work on it.
  void set_busy(const VolumeId& id) {
    const std::lock_guard lock(mutex_);
    busy_.insert(id);
  }
  /// The end of both.
  void release(const VolumeId& id) {
    const std::lock_guard lock(mutex_);
    reserved_.erase(id);
    busy_.erase(id);
  }
  bool is_busy(const VolumeId& id) const {
    const std::lock_guard lock(mutex_);
    return busy_.contains(id);
  }
  std::set<VolumeId> busy_volumes() const {
    const std::lock_guard lock(mutex_);
    return busy_;
  }
  /// While it lives a guest is about to open the volumes, unless one of them is reserved.
  class Opening {
   public:
    Opening(Readiness& readiness, std::vector<VolumeId> volumes)
        : readiness_(readiness), volumes_(std::move(volumes)), allowed_(readiness.begin_opening(volumes_)) {}
    ~Opening() {
      if (allowed_) readiness_.end_opening(volumes_);
    }
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;
    bool allowed() const { return allowed_; }

   private:
    Readiness& readiness_;
    const std::vector<VolumeId> volumes_;
    const bool allowed_;
  };

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
  bool begin_opening(const std::vector<VolumeId>& volumes) {
    const std::lock_guard lock(mutex_);
    for (const auto& volume : volumes)
      if (reserved_.contains(volume)) return false;
    opening_.insert(volumes.begin(), volumes.end());
    return true;
  }
  void end_opening(const std::vector<VolumeId>& volumes) {
    const std::lock_guard lock(mutex_);
    for (const auto& volume : volumes) opening_.erase(volume);
  }

  mutable std::mutex mutex_;
  std::set<VolumeId> volumes_;
  std::set<VolumeId> reserved_;
  std::set<VolumeId> busy_;     ///< the reserved ones among them
  std::set<VolumeId> opening_;  ///< each by one guest at most
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
