#pragma once

// The SSH wire format (RFC 4251 §5), as far as keys need it: length-prefixed strings, big-endian numbers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace virga::compute::ssh_wire {

inline void put_uint32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>((value >> shift) & 0xff));
}
inline void put_string(std::string& out, std::string_view text) {
  put_uint32(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}
/// A positive number given as big-endian bytes without leading zeros.
inline void put_mpint(std::string& out, std::string magnitude) {
  if (!magnitude.empty() && (static_cast<unsigned char>(magnitude[0]) & 0x80) != 0) magnitude.insert(0, 1, '\0');
  put_string(out, magnitude);
}

/// Takes the next string off `in`; nothing when it is cut short.
inline std::optional<std::string_view> take_string(std::string_view& in) {
  if (in.size() < 4) return std::nullopt;
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(in[i]);
  if (in.size() - 4 < length) return std::nullopt;
  const auto text = in.substr(4, length);
  in.remove_prefix(4 + std::size_t{length});
  return text;
}

}  // namespace virga::compute::ssh_wire
