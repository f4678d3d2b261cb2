#include "api/page_tokens.h"

#include <fmt/format.h>

#include "api/codec/value.h"
#include "api/digest.h"

namespace virga::api {

namespace {
constexpr std::size_t key_bytes = 32;
constexpr std::size_t mac_bytes = 16;
constexpr std::size_t max_token_bytes = 2048;
}  // namespace

Result<PageTokens> PageTokens::open(store::Store& store, IdSource& ids) {
  return store.write([&](store::Transaction& tx) -> Result<PageTokens> {
    const auto text = [](store::Row& row) { return row.text(0); };
    if (const auto kept = tx.one("SELECT value FROM setting WHERE name = 'page_token_key'", text)) {
      auto key = codec::decode_base64(*kept);
      if (!key || key->size() != key_bytes) return fail(internal_error("setting page_token_key is damaged"));
      return PageTokens(std::move(*key));
    }
    std::string key;
    while (key.size() < key_bytes) {
      const auto random = ids.next();
      for (int shift = 0; shift < 64; shift += 8) key += static_cast<char>((random >> shift) & 0xFF);
    }
    tx.execute("INSERT INTO setting (name, value) VALUES ('page_token_key', ?)", codec::encode_base64(key));
    return PageTokens(std::move(key));
  });
}

std::string PageTokens::issue(const List& list, std::string_view last_key) const {
  return codec::encode_base64(mac(list, last_key) + std::string(last_key), codec::Base64::url);
}

Result<std::string> PageTokens::redeem(const List& list, std::string_view token) const {
  const auto bytes = token.size() <= max_token_bytes ? codec::decode_base64(token, codec::Base64::url) : std::nullopt;
  if (bytes && bytes->size() > mac_bytes) {
    auto last_key = bytes->substr(mac_bytes);
    if (equal_in_constant_time(std::string_view(*bytes).substr(0, mac_bytes), mac(list, last_key))) return last_key;
  }
  return fail(Code::invalid_next_token,
              "The token is invalid: use the NextToken of an earlier answer to the same request.");
}

std::string PageTokens::mac(const List& list, std::string_view last_key) const {
  // Lengths in front keep two different lists from giving the same text.
  const auto text = fmt::format("{}:{} {}:{} {}:{} {}", list.account.size(), list.account, list.action.size(),
                                list.action, list.digest.size(), list.digest, last_key);
  return hmac_sha256(key_, text).substr(0, mac_bytes);
}

}  // namespace virga::api
