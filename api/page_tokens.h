#pragma once

// NextToken: the key of the last item, sealed with a MAC over account, action and request, so that a token works only
// for who got it and for the list it was given for. Holds a position, not an offset: it survives concurrent writes, and
// restarts, since the MAC's key is kept in the store.

#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/store/store.h"

namespace virga::api {

class PageTokens {
 public:
  /// Takes the key from the store, or makes one.
  static Result<PageTokens> open(store::Store& store, IdSource& ids);

  /// What a token is good for.
  struct List {
    std::string account;
    std::string action;
    std::string digest;  ///< of the request without its page
  };
  std::string issue(const List& list, std::string_view last_key) const;
  /// The last key. Errors: InvalidNextToken.
  Result<std::string> redeem(const List& list, std::string_view token) const;

 private:
  explicit PageTokens(std::string key) : key_(std::move(key)) {}
  std::string mac(const List& list, std::string_view last_key) const;
  std::string key_;
};

}  // namespace virga::api
