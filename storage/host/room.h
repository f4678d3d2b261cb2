#pragma once

// How much of a file system Virga may fill. The rest is the reserve: a full disk would stop the database, the guests
// and every delete, so what Virga writes for tenants ends before. Guests write no more than their volumes' sizes, and
// those are promised out of the room that is left.

#include <cstdint>

#include "core/result.h"

namespace virga::storage {

/// What stays free: the larger of the two.
struct Reserve {
  std::uint64_t least_bytes = std::uint64_t{1} << 30;
  double percent = 5.0;  ///< of the whole file system
};

struct Room {
  std::uint64_t total_bytes = 0;  ///< of the file system, without the reserve
  std::uint64_t free_bytes = 0;   ///< beyond the reserve; 0: below the low-water mark
};

/// Of a file system of `total` bytes of which `free` are free.
Room room_of(std::uint64_t total_bytes, std::uint64_t free_bytes, const Reserve& reserve);
/// Of the file system that the open file or directory is on.
Result<Room> room_at(int fd, const Reserve& reserve);
/// InsufficientVolumeCapacity unless there is room for `bytes`, or, with 0, any room at all.
Result<void> check_room(const Room& room, std::uint64_t bytes);

}  // namespace virga::storage
