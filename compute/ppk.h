#pragma once

// PuTTY's file format for private keys, version 3, without a passphrase.

#include <string>
#include <string_view>

namespace virga::compute {

struct PpkKey {
  std::string_view algorithm;     ///< "ssh-rsa", "ssh-ed25519"
  std::string_view comment;       ///< one line
  std::string_view public_blob;   ///< as on the SSH wire
  std::string_view private_blob;  ///< rsa: mpints d, p, q, q^-1 mod p; ed25519: a string, the seed
};

/// The whole file. Its MAC has an empty key, since there is no passphrase: it only finds damage.
std::string ppk_file(const PpkKey& key);

}  // namespace virga::compute
