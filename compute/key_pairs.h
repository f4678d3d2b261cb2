#pragma once

// Key pairs: named public keys of an account.

#include <optional>
#include <string>
#include <vector>

#include "compute/ssh_keys.h"
#include "core/scope.h"

namespace virga::compute {

struct KeyPair {
  KeyPairId id;
  std::string name;
  KeyType type = KeyType::ed25519;
  std::string fingerprint;
  std::string public_key;
  Time created;
};

namespace key_pairs {

/// Up to 255 printable ASCII characters without a space at either end. Errors: InvalidParameterValue.
Result<void> check_name(const std::string& name);
/// Errors: InvalidKeyPair.Duplicate, InvalidParameterValue (name), KeyPairLimitExceeded.
Result<KeyPair> add(Scope& scope, const std::string& name, const PublicKey& key);
/// Errors: InvalidKeyPair.NotFound.
Result<KeyPair> find(Scope& scope, const std::string& name);
Result<KeyPair> find(Scope& scope, const KeyPairId& id);
/// Ordered by id.
std::vector<KeyPair> list(Scope& scope);
void remove(Scope& scope, const KeyPair& pair);

}  // namespace key_pairs
}  // namespace virga::compute
