#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/assert.h"
#include "core/identity/identity.h"
#include "core/unique_fd.h"

namespace virga::identity {

namespace {

using Key = std::array<unsigned char, crypto_secretbox_KEYBYTES>;

/// XSalsa20-Poly1305 with a random nonce: what is in the database is worthless without the key file.
class SodiumSealer final : public Sealer {
 public:
  explicit SodiumSealer(const Key& key) : key_(key) {}
  ~SodiumSealer() override { sodium_memzero(key_.data(), key_.size()); }

  std::string seal(std::string_view secret) override {
    std::string sealed(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + secret.size(), '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(sealed.data());
    randombytes_buf(bytes, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(bytes + crypto_secretbox_NONCEBYTES, reinterpret_cast<const unsigned char*>(secret.data()),
                          secret.size(), bytes, key_.data());
    std::string text(sodium_base64_ENCODED_LEN(sealed.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(), bytes, sealed.size(), sodium_base64_VARIANT_ORIGINAL);
    text.resize(std::strlen(text.c_str()));
    return text;
  }

  Result<std::string> unseal(std::string_view sealed) override {
    std::string bytes(sealed.size(), '\0');
    std::size_t size = 0;
    constexpr std::size_t overhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), sealed.data(), sealed.size(),
                          nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        size < overhead)
      return fail(internal_error("a sealed secret is damaged"));
    const auto* box = reinterpret_cast<const unsigned char*>(bytes.data());
    std::string secret(size - overhead, '\0');
    if (crypto_secretbox_open_easy(reinterpret_cast<unsigned char*>(secret.data()), box + crypto_secretbox_NONCEBYTES,
                                   size - crypto_secretbox_NONCEBYTES, box, key_.data()) != 0)
      return fail(internal_error("a sealed secret does not open: the master key is another one, or it is damaged"));
    return secret;
  }

 private:
  Key key_;
};

Result<Key> read_key(int fd, const std::string& file) {
  struct stat info {};
  Key key{};
  if (fstat(fd, &info) != 0 || (info.st_mode & 077) != 0)
    return fail(internal_error(file + ": the master key must have mode 0600"));
  if (read(fd, key.data(), key.size()) != static_cast<ssize_t>(key.size()))
    return fail(internal_error(file + ": the master key is too short"));
  return key;
}

/// Written under another name and linked into place: a crash leaves either no key or a whole one.
Result<void> make_key(const std::string& file) {
  Key key{};
  randombytes_buf(key.data(), key.size());
  const std::string temporary = fmt::format("{}.{}", file, getpid());
  const UniqueFd fd(open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd) return fail(internal_error(fmt::format("{}: {}", temporary, std::strerror(errno))));
  const bool written = write(fd.get(), key.data(), key.size()) == static_cast<ssize_t>(key.size()) && fsync(fd.get()) == 0;
  const bool linked = written && (link(temporary.c_str(), file.c_str()) == 0 || errno == EEXIST);
  unlink(temporary.c_str());
  if (!linked) return fail(internal_error(fmt::format("{}: {}", file, std::strerror(errno))));
  return {};
}

}  // namespace

Result<std::unique_ptr<Sealer>> Sealer::open(const std::string& key_file) {
  VIRGA_ASSERT(sodium_init() >= 0);
  UniqueFd fd(::open(key_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    TRY_VOID(make_key(key_file));
    fd = UniqueFd(::open(key_file.c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!fd) return fail(internal_error(fmt::format("{}: {}", key_file, std::strerror(errno))));
  const Key key = TRY(read_key(fd.get(), key_file));
  return std::make_unique<SodiumSealer>(key);
}

}  // namespace virga::identity
