#pragma once

#include <string>
#include <string_view>

namespace virga {
/// SHA-256 of `text`, 64 lower-case hex digits.
std::string sha256_hex(std::string_view text);
}  // namespace virga
