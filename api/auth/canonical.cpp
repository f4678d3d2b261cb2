#include "api/auth/canonical.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <strings.h>

#include <algorithm>

#include "core/assert.h"

namespace virga::auth {
namespace {

constexpr std::string_view upper_hex = "0123456789ABCDEF";
constexpr std::string_view lower_hex = "0123456789abcdef";

std::string_view view(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

std::string encode(std::string_view text, std::string_view kept = {}) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || kept.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', upper_hex[byte >> 4], upper_hex[byte & 15]};
  }
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

/// The value of a header that is there exactly once.
const std::string* find_single(const HttpHeaders& headers, std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [field, value] : headers.all()) {
    if (field.size() != name.size() || strncasecmp(field.data(), name.data(), name.size()) != 0) continue;
    if (found != nullptr) return nullptr;
    found = &value;
  }
  return found;
}

}  // namespace

Digest hmac_sha256(std::string_view key, std::string_view data) {
  Digest digest;
  unsigned length = digest.size();
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(), &length);
  VIRGA_ASSERT(done != nullptr && length == digest.size());
  return digest;
}

std::string sha256_hex(std::string_view data) {
  Digest digest;
  VIRGA_ASSERT(EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return to_hex(digest);
}

std::string to_hex(const Digest& digest) {
  std::string out;
  out.reserve(2 * digest.size());
  for (const auto byte : digest) out += {lower_hex[byte >> 4], lower_hex[byte & 15]};
  return out;
}

Digest signing_key(std::string_view secret, const CredentialScope& scope) {
  Digest key = hmac_sha256("AWS4" + std::string(secret), scope.date);
  key = hmac_sha256(view(key), scope.region);
  key = hmac_sha256(view(key), scope.service);
  return hmac_sha256(view(key), "aws4_request");
}

std::optional<QueryPairs> parse_query(std::string_view query) {
  QueryPairs pairs;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals));
    auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return std::nullopt;
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

std::string canonical_query(const QueryPairs& pairs) {
  QueryPairs encoded;
  encoded.reserve(pairs.size());
  for (const auto& [name, value] : pairs) encoded.emplace_back(encode(name), encode(value));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

std::optional<std::string> canonical_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return std::nullopt;
  for (std::string_view rest = path.substr(1); !rest.empty();) {
    const auto end = std::min(rest.find('/'), rest.size());
    const auto segment = rest.substr(0, end);
    if (segment.empty() || segment == "." || segment == "..") return std::nullopt;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return encode(path, "/");
}

std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::optional<std::string> canonical_request(const HttpRequest& request, const QueryPairs& query,
                                             const std::vector<std::string>& signed_headers,
                                             std::string_view payload_hash) {
  const auto path = canonical_path(request.path());
  if (!path) return std::nullopt;
  std::string out = request.method + "\n" + *path + "\n" + canonical_query(query) + "\n";
  std::string names;
  for (const auto& name : signed_headers) {
    const auto* value = find_single(request.headers, name);
    if (value == nullptr) return std::nullopt;
    out += name + ":" + canonical_value(*value) + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  out += "\n" + names + "\n";
  out += payload_hash;
  return out;
}

std::string signature(const Digest& key, std::string_view date, const CredentialScope& scope,
                      std::string_view canonical_request) {
  std::string text(algorithm);
  text += "\n";
  text += date;
  text += "\n" + scope.str() + "\n" + sha256_hex(canonical_request);
  return to_hex(hmac_sha256(view(key), text));
}

}  // namespace virga::auth
