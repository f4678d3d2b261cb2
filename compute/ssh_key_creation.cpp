#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "compute/crypto.h"
#include "compute/ppk.h"
#include "compute/ssh_keys.h"
#include "compute/ssh_wire.h"

namespace virga::compute {

namespace {

constexpr unsigned int rsa_bits = 2048;
constexpr std::size_t ed25519_bytes = 32;

std::string raw_part(int (*get)(const EVP_PKEY*, unsigned char*, std::size_t*), const EVP_PKEY* key) {
  std::string bytes(ed25519_bytes, '\0');
  std::size_t length = bytes.size();
  return get(key, reinterpret_cast<unsigned char*>(bytes.data()), &length) == 1 && length == ed25519_bytes ? bytes : "";
}

/// The container of OpenSSH's PROTOCOL.key, without a passphrase.
std::string openssh_private_key(const std::string& blob, const std::string& point, const std::string& seed,
                                const std::string& comment) {
  std::uint32_t check = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&check), sizeof check);
  std::string secret;
  ssh_wire::put_uint32(secret, check);
  ssh_wire::put_uint32(secret, check);
  ssh_wire::put_string(secret, "ssh-ed25519");
  ssh_wire::put_string(secret, point);
  ssh_wire::put_string(secret, seed + point);
  ssh_wire::put_string(secret, comment);
  for (char pad = 1; secret.size() % 8 != 0; ++pad) secret.push_back(pad);
  std::string bytes("openssh-key-v1", 15);
  ssh_wire::put_string(bytes, "none");  // cipher
  ssh_wire::put_string(bytes, "none");  // key derivation
  ssh_wire::put_string(bytes, "");
  ssh_wire::put_uint32(bytes, 1);
  ssh_wire::put_string(bytes, blob);
  ssh_wire::put_string(bytes, secret);
  const auto digits = crypto::base64(bytes);
  std::string pem = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
  for (std::size_t at = 0; at < digits.size(); at += 70) pem += digits.substr(at, 70) + "\n";
  return pem + "-----END OPENSSH PRIVATE KEY-----\n";
}

Result<CreatedKey> create_ed25519(KeyFormat format, const std::string& comment) {
  const crypto::Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return fail(internal_error("ed25519 key generation failed"));
  const auto point = raw_part(&EVP_PKEY_get_raw_public_key, key.get());
  const auto seed = raw_part(&EVP_PKEY_get_raw_private_key, key.get());
  std::string blob;
  ssh_wire::put_string(blob, "ssh-ed25519");
  ssh_wire::put_string(blob, point);
  auto public_key = TRY(parse_public_key("ssh-ed25519 " + crypto::base64(blob) + " " + comment));
  if (format == KeyFormat::pem)
    return CreatedKey{std::move(public_key), openssh_private_key(blob, point, seed, comment)};
  std::string secret;
  ssh_wire::put_string(secret, seed);
  return CreatedKey{std::move(public_key), ppk_file({"ssh-ed25519", comment, blob, secret})};
}

std::string rsa_part(const EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return "";
  const crypto::Number number(raw);
  return crypto::bytes_of(*number);
}

std::string pkcs1_pem(EVP_PKEY* key) {
  const crypto::Memory memory(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PrivateKey_traditional(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) return "";
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(length)};
}

std::string rsa_ppk(const EVP_PKEY* key, const std::string& blob, const std::string& comment) {
  std::string secret;
  for (const auto* part : {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
                           OSSL_PKEY_PARAM_RSA_COEFFICIENT1})
    ssh_wire::put_mpint(secret, rsa_part(key, part));
  return ppk_file({"ssh-rsa", comment, blob, secret});
}

Result<CreatedKey> create_rsa(KeyFormat format, const std::string& comment) {
  const crypto::Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{rsa_bits}));
  if (!key) return fail(internal_error("rsa key generation failed"));
  std::string blob;
  ssh_wire::put_string(blob, "ssh-rsa");
  ssh_wire::put_mpint(blob, rsa_part(key.get(), OSSL_PKEY_PARAM_RSA_E));
  ssh_wire::put_mpint(blob, rsa_part(key.get(), OSSL_PKEY_PARAM_RSA_N));
  auto public_key = TRY(parse_public_key("ssh-rsa " + crypto::base64(blob) + " " + comment));
  // EC2 shows another fingerprint for keys it made itself: SHA-1 over the private key in PKCS#8.
  const crypto::Pkcs8 pkcs8(EVP_PKEY2PKCS8(key.get()));
  if (!pkcs8) return fail(internal_error("pkcs8 encoding failed"));
  const auto private_der = crypto::der<const PKCS8_PRIV_KEY_INFO>(&i2d_PKCS8_PRIV_KEY_INFO, pkcs8.get());
  public_key.fingerprint = crypto::colon_hex(crypto::digest(EVP_sha1(), private_der));
  auto text = format == KeyFormat::pem ? pkcs1_pem(key.get()) : rsa_ppk(key.get(), blob, comment);
  if (text.empty()) return fail(internal_error("private key encoding failed"));
  return CreatedKey{std::move(public_key), std::move(text)};
}

}  // namespace

Result<CreatedKey> create_key(KeyType type, KeyFormat format, const std::string& comment) {
  return type == KeyType::rsa ? create_rsa(format, comment) : create_ed25519(format, comment);
}

}  // namespace virga::compute
