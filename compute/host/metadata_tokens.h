#pragma once

// Session tokens of the metadata service (IMDSv2). A token is its expiry and an HMAC over expiry, instance and network
// interface: nothing is stored, so any number can be given out, and a restart does not end them. Thread-safe.

#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace virga::compute {

/// Whom a token was given to; it is of no use to anyone else.
struct TokenHolder {
  InstanceId instance;
  NetworkInterfaceId interface;
};

class MetadataTokens {
 public:
  using Key = std::array<unsigned char, 32>;

  explicit MetadataTokens(const Key& key) : key_(key) {}
  /// With the host's key; one is made at first (mode 0600), and again if the file is damaged.
  static Result<MetadataTokens> create(const std::filesystem::path& key_file);

  std::string issue(const TokenHolder& holder, Time now, std::chrono::seconds lifetime) const;
  /// How long the token is still good; nothing if it is expired, altered, malformed or another's. Constant in time over
  /// the contents of tokens of equal length.
  std::optional<std::chrono::seconds> check(std::string_view token, const TokenHolder& holder, Time now) const;

 private:
  std::string signature(std::string_view expiry, const TokenHolder& holder) const;
  Key key_;
};

}  // namespace virga::compute
