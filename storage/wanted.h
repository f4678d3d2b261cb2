#pragma once

// What crosses the host API about volumes and images: plain values.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/json_declare.h"

namespace virga::storage {

/// A volume that must exist on the host: an empty disk, or an overlay on an image.
struct WantedVolume {
  VolumeId id;
  std::uint64_t generation = 0;
  std::uint32_t number = 0;
  std::uint64_t size_gib = 0;
  ImageId image;  ///< empty: no base
};

struct ObservedVolume {
  VolumeId id;
  std::uint64_t generation = 0;
  bool ready = false;
  std::uint64_t allocated_bytes = 0;  ///< what it takes on disk
  std::uint64_t size_gib = 0;         ///< as it is now; 0: not known
  std::string problem;                ///< empty unless it cannot be made
};

/// The problem of a volume or an image for which the host's disk has no room.
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
VIRGA_JSON_DECLARE(ObservedImage);

}  // namespace virga::storage
