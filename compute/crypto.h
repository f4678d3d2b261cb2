#pragma once

// OpenSSL for SSH keys: owners of its handles, digests, base64. Included by compute/*.cpp only.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace virga::compute::crypto {

template <auto free_function>
struct Free {
  template <class T>
  void operator()(T* handle) const {
    free_function(handle);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;

std::string digest(const EVP_MD* algorithm, std::string_view bytes);
/// "1f:51:ae:..."
std::string colon_hex(std::string_view bytes);
std::string base64(std::string_view bytes);
/// Strict: only digits and the right padding. Nothing: not base64.
std::optional<std::string> from_base64(std::string_view text);
std::string bytes_of(const BIGNUM& number);

/// A structure's DER by one of OpenSSL's i2d functions.
template <class T>
std::string der(int (*encode)(T*, unsigned char**), std::remove_const_t<T>* value) {
  unsigned char* bytes = nullptr;
  const int length = encode(value, &bytes);
  if (length <= 0) return {};
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(length));
  return text;
}

}  // namespace virga::compute::crypto
