#pragma once

// How the storage service meets its hosts. See network/sync.h.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"
#include "storage/wanted.h"

namespace virga::storage {

/// The host that must have the volume; nothing when it has not been placed or no longer exists.
std::optional<std::string> host_of_volume(store::Transaction& tx, const VolumeId& volume);
std::optional<WantedVolume> wanted_volume(store::Transaction& tx, const VolumeId& volume);
std::vector<VolumeId> placed_volumes(store::Transaction& tx);

/// Takes in what a host says; a change of state is journalled and wakes nobody by itself (touch does).
/// `scope.account` is not used: the row's own account is.
Result<void> observe_volume(Scope& scope, const std::string& host, const ObservedVolume& observed);
/// The host no longer has it: a volume in state `deleting` is gone for good, its quota is released.
Result<void> volume_removed(Scope& scope, const std::string& host, const VolumeId& volume);

/// The same of snapshots. One that waits (see snapshots.h) has no document yet.
std::optional<std::string> host_of_snapshot(store::Transaction& tx, const SnapshotId& snapshot);
std::optional<WantedSnapshot> wanted_snapshot(store::Transaction& tx, const SnapshotId& snapshot);
std::vector<SnapshotId> placed_snapshots(store::Transaction& tx);
Result<void> observe_snapshot(Scope& scope, const std::string& host, const ObservedSnapshot& observed);
/// The host no longer has it: one in state `deleting` is gone for good, its quota is released.
Result<void> snapshot_removed(Scope& scope, const std::string& host, const SnapshotId& snapshot);

Result<void> observe_image(Scope& scope, const std::string& host, const ObservedImage& observed);
/// Deregistered images of which the host still has the file, and on which nothing lies any more.
std::vector<ImageId> unneeded_images(store::Transaction& tx, const std::string& host);
/// The host no longer has it; with the last host's copy the row goes.
Result<void> image_removed(Scope& scope, const std::string& host, const ImageId& image);

}  // namespace virga::storage
