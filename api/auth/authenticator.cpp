#include "api/auth/authenticator.h"

#include <openssl/crypto.h>
#include <strings.h>

#include <algorithm>

#include "api/auth/credential.h"

namespace virga::auth {
namespace {

constexpr std::chrono::minutes max_skew{5};

constexpr auto not_validated = "AWS was not able to validate the provided access credentials";

tl::unexpected<Error> wrong_signature(const std::string& service) {
  if (service == "ec2") return fail(Code::auth_failure, not_validated);
  return fail(Code::signature_does_not_match,
              "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
              "Access Key and signing method. Consult the service documentation for details.");
}

tl::unexpected<Error> unknown_key(const std::string& service) {
  if (service == "ec2") return fail(Code::auth_failure, not_validated);
  return fail(Code::invalid_client_token_id, "The security token included in the request is invalid.");
}

Result<void> check_scope(const CredentialScope& scope, const std::string& region,
                         std::span<const std::string_view> services) {
  if (std::ranges::find(services, scope.service) == services.end())
    return fail(Code::signature_does_not_match, "Credential should be scoped to a service of this endpoint.");
  if (scope.region != region)
    return fail(Code::signature_does_not_match, "Credential should be scoped to the region " + region + ".");
  return {};
}

/// Headers that steer the request must be signed; others (user agent, retry counters) may be added on the way.
bool covers_what_counts(const HttpRequest& request, const std::vector<std::string>& signed_headers) {
  const auto is_signed = [&](std::string name) {
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::ranges::binary_search(signed_headers, name);
  };
  if (!is_signed("host")) return false;
  return std::ranges::all_of(request.headers.all(), [&](const auto& field) {
    return strncasecmp(field.first.c_str(), "x-amz-", 6) != 0 || is_signed(field.first);
  });
}

bool equal(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

/// Stands in for an unknown key. Its id cannot be one of a request, so it has its own place in the cache.
identity::AccessKey stand_in() {
  identity::AccessKey key;
  key.id = "";
  key.secret = "unknownunknownunknownunknownunknownunkno";
  key.active = false;
  return key;
}

}  // namespace

Result<Authenticated> Authenticator::authenticate(const HttpRequest& request,
                                                  std::span<const std::string_view> services) const {
  const Credential credential = TRY(parse_credential(request));
  const std::string& service = credential.scope.service;
  TRY_VOID(check_scope(credential.scope, region_, services));
  TRY_VOID(check_time(credential));
  if (credential.temporary)
    return fail(Code::invalid_client_token_id, "The security token included in the request is invalid.");
  if (!covers_what_counts(request, credential.signed_headers)) return wrong_signature(service);

  const std::string payload_hash = sha256_hex(request.body);
  const auto* claimed = request.headers.find("X-Amz-Content-Sha256");
  if (claimed != nullptr && *claimed != payload_hash) return wrong_signature(service);
  const auto canonical = canonical_request(request, credential.query, credential.signed_headers, payload_hash);
  if (!canonical) return wrong_signature(service);

  const auto found = TRY(keys_.find_access_key(credential.key_id));
  const bool usable = found && found->active;
  const identity::AccessKey key = usable ? *found : stand_in();
  const Digest derived = signing_keys_.find(key.id, key.version, key.secret, credential.scope);
  const bool matches = equal(signature(derived, credential.date, credential.scope, *canonical), credential.signature);
  if (!usable) return unknown_key(service);
  if (!matches) return wrong_signature(service);
  return Authenticated{key, service};
}

Result<void> Authenticator::check_time(const Credential& credential) const {
  const auto date = parse_amz_date(credential.date);
  if (!date || credential.date.substr(0, 8) != credential.scope.date) return wrong_signature(credential.scope.service);
  const auto age = clock_.now() - *date;
  const std::chrono::milliseconds oldest = credential.expires ? *credential.expires : std::chrono::seconds(max_skew);
  if (age > oldest || age < -max_skew)
    return fail(Code::request_expired, "Request has expired. Its date is " + credential.date + ", the time is " +
                                           to_iso8601(clock_.now()) + ".");
  return {};
}

}  // namespace virga::auth
