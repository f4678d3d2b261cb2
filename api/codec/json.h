#pragma once

// The JSON dialect: the model's own names ({"VpcIds": ["vpc-..."]}), types as in JSON, timestamps ISO 8601, blobs
// base64. Also the form in which answers are kept for repeated ClientTokens, and requests are digested.

#include <span>
#include <string>
#include <string_view>

#include "api/codec/reflect.h"
#include "core/result.h"

namespace virga::codec {

enum class Origin {
  request,  ///< a caller's: bounds, enumerations and required members are checked
  stored    ///< Virga's own earlier answer
};

/// Objects and lists inside one another; checked before a document is built from the text.
inline constexpr int max_json_depth = 32;

/// Fills a structure. Errors: ValidationError (not JSON, too deep, a name twice), UnknownParameter, MissingParameter,
/// InvalidParameterValue.
Result<void> decode_json(std::string_view text, const ec2::Shape& shape, void* structure, Origin origin);

/// A structure as one JSON object. Absent scalars are left out, lists always written; `except`: members at the top that
/// are left out.
std::string encode_json(const ec2::Shape& shape, const void* structure, std::span<const std::string_view> except = {});

std::string encode_json_error(std::string_view code, std::string_view message, std::string_view request_id);

}  // namespace virga::codec
