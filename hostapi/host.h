#pragma once

// The host API: all that the control role can say to a host, and all a host says back. Spoken as HTTP + JSON over a
// unix socket with peer credentials (hostapi/client.h, hostapi/server.h); on several boxes over TCP with mutual TLS.
// Every call is idempotent. A document with a generation not newer than the host's is answered without effect.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compute/wanted.h"
#include "core/json_declare.h"
#include "core/result.h"
#include "core/scope.h"
#include "network/wanted.h"
#include "storage/wanted.h"

namespace virga::hostapi {

struct HostCapacity {
  std::int64_t vcpus = 0;       ///< what may be promised, overcommit applied
  std::int64_t memory_mib = 0;
  std::int64_t storage_gib = 0;
};

/// GET /v1/state: everything observed, for comparison.
struct HostState {
  std::string identity;             ///< by what the host is known: never changes
  std::string name;                 ///< what it calls itself, for people
  std::string version;
  std::string boot_id;              ///< changes when the host role starts anew
  std::uint64_t sequence = 0;       ///< number of the last event this state includes
  HostCapacity capacity;
  std::string accelerator;          ///< kvm | tcg | simulated
  std::vector<std::string> problems;
  std::vector<std::string> damaged;  ///< ids whose document the host can no longer read: to be put, or removed, again
  std::vector<compute::ObservedInstance> instances;
  std::vector<storage::ObservedVolume> volumes;
  std::vector<storage::ObservedSnapshot> snapshots;
  std::vector<storage::ObservedImage> images;
  std::vector<network::ObservedVpc> vpcs;
};

/// PUT /v1/inventory: all that this host is to have, named by who has compared the host's state with the store. Only
/// after it may the host take down what has no document.
struct Inventory {
  std::string boot_id;  ///< of the state that was compared; one of another run of the host says nothing
  std::vector<InstanceId> instances;
  std::vector<VpcId> vpcs;
};

VIRGA_JSON_DECLARE(Inventory);
VIRGA_JSON_DECLARE(HostCapacity);
VIRGA_JSON_DECLARE(HostState);

/// Port: one host, as the control role sees it. Thread-safe. Every call has a deadline.
class Host {
 public:
  virtual ~Host() = default;

  virtual Result<void> put_vpc(const network::WantedVpc& vpc) = 0;
  virtual Result<void> put_volume(const storage::WantedVolume& volume) = 0;
  virtual Result<void> put_snapshot(const storage::WantedSnapshot& snapshot) = 0;
  virtual Result<void> put_instance(const compute::WantedInstance& instance) = 0;
  /// The object must go. Done when it is no longer in state(): the host remembers it until then, over restarts.
  virtual Result<void> remove(DocumentKind kind, const std::string& id) = 0;

  /// Everything this host must have has been put to it, and this is all of it. Errors: IncorrectState when the host has
  /// begun anew since, or lacks a document of the inventory.
  virtual Result<void> confirm(const Inventory& inventory) = 0;

  virtual Result<HostState> state() = 0;
  /// Returns as soon as the host's sequence is greater than `sequence`, or after `wait`; the current sequence.
  /// A sequence of another boot_id counts as older.
  virtual Result<std::uint64_t> wait_for_change(std::uint64_t sequence, std::chrono::milliseconds wait) = 0;

  /// The last 64 KiB of the instance's serial console; empty before its first start.
  virtual Result<std::string> console_output(const InstanceId& instance) = 0;
};

}  // namespace virga::hostapi
