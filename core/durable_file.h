#pragma once

// Small files that must be whole or absent after a crash at any moment.

#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga {

enum class Durability {
  power_loss,   ///< file and directory are flushed: on the disk when the function returns
  process_end,  ///< whole or absent after kill -9, not after a loss of power
};

/// Replaces the file at once: written next to it as "<name>.tmp", then renamed. Mode 0600. Errors: internal, with the
/// system's reason in the context.
Result<void> replace_file(const std::filesystem::path& path, std::string_view content,
                          Durability durability = Durability::power_loss);
/// The whole file; more than `max_bytes` is an error.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes = 64 << 20);
/// Removes the file durably. Success if there is none.
Result<void> remove_file(const std::filesystem::path& path, Durability durability = Durability::power_loss);

}  // namespace virga
