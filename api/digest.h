#pragma once

#include <string>
#include <string_view>

namespace virga::api {

/// SHA-256 in lower-case hex.
std::string sha256_hex(std::string_view bytes);
/// HMAC-SHA256, 32 bytes; `key` has 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);
/// Compares without telling by its time where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace virga::api
