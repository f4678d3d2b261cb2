#pragma once

// SSH key material: strict reading of public keys, making of key pairs, and EC2's fingerprints.

#include <string>
#include <string_view>

#include "core/result.h"

namespace virga::compute {

enum class KeyType { rsa, ed25519 };
std::string_view to_string(KeyType type);

struct PublicKey {
  KeyType type = KeyType::ed25519;
  std::string line;         ///< "ssh-ed25519 AAAA... comment", one line without its end
  std::string fingerprint;  ///< as EC2 shows it for imported keys
};

/// Reads an OpenSSH public key line ("ssh-rsa" of 1024-16384 bits, or "ssh-ed25519").
/// Errors: InvalidKey.Format.
Result<PublicKey> parse_public_key(std::string_view material);

/// How a private key is written: `pem` is PKCS#1 PEM for rsa and OpenSSH's format for ed25519, `ppk` PuTTY's.
enum class KeyFormat { pem, ppk };

struct CreatedKey {
  PublicKey public_key;
  std::string private_key;  ///< the whole file. Given to the caller once, never kept.
};
/// Makes a new pair (rsa: 2048 bits).
Result<CreatedKey> create_key(KeyType type, KeyFormat format, const std::string& comment);

}  // namespace virga::compute
