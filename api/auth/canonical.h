#pragma once

// The arithmetic of AWS Signature Version 4: canonical forms, hashes and the key chain. Used by both sides, the
// verifier (authenticator.h) and the signer (signer.h). Pure functions.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/http.h"

namespace virga::auth {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
using Digest = std::array<std::uint8_t, 32>;

Digest hmac_sha256(std::string_view key, std::string_view data);
std::string sha256_hex(std::string_view data);
std::string to_hex(const Digest& digest);

/// What a signature is valid for: `20261122/us-east-1/ec2/aws4_request`.
struct CredentialScope {
  std::string date;  ///< yyyymmdd
  std::string region;
  std::string service;
  std::string str() const { return date + "/" + region + "/" + service + "/aws4_request"; }
};

Digest signing_key(std::string_view secret, const CredentialScope& scope);

/// Names and values, decoded; nothing when an escape is malformed. `+` is a space, as for whoever reads the parameters.
using QueryPairs = std::vector<std::pair<std::string, std::string>>;
std::optional<QueryPairs> parse_query(std::string_view query);
/// Encoded anew by RFC 3986 and sorted, so that equal parameters have one form.
std::string canonical_query(const QueryPairs& pairs);
/// The path as received, encoded once more. Nothing for paths with empty or dot segments, which clients normalise.
std::optional<std::string> canonical_path(std::string_view path);
/// Without surrounding blanks, runs of spaces folded.
std::string canonical_value(std::string_view value);

/// The canonical request. Each of the signed headers (lower case, in order) must be there exactly once.
std::optional<std::string> canonical_request(const HttpRequest& request, const QueryPairs& query,
                                             const std::vector<std::string>& signed_headers,
                                             std::string_view payload_hash);
/// The signature in hex. `date`: yyyymmddThhmmssZ.
std::string signature(const Digest& key, std::string_view date, const CredentialScope& scope,
                      std::string_view canonical_request);

}  // namespace virga::auth
