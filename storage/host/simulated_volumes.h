#pragma once

// The fake of the VolumeBackend port: volumes, snapshots and images are small files that say what they would be. Images
// are taken in from any file; its size and SHA-256 are the real ones. Needs no qemu-img and no room for the bytes.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/faults.h"
#include "storage/host/volume_backend.h"

namespace virga::storage {

class SimulatedVolumes final : public VolumeBackend {
 public:
  static Result<std::unique_ptr<SimulatedVolumes>> create(std::filesystem::path directory, std::int64_t total_gib,
                                                          Faults& faults);

  Result<void> create(const WantedVolume& volume) override;
  Result<void> resize(const VolumeId& id, std::uint64_t size_gib) override;
  Result<void> remove(const VolumeId& id) override;
  Result<std::vector<ObservedVolume>> list() override;
  std::string path(const VolumeId& id) const override;
  std::vector<std::string> backing(const WantedVolume& volume) const override;
  Result<void> snapshot(const WantedSnapshot& snapshot, const WantedVolume& volume) override;
  Result<std::string> backup_target(const WantedSnapshot& snapshot, const WantedVolume& volume) override;
  Result<void> adopt_backup(const WantedSnapshot& snapshot) override;
  Result<void> drop_backup(const SnapshotId& id) override;
  Result<void> remove_snapshot(const SnapshotId& id) override;
  Result<std::vector<ObservedSnapshot>> list_snapshots() override;
  Result<ObservedImage> import_image(const ImageId& id, const std::string& source_path) override;
  Result<void> remove_image(const ImageId& id) override;
  Result<std::vector<ObservedImage>> list_images() override;
  Result<Space> space() override;
  Result<std::vector<std::string>> remove_leftovers() override;

 private:
  struct Snapshot {
    WantedSnapshot made;
    bool removed = false;  ///< it is kept for the volumes on it alone
  };
  SimulatedVolumes(std::filesystem::path directory, std::int64_t total_gib, Faults& faults);
  Result<void> load();
  void forget(const std::string& object);
  std::string image_path(const ImageId& id) const;
  std::string snapshot_path(const SnapshotId& id) const;
  std::string target_path(const SnapshotId& id) const;
  // The rest with the lock held.
  Result<void> check_base(const WantedVolume& volume) const;
  Result<void> write(const Snapshot& snapshot);
  bool is_base_of_a_volume(const SnapshotId& id) const;
  /// Sum of the sizes promised to volumes.
  std::int64_t promised_gib() const;

  const std::filesystem::path directory_;
  const std::int64_t total_gib_;
  Faults& faults_;
  std::mutex mutex_;
  std::map<VolumeId, WantedVolume> volumes_;
  std::map<SnapshotId, Snapshot> snapshots_;
  std::map<ImageId, ObservedImage> images_;
};

}  // namespace virga::storage
