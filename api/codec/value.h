#pragma once

// Scalars of the EC2 API as text: what Query parameters, XML elements and filter values have in common.

#include <string>
#include <string_view>

#include "api/codec/reflect.h"
#include "core/result.h"

namespace virga::codec {

/// The text of a scalar: integers decimal, booleans true/false, timestamps ISO 8601 with milliseconds, blobs base64.
std::string to_text(const ec2::Shape& shape, const void* value);

/// Reads a scalar of `shape` from its text. `parameter` names it in the error, which is InvalidParameterValue: not of
/// the type, out of the shape's range, or none of the enumeration's values.
Result<void> from_text(const ec2::Shape& shape, std::string_view text, void* value, std::string_view parameter);

/// EC2's "Value (x) for parameter Y is invalid. <why>".
Error invalid_value(std::string_view value, std::string_view parameter, std::string_view why);
Error missing_parameter(std::string_view parameter);
Error unknown_parameter(std::string_view parameter);

/// A decimal integer without sign tricks: no '+', spaces, leading zeros, hexadecimal or exponents. Nothing: not one.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// Whether text is UTF-8 whose characters XML 1.0 can carry, so that an answer holding it can be parsed.
bool is_legal_text(std::string_view text);
/// Unicode code points in legal text.
std::size_t length(std::string_view text);
/// At most 256 bytes of a caller's text, for messages and logs; cut between characters.
std::string shortened(std::string_view text);

enum class Base64 { standard, url };
std::string encode_base64(std::string_view bytes, Base64 variant = Base64::standard);
/// Nothing: not base64. White space between the digits is ignored in the standard form.
std::optional<std::string> decode_base64(std::string_view text, Base64 variant = Base64::standard);

/// Checks a string's or a list's length against the shape's bounds.
Result<void> check_length(const ec2::Shape& shape, std::size_t length, std::string_view value,
                          std::string_view parameter);
/// Checks a number against the shape's bounds and, for 32-bit shapes, the type's; stores it.
Result<void> store_integer(const ec2::Shape& shape, std::int64_t number, void* value, std::string_view parameter);

}  // namespace virga::codec
