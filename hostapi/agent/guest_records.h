#pragma once

// What the host itself remembers of its guests, over restarts: which start it has carried out, and how that ended. It
// tells a guest that ended by itself (not to be started again) from one that a loss of power ended (to be started
// again), and a reboot already asked for from one still to be.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "compute/wanted.h"
#include "core/result.h"

namespace virga::hostapi {

struct GuestRecord {
  std::uint64_t start_number = 0;   ///< the last start that was carried out; 0: none
  std::uint64_t reboot_number = 0;  ///< the last reboot that was carried out
  std::string boot_id;              ///< of the kernel under which that start happened
  bool exited = false;              ///< that start has ended without the host's doing
  compute::ExitReason exit_reason = compute::ExitReason::none;
  auto operator<=>(const GuestRecord&) const = default;
};

/// Used by the compute reconciler alone.
class GuestRecords {
 public:
  static Result<std::unique_ptr<GuestRecords>> open(std::filesystem::path directory);
  /// An empty record for a guest nothing is remembered of.
  GuestRecord find(const InstanceId& id) const;
  /// On the disk when it returns.
  Result<void> write(const InstanceId& id, const GuestRecord& record);
  Result<void> forget(const InstanceId& id);
  /// Records that could not be read, for the operator. Such a guest counts as never started; one that runs is adopted.
  const std::map<std::string, std::string>& damaged() const { return damaged_; }

 private:
  explicit GuestRecords(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path file_of(const InstanceId& id) const { return directory_ / (id.str() + ".json"); }

  const std::filesystem::path directory_;
  std::map<InstanceId, GuestRecord> records_;
  std::map<std::string, std::string> damaged_;
};

VIRGA_JSON_DECLARE(GuestRecord);

}  // namespace virga::hostapi
