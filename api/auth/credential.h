#pragma once

// What a request says about its signature, in either form: the Authorization header, or the query of a presigned URL.
// Parsing is strict: anything repeated, missing, unsorted or malformed is a refusal.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "api/auth/canonical.h"
#include "core/result.h"
#include "core/time.h"

namespace virga::auth {

struct Credential {
  std::string key_id;
  CredentialScope scope;
  std::vector<std::string> signed_headers;      ///< lower case, strictly ascending
  std::string signature;                        ///< 64 lower-case hex digits
  std::string date;                             ///< as received: yyyymmddThhmmssZ when well-formed
  std::optional<std::chrono::seconds> expires;  ///< presigned only
  bool temporary = false;                       ///< came with a security token
  QueryPairs query;                             ///< what of the query is signed
};

/// Errors: missing_authentication_token, incomplete_signature.
Result<Credential> parse_credential(const HttpRequest& request);

/// Exactly `yyyymmddThhmmssZ`, a moment that exists.
std::optional<Time> parse_amz_date(std::string_view text);

}  // namespace virga::auth
