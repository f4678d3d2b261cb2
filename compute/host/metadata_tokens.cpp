#include "compute/host/metadata_tokens.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "core/unique_fd.h"

namespace virga::compute {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t expiry_digits = 16;   // hexadecimal milliseconds since the epoch
constexpr std::size_t signature_size = 44;  // base64 of SHA-256
constexpr std::size_t token_size = expiry_digits + signature_size;

std::string base64url(const unsigned char* bytes, std::size_t size) {
  std::string text((size + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.pop_back();  // the NUL that EVP_EncodeBlock writes
  for (auto& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

Error io_error(const fs::path& path) {
  return internal_error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
}

// The key, if the file has one; nothing if it is absent, damaged, or readable by others.
std::optional<MetadataTokens::Key> read_key(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  MetadataTokens::Key key{};
  if (!file || ::fstat(file.get(), &status) != 0 || (status.st_mode & 077) != 0 ||
      status.st_size != static_cast<off_t>(key.size()) ||
      ::read(file.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size())) {
    return std::nullopt;
  }
  return key;
}

Result<void> write_key(const fs::path& path, const MetadataTokens::Key& key) {
  const auto fresh = path.string() + ".new";
  ::unlink(fresh.c_str());
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || ::write(file.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size()) ||
      ::fsync(file.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
    return fail(io_error(fresh));
  }
  const UniqueFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail(io_error(path));
  return {};
}

}  // namespace

Result<MetadataTokens> MetadataTokens::create(const fs::path& key_file) {
  if (const auto known = read_key(key_file)) return MetadataTokens(*known);
  Key key{};
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) return fail(internal_error("no random bytes"));
  TRY_VOID(write_key(key_file, key));
  return MetadataTokens(key);
}

std::string MetadataTokens::issue(const TokenHolder& holder, Time now, std::chrono::seconds lifetime) const {
  const auto expiry = fmt::format("{:016x}", static_cast<std::uint64_t>((now + lifetime).ms));
  return expiry + signature(expiry, holder);
}

std::optional<std::chrono::seconds> MetadataTokens::check(std::string_view token, const TokenHolder& holder,
                                                          Time now) const {
  if (token.size() != token_size) return std::nullopt;
  const auto expiry = token.substr(0, expiry_digits);
  const auto expected = signature(expiry, holder);
  if (CRYPTO_memcmp(expected.data(), token.data() + expiry_digits, signature_size) != 0) return std::nullopt;
  std::uint64_t until = 0;
  std::from_chars(expiry.data(), expiry.data() + expiry.size(), until, 16);  // ours, as the signature says
  const auto left = Time{static_cast<std::int64_t>(until)} - now;
  if (left.count() <= 0) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(left);
}

std::string MetadataTokens::signature(std::string_view expiry, const TokenHolder& holder) const {
  const auto text = fmt::format("{}\n{}\n{}", expiry, holder.instance.str(), holder.interface.str());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest.data(), &size);
  return base64url(digest.data(), size);
}

}  // namespace virga::compute
