#pragma once

// What crosses the host API about volumes, snapshots and images: plain values.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/json_declare.h"

namespace virga::storage {

/// A volume that must exist on the host: an empty disk, or an overlay on an image or on a snapshot (one of them at most).
/// It may be larger than its base.
struct WantedVolume {
  VolumeId id;
  std::uint64_t generation = 0;
  std::uint32_t number = 0;
  std::uint64_t size_gib = 0;
  ImageId image = {};
  SnapshotId snapshot = {};
};

struct ObservedVolume {
  VolumeId id;
  std::uint64_t generation = 0;
  bool ready = false;
  std::uint64_t allocated_bytes = 0;  ///< what it takes on disk
  std::uint64_t size_gib = 0;         ///< as it is now; 0: not known
  std::string problem;                ///< empty unless it cannot be made
};

/// What a volume has in it at one moment between the first document of the snapshot and its becoming ready: a full copy,
/// on no other file, that never changes again.
struct WantedSnapshot {
  SnapshotId id;
  std::uint64_t generation = 0;
  VolumeId volume;  ///< it may be unwanted once the snapshot is ready
  std::uint64_t size_gib = 0;
};

struct ObservedSnapshot {
  SnapshotId id;
  std::uint64_t generation = 0;
  bool ready = false;
  std::uint64_t done_bytes = 0;   ///< of what there is to copy; both 0: not begun
  std::uint64_t total_bytes = 0;
  std::uint64_t file_bytes = 0;   ///< what it takes on disk, once ready
  std::string problem = {};       ///< empty unless it cannot be made, or what was made is missing
};

/// The problem of a volume, a snapshot or an image for which the host's disk has no room.
inline constexpr std::string_view no_room_problem =
    "The host has not enough room on its disk. Delete volumes and images you no longer need.";

/// An image's bytes on a host: immutable, checked by hash at import and before first use.
struct ObservedImage {
  ImageId id;
  bool ready = false;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::string sha256;
  std::string problem;
};

VIRGA_JSON_DECLARE(WantedVolume);
VIRGA_JSON_DECLARE(ObservedVolume);
VIRGA_JSON_DECLARE(WantedSnapshot);
VIRGA_JSON_DECLARE(ObservedSnapshot);
VIRGA_JSON_DECLARE(ObservedImage);

}  // namespace virga::storage
