#include "core/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "core/assert.h"

namespace virga {

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  VIRGA_ASSERT(EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) fmt::format_to(std::back_inserter(hex), "{:02x}", bytes.at(i));
  return hex;
}

}  // namespace virga
