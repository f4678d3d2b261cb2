#pragma once

// Modifications of volumes (EC2's ModifyVolume): larger, of another type, faster or slower. A volume never shrinks.
//
//   modifying -> optimizing -> completed
//
// `modifying` ends when the volume's host has seen it at its new size, `optimizing` with its next word of the volume.
// Until the first the volume is shown as it was. A host that cannot do it goes on trying: the reason is shown, the
// modification stays `modifying`. Room and quota are taken when it begins. The last modification of a volume is kept.

#include <optional>
#include <string>
#include <vector>

#include "storage/volumes.h"
#include "storage/wanted.h"

namespace virga::storage {

enum class ModificationState { modifying, optimizing, completed, failed };
std::string_view to_string(ModificationState state);

struct Modification {
  VolumeId volume;
  VolumeShape original;
  VolumeShape target;
  ModificationState state = ModificationState::modifying;
  std::string problem;  ///< why the host has not done it yet; empty: nothing is known to be wrong
  Time started;
  std::optional<Time> ended;

  int progress_percent() const;
};

/// What is to be different; what is not given stays as it is.
struct Change {
  std::optional<int> size_gib;
  std::optional<std::string> type;
  std::optional<int> iops;
  std::optional<int> throughput;
};

/// What becomes of a volume by EC2's rules: Iops and Throughput stay with the type, another type has its own defaults.
/// Errors: InvalidParameterValue (smaller than it is; bounds of the type), InvalidParameterCombination.
Result<VolumeShape> changed_shape(const VolumeShape& now, const Change& change);

namespace modifications {

/// Charges what it grows by. Errors: InvalidVolume.NotFound, IncorrectState (the volume is neither available nor in
/// use), IncorrectModificationState (one is under way), those of changed_shape,
/// VolumeModificationSizeLimitExceeded, InsufficientVolumeCapacity.
Result<Modification> begin(Scope& scope, const VolumeId& volume, const Change& change);
/// Errors: InvalidVolume.NotFound, InvalidVolumeModification.NotFound (it was never modified).
Result<Modification> find(Scope& scope, const VolumeId& volume);
/// All of the account, by volume.
std::vector<Modification> list(Scope& scope, const std::string& after = {});
/// Takes in what the volume's host says of it. `scope` is the owner's.
void observe(Scope& scope, const ObservedVolume& observed);

}  // namespace modifications

}  // namespace virga::storage
