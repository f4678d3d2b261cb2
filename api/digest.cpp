#include "api/digest.h"

#include <sodium.h>

#include "core/assert.h"

namespace virga::api {

namespace {
const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
}  // namespace

std::string sha256_hex(std::string_view bytes) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, bytes_of(bytes), bytes.size());
  char hex[sizeof hash * 2 + 1];
  return sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  VIRGA_ASSERT(key.size() == crypto_auth_hmacsha256_KEYBYTES);
  unsigned char mac[crypto_auth_hmacsha256_BYTES];
  crypto_auth_hmacsha256(mac, bytes_of(bytes), bytes.size(), bytes_of(key));
  return {reinterpret_cast<const char*>(mac), sizeof mac};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace virga::api
