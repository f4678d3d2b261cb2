#include "api/auth/signer.h"

#include <algorithm>
#include <set>

#include "api/auth/canonical.h"
#include "core/assert.h"

namespace virga::auth {

void sign(HttpRequest& request, const SigningCredentials& credentials, Time time) {
  const std::string date = to_amz_date(time);
  request.headers.add("X-Amz-Date", date);
  std::set<std::string> names;
  for (const auto& [field, value] : request.headers.all()) {
    std::string name = field;
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name == "host" || name == "content-type" || name.starts_with("x-amz-")) names.insert(std::move(name));
  }
  const std::vector<std::string> signed_headers(names.begin(), names.end());
  std::string list;
  for (const auto& name : signed_headers) list += (list.empty() ? "" : ";") + name;

  const auto query = parse_query(request.query());
  VIRGA_ASSERT(query.has_value() && names.contains("host"));
  const auto canonical = canonical_request(request, *query, signed_headers, sha256_hex(request.body));
  VIRGA_ASSERT(canonical.has_value());
  const CredentialScope scope{date.substr(0, 8), credentials.region, credentials.service};
  request.headers.add("Authorization", std::string(algorithm) + " Credential=" + credentials.key_id + "/" +
                                           scope.str() + ", SignedHeaders=" + list + ", Signature=" +
                                           signature(signing_key(credentials.secret, scope), date, scope, *canonical));
}

std::string to_amz_date(Time time) {
  std::string text = to_iso8601(time).substr(0, 19);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

}  // namespace virga::auth
