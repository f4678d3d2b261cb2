#pragma once

// Derived signing keys, so that four of five HMACs are spared on most requests. Bounded; thread-safe.

#include <map>
#include <mutex>
#include <string>

#include "api/auth/canonical.h"

namespace virga::auth {

class SigningKeys {
 public:
  explicit SigningKeys(std::size_t max = 4096) : max_(max) {}

  /// The version is part of the name: a rotated secret never meets the old one's key.
  Digest find(const std::string& key_id, std::int64_t version, std::string_view secret, const CredentialScope& scope) {
    const std::string name = key_id + "/" + std::to_string(version) + "/" + scope.str();
    {
      const std::lock_guard lock(mutex_);
      const auto found = keys_.find(name);
      if (found != keys_.end()) return found->second;
    }
    const Digest key = signing_key(secret, scope);
    const std::lock_guard lock(mutex_);
    // Yesterday's keys make up most of a full cache; deriving the others again is cheap.
    if (keys_.size() >= max_) keys_.clear();
    keys_.emplace(name, key);
    return key;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return keys_.size();
  }

 private:
  std::size_t max_;
  mutable std::mutex mutex_;
  std::map<std::string, Digest> keys_;
};

}  // namespace virga::auth
