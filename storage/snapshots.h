#pragma once

// Snapshots: what a volume had in it at one moment, kept as a full copy on the volume's host. A snapshot needs its
// volume only until it is completed, and never changes afterwards. Seen by its owner alone.
//
//   pending --(the host has the copy)--> completed ---+
//      +------(the host cannot make it)--> error -----+--(remove)--> deleting -> (gone)
//
// What a snapshot shows lies between the call and `completed`. A passing trouble of the host leaves it pending; one
// that lasts, or a want of room, ends in `error`, and the host is told to let go of it. A volume that is deleted
// meanwhile stays `deleting` until its pending snapshots are settled; a snapshot that is deleted stays with its host,
// unseen, until the volumes that are being made from it are there.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::storage {

enum class SnapshotState { pending, completed, error };

struct Snapshot {
  SnapshotId id;
  AccountId account;
  VolumeId volume;  ///< it was made of; it may be gone
  std::string host;
  int size_gib = 0;
  std::string description;
  SnapshotState state = SnapshotState::pending;
  std::string problem;  ///< why it failed, or what is wrong with a completed one; empty: nothing is known to be wrong
  std::int64_t done_bytes = 0;
  std::int64_t total_bytes = 0;
  std::int64_t file_bytes = 0;
  Time started;
  std::optional<Time> completed;

  /// EC2's word: a completed one whose copy is missing is in `error` too.
  std::string_view wire_state() const;
  int progress_percent() const;
};

namespace snapshots {

struct CreateRequest {
  VolumeId volume;
  std::string description = {};
  InstanceId waits_for = {};  ///< the copy begins only after stop_waiting(); empty: at once
  bool for_image = false;     ///< of CreateImage: EC2's pace is one of CreateSnapshot's requests
};

/// Errors: InvalidVolume.NotFound, IncorrectState (the volume has not been made, or is being deleted),
/// SnapshotLimitExceeded, SnapshotCreationPerVolumeRateExceeded.
Result<Snapshot> create(Scope& scope, const CreateRequest& request);
/// The instance's guest is off: what waits for that may begin.
void stop_waiting(Scope& scope, const InstanceId& instance);
/// The volume is to be larger: what is being copied from it may be so already, and says so.
void follow_growth(Scope& scope, const VolumeId& volume, int size_gib);
/// Errors: InvalidSnapshot.NotFound.
Result<Snapshot> find(Scope& scope, const SnapshotId& id);
/// The same, and usable for a volume. Errors: IncorrectState.
Result<Snapshot> find_completed(Scope& scope, const SnapshotId& id);
/// All of the account, by id, behind `after`.
std::vector<Snapshot> list(Scope& scope, const std::string& after = {});
/// Of any state. Errors: InvalidSnapshot.NotFound, InvalidSnapshot.InUse (an image is made of it).
Result<void> remove(Scope& scope, const SnapshotId& id);

}  // namespace snapshots
}  // namespace virga::storage
