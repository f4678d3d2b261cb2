#include "compute/ssh_keys.h"

#include <openssl/core_names.h>

#include <algorithm>

#include "compute/crypto.h"
#include "compute/ssh_wire.h"

namespace virga::compute {

std::string_view to_string(KeyType type) { return type == KeyType::rsa ? "rsa" : "ed25519"; }

namespace {

constexpr std::size_t ed25519_bytes = 32;
constexpr int min_rsa_bits = 1024;
constexpr int max_rsa_bits = 16384;
constexpr std::size_t max_material = 32 * 1024;

tl::unexpected<Error> bad_key(std::string why) {
  return fail(Code::invalid_key_format, "Key is not in valid OpenSSH public key format: " + std::move(why));
}

/// An mpint as OpenSSH writes it: positive, without needless zeros.
crypto::Number positive_number(std::string_view mpint) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(mpint[i]); };
  if (mpint.empty() || (byte(0) & 0x80) != 0) return nullptr;
  if (byte(0) == 0 && (mpint.size() < 2 || (byte(1) & 0x80) == 0)) return nullptr;
  return crypto::Number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(mpint.data()), static_cast<int>(mpint.size()), nullptr));
}

Result<std::string> rsa_fingerprint(const BIGNUM& modulus, const BIGNUM& exponent) {
  const crypto::ParamBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, &modulus);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, &exponent);
  const crypto::Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const crypto::KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* raw = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return bad_key("not an RSA key.");
  const crypto::Key key(raw);
  return crypto::colon_hex(crypto::digest(EVP_md5(), crypto::der<const EVP_PKEY>(&i2d_PUBKEY, key.get())));
}

Result<std::string> check_rsa(std::string_view body) {
  const auto e = ssh_wire::take_string(body);
  const auto n = ssh_wire::take_string(body);
  if (!e || !n || !body.empty()) return bad_key("the key data is damaged.");
  const auto exponent = positive_number(*e);
  const auto modulus = positive_number(*n);
  if (!exponent || !modulus || BN_is_odd(exponent.get()) == 0 || BN_is_odd(modulus.get()) == 0 ||
      BN_num_bits(exponent.get()) > 64 || BN_num_bits(exponent.get()) < 2)
    return bad_key("the key data is damaged.");
  const int bits = BN_num_bits(modulus.get());
  if (bits < min_rsa_bits || bits > max_rsa_bits) return bad_key("RSA keys must have 1024 to 16384 bits.");
  return rsa_fingerprint(*modulus, *exponent);
}

std::string ed25519_fingerprint(std::string_view blob) { return crypto::base64(crypto::digest(EVP_sha256(), blob)); }

Result<std::string> check_ed25519(std::string_view blob, std::string_view body) {
  const auto point = ssh_wire::take_string(body);
  if (!point || point->size() != ed25519_bytes || !body.empty()) return bad_key("the key data is damaged.");
  return ed25519_fingerprint(blob);
}

}  // namespace

Result<PublicKey> parse_public_key(std::string_view material) {
  if (material.size() > max_material) return bad_key("it is too long.");
  while (!material.empty() && (material.back() == '\n' || material.back() == '\r' || material.back() == ' '))
    material.remove_suffix(1);
  if (std::ranges::any_of(material, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return bad_key("it must be one line.");
  const auto first = material.find(' ');
  if (first == std::string_view::npos) return bad_key("expected 'ssh-rsa AAAA...' or 'ssh-ed25519 AAAA...'.");
  const auto type = material.substr(0, first);
  const auto blob = crypto::from_base64(material.substr(first + 1, material.find(' ', first + 1) - first - 1));
  if (!blob) return bad_key("the key data is not base64.");
  std::string_view body = *blob;
  const auto inner = ssh_wire::take_string(body);
  if (!inner || *inner != type) return bad_key("the key data is of another type than the line says.");
  if (type == "ssh-rsa") {
    auto fingerprint = TRY(check_rsa(body));
    return PublicKey{KeyType::rsa, std::string(material), std::move(fingerprint)};
  }
  if (type == "ssh-ed25519") {
    auto fingerprint = TRY(check_ed25519(*blob, body));
    return PublicKey{KeyType::ed25519, std::string(material), std::move(fingerprint)};
  }
  return bad_key("only ssh-rsa and ssh-ed25519 keys are supported.");
}

}  // namespace virga::compute
