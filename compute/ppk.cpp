#include "compute/ppk.h"

#include <fmt/format.h>
#include <openssl/hmac.h>

#include <array>

#include "compute/crypto.h"
#include "compute/ssh_wire.h"

namespace virga::compute {

namespace {

constexpr std::size_t line_length = 64;
constexpr std::string_view encryption = "none";

/// "Public-Lines: 2", and the two lines.
std::string lines(std::string_view name, std::string_view blob) {
  const auto digits = crypto::base64(blob);
  std::string text = fmt::format("{}-Lines: {}\n", name, (digits.size() + line_length - 1) / line_length);
  for (std::size_t at = 0; at < digits.size(); at += line_length) text += digits.substr(at, line_length) + "\n";
  return text;
}

std::string mac(const PpkKey& key) {
  std::string covered;
  for (const auto part : {key.algorithm, encryption, key.comment, key.public_blob, key.private_blob})
    ssh_wire::put_string(covered, part);
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned int length = 0;
  // The key is empty; a null pointer would mean "as before".
  HMAC(EVP_sha256(), "", 0, reinterpret_cast<const unsigned char*>(covered.data()), covered.size(), code.data(),
       &length);
  OPENSSL_cleanse(covered.data(), covered.size());
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", code[i]);
  return hex;
}

}  // namespace

std::string ppk_file(const PpkKey& key) {
  return fmt::format("PuTTY-User-Key-File-3: {}\nEncryption: {}\nComment: {}\n", key.algorithm, encryption,
                     key.comment) +
         lines("Public", key.public_blob) + lines("Private", key.private_blob) +
         fmt::format("Private-MAC: {}\n", mac(key));
}

}  // namespace virga::compute
