#pragma once

// The host's agent: keeps the wanted documents, makes this host equal to them, and says what it sees. It needs nobody
// for that: guests, networks and volumes are kept as last wanted while the control role is away, and brought back after
// a reboot of the machine.
//
// Four reconcilers (storage, snapshots, network, compute), each on a thread of its own, plus one for imports of images,
// two for copies of volumes and one that tells of guests' ends. Each pass reads what is wanted, looks at what is there, plans (plan_*.h, pure), and takes
// the steps; after kill -9 at any point the next start does the same. One object's failure never stops the others: it
// is retried with back-off, and the reason is in that object's `problem`.

#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/config.h"
#include "hostapi/agent/compute_reconciler.h"
#include "hostapi/agent/documents.h"
#include "hostapi/agent/guest_ends.h"
#include "hostapi/agent/guest_records.h"
#include "hostapi/agent/images.h"
#include "hostapi/agent/loop.h"
#include "hostapi/agent/network_reconciler.h"
#include "hostapi/agent/observed.h"
#include "hostapi/agent/parts.h"
#include "hostapi/agent/snapshot_copies.h"
#include "hostapi/agent/snapshot_reconciler.h"
#include "hostapi/agent/storage_reconciler.h"
#include "hostapi/host.h"

namespace virga::hostapi {

struct AgentOptions {
  std::filesystem::path directory;  ///< the agent's own state: documents and records
  std::string host_identity;        ///< see host_identity()
  std::string host_name;
  std::string version;
  std::string boot_id;         ///< new for each start of the role
  std::string kernel_boot_id;  ///< see kernel_boot_id()
};

/// Names the kernel's present boot; changes when the machine is started anew.
Result<std::string> kernel_boot_id();

/// Thread-safe.
class Agent {
 public:
  /// Reads the documents. `config`, the ports and what the hooks refer to must outlive the agent.
  static Result<std::unique_ptr<Agent>> create(AgentOptions options, const Config& config, const Ports& ports,
                                               VpcHooks hooks = {});
  ~Agent();

  /// Begins to reconcile, on threads of its own.
  void start();
  /// Ends the threads and all waits; passes under way end first.
  void stop();
  /// One pass of everything, in the caller's thread; whether something was changed. For tests, instead of start().
  bool reconcile_once();

  // The host API (see hostapi/host.h).
  Result<void> put(const network::WantedVpc& vpc);
  Result<void> put(const storage::WantedVolume& volume);
  Result<void> put(const storage::WantedSnapshot& snapshot);
  Result<void> put(const compute::WantedInstance& instance);
  /// Of an image: at once, IncorrectState while a volume is based on it.
  Result<void> remove(DocumentKind kind, const std::string& id);
  Result<void> confirm(const Inventory& inventory);
  /// What was last seen; every document has its object in it from the moment it is put until it is forgotten.
  HostState state() const;
  Result<std::uint64_t> wait_for_change(std::uint64_t sequence, const std::string& boot_id,
                                        std::chrono::milliseconds wait);
  std::string boot_id() const { return observed_.current().boot_id; }
  Result<void> import_image(const ImageId& id, const std::string& path);
  /// InvalidInstanceID.NotFound unless the instance has a document here.
  Result<std::string> console_output(const InstanceId& id);
  /// Path of the socket of the interactive console.
  Result<std::string> console_socket(const InstanceId& id);
  Result<UniqueFd> connect_vpc(const VpcId& id, std::string_view address, std::uint16_t port);

  /// Whom the metadata service answers: the instance that has this address in that VPC on this host.
  std::optional<compute::WantedInstance> instance_by_address(const VpcId& vpc, std::string_view address) const;

 private:
  Agent(const Ports& ports, const AgentOptions& options, const Config& config, std::unique_ptr<Documents> documents,
        std::unique_ptr<GuestRecords> records, VpcHooks hooks);
  Result<void> check_instance(const InstanceId& id) const;

  /// What the hypervisor rings; it may do so when the agent has gone, on which it has no hold.
  struct Bell {
    std::mutex mutex;
    Agent* agent = nullptr;
  };

  const std::string identity_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();  // shared with the hypervisor
  const Ports ports_;
  std::unique_ptr<Documents> documents_;
  std::unique_ptr<GuestRecords> records_;
  Observed observed_;
  Readiness readiness_;
  VpcLocks vpc_locks_;
  const Shared shared_;
  ImageImports imports_;
  SnapshotCopies copies_;
  StorageReconciler storage_;
  SnapshotReconciler snapshots_;
  NetworkReconciler network_;
  ComputeReconciler compute_;
  GuestEnds ends_;
  Loop storage_loop_;
  Loop snapshots_loop_;
  Loop network_loop_;
  Loop compute_loop_;
  Loop ends_loop_;
  Loop import_loop_;
  std::array<Loop, SnapshotFacts::max_copies> copy_loops_;
};

}  // namespace virga::hostapi
