#pragma once

// Who signed this request: verification of AWS Signature Version 4. Thread-safe.
//
// Everything that cannot be understood is a refusal. What is acted on is signed: `host` and every x-amz-* header
// received must be among the signed headers, and the hash of the body is always that of the bytes received. The key is
// read from its source for every request, so a disabled or deleted one stops working at once; only the derived signing
// key is cached, by key id and version. An unknown key costs the same work as a known one.

#include <span>
#include <string>
#include <string_view>

#include "api/auth/signing_keys.h"
#include "core/http.h"
#include "core/identity/identity.h"
#include "core/result.h"
#include "core/time.h"

namespace virga::auth {

struct Credential;

struct Authenticated {
  identity::AccessKey key;
  std::string service;  ///< of the credential scope: which of the offered services the caller means
};

class Authenticator {
 public:
  Authenticator(identity::KeySource& keys, const Clock& clock, std::string region)
      : keys_(keys), clock_(clock), region_(std::move(region)) {}

  /// `services`: those this endpoint answers for (ec2, sts, iam). Refusals, by the service of the scope:
  /// missing_authentication_token, incomplete_signature (malformed), request_expired (clock), signature_does_not_match
  /// (scope is not ours); unknown or disabled key: auth_failure for ec2, else invalid_client_token_id; wrong signature:
  /// auth_failure for ec2, else signature_does_not_match; temporary credentials: invalid_client_token_id.
  /// A failure of the key source is passed on.
  Result<Authenticated> authenticate(const HttpRequest& request, std::span<const std::string_view> services) const;

 private:
  Result<void> check_time(const Credential& credential) const;

  identity::KeySource& keys_;
  const Clock& clock_;
  std::string region_;
  mutable SigningKeys signing_keys_;
};

}  // namespace virga::auth
