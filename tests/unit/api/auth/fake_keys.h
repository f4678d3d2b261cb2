#pragma once

#include <map>
#include <mutex>

#include "core/identity/identity.h"

namespace virga::auth::test {

constexpr auto key_id = "AKIAIOSFODNN7EXAMPLE";
constexpr auto secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Keys in memory.
class FakeKeys final : public identity::KeySource {
 public:
  FakeKeys() { put(key_id, secret); }
  void put(const std::string& id, const std::string& plain, std::int64_t version = 1) {
    identity::AccessKey key;
    key.id = id;
    key.secret = plain;
    key.version = version;
    keys[id] = key;
  }
  Result<std::optional<identity::AccessKey>> find_access_key(const std::string& id) override {
    ++lookups;
    if (broken) return fail(internal_error("the store is broken"));
    const auto found = keys.find(id);
    if (found == keys.end()) return std::nullopt;
    return found->second;
  }
  std::map<std::string, identity::AccessKey> keys;
  int lookups = 0;
  bool broken = false;
};

}  // namespace virga::auth::test
