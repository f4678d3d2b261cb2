#include "storage/host/room.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "storage/host/directory.h"

namespace virga::storage {

Room room_of(std::uint64_t total_bytes, std::uint64_t free_bytes, const Reserve& reserve) {
  const auto share = static_cast<std::uint64_t>(static_cast<double>(total_bytes) * reserve.percent / 100.0);
  const auto kept = std::max(reserve.least_bytes, share);
  const auto beyond = [&](std::uint64_t bytes) { return bytes > kept ? bytes - kept : 0; };
  return {beyond(total_bytes), beyond(free_bytes)};
}

Result<Room> room_at(int fd, const Reserve& reserve) {
  struct statvfs status {};
  if (::fstatvfs(fd, &status) != 0) return fail(system_error("statvfs"));
  const std::uint64_t block = status.f_frsize;
  return room_of(status.f_blocks * block, status.f_bavail * block, reserve);
}

Result<void> check_room(const Room& room, std::uint64_t bytes) {
  if (room.free_bytes >= std::max<std::uint64_t>(bytes, 1)) return {};
  errno = ENOSPC;
  return fail(system_error(fmt::format("{} bytes are needed, {} are free beyond the reserve", bytes, room.free_bytes)));
}

}  // namespace virga::storage
