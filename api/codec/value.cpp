#include "api/codec/value.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/assert.h"

namespace virga::codec {

using ec2::Kind;
using ec2::Shape;

namespace {

constexpr std::size_t max_shown_bytes = 256;

/// The code point at the front of `text`, or nothing when it is not UTF-8; removes it from the text.
std::optional<char32_t> next_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead < 0x80 ? 1 : (lead >> 5) == 6 ? 2 : (lead >> 4) == 14 ? 3 : (lead >> 3) == 30 ? 4 : 0;
  if (size == 0 || size > text.size()) return std::nullopt;
  char32_t point = size == 1 ? lead : static_cast<char32_t>(lead & (0x7F >> size));
  for (std::size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return std::nullopt;
    point = (point << 6) | (next & 0x3F);
  }
  // The shortest form only: a longer one would let two spellings of one text pass comparisons differently.
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < smallest[size] || point > 0x10FFFF) return std::nullopt;
  text.remove_prefix(size);
  return point;
}

bool xml_can_carry(char32_t point) {
  if (point < 0x20) return point == '\t' || point == '\n' || point == '\r';
  return point < 0xD800 || (point > 0xDFFF && point < 0xFFFE) || point > 0xFFFF;
}

std::string joined(std::span<const std::string_view> values) {
  std::string text;
  for (const auto value : values) text += (text.empty() ? "" : ", ") + std::string(value);
  return text;
}

bool equal_without_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

Result<void> store_string(const Shape& shape, std::string_view text, void* value, std::string_view parameter) {
  TRY_VOID(check_length(shape, length(text), text, parameter));
  if (!shape.values.empty() && std::ranges::find(shape.values, text) == shape.values.end())
    return fail(invalid_value(text, parameter, "Valid values are: " + joined(shape.values) + "."));
  static_cast<std::string*>(value)->assign(text);
  return {};
}

Result<void> store_real(std::string_view text, void* value, std::string_view parameter) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return fail(invalid_value(text, parameter, "It must be a number."));
  *static_cast<double*>(value) = number;
  return {};
}

}  // namespace

std::string to_text(const Shape& shape, const void* value) {
  switch (shape.kind) {
    case Kind::string:
    case Kind::enumeration:
      return *static_cast<const std::string*>(value);
    case Kind::integer:
      return fmt::format("{}", *static_cast<const std::int32_t*>(value));
    case Kind::long_integer:
      return fmt::format("{}", *static_cast<const std::int64_t*>(value));
    case Kind::real:
      return fmt::format("{}", *static_cast<const double*>(value));
    case Kind::boolean:
      return *static_cast<const bool*>(value) ? "true" : "false";
    case Kind::timestamp:
      return to_iso8601(*static_cast<const Time*>(value));
    case Kind::blob:
      return encode_base64(static_cast<const ec2::Blob*>(value)->bytes);
    case Kind::structure:
    case Kind::list:
      break;
  }
  assertion_failed("a scalar shape", __FILE__, __LINE__);
}

Result<void> from_text(const Shape& shape, std::string_view text, void* value, std::string_view parameter) {
  switch (shape.kind) {
    case Kind::string:
    case Kind::enumeration:
      return store_string(shape, text, value, parameter);
    case Kind::integer:
    case Kind::long_integer: {
      const auto number = parse_integer(text);
      if (!number) return fail(invalid_value(text, parameter, "It must be an integer."));
      return store_integer(shape, *number, value, parameter);
    }
    case Kind::real:
      return store_real(text, value, parameter);
    case Kind::boolean: {
      const bool is_true = equal_without_case(text, "true");
      if (!is_true && !equal_without_case(text, "false"))
        return fail(invalid_value(text, parameter, "It must be true or false."));
      *static_cast<bool*>(value) = is_true;
      return {};
    }
    case Kind::timestamp: {
      const auto time = parse_iso8601(text);
      if (!time) return fail(invalid_value(text, parameter, "It must be a time such as 2030-01-02T03:04:05Z."));
      *static_cast<Time*>(value) = *time;
      return {};
    }
    case Kind::blob: {
      auto bytes = decode_base64(text);
      if (!bytes) return fail(invalid_value(text, parameter, "It must be base64."));
      static_cast<ec2::Blob*>(value)->bytes = std::move(*bytes);
      return {};
    }
    case Kind::structure:
    case Kind::list:
      break;
  }
  assertion_failed("a scalar shape", __FILE__, __LINE__);
}

Error invalid_value(std::string_view value, std::string_view parameter, std::string_view why) {
  return {Code::invalid_parameter_value,
          fmt::format("Value ({}) for parameter {} is invalid. {}", shortened(value), shortened(parameter), why),
          {}};
}

Error missing_parameter(std::string_view parameter) {
  return {Code::missing_parameter, fmt::format("The request must contain the parameter {}", shortened(parameter)), {}};
}

Error unknown_parameter(std::string_view parameter) {
  return {Code::unknown_parameter, fmt::format("The parameter {} is not recognized", shortened(parameter)), {}};
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const auto digits = text.starts_with('-') ? text.substr(1) : text;
  // One spelling for every number: two of them as indexes of a list would be one element.
  if (digits.empty() || (text.size() > 1 && digits.front() == '0')) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_legal_text(std::string_view text) {
  while (!text.empty()) {
    const auto point = next_code_point(text);
    if (!point || !xml_can_carry(*point)) return false;
  }
  return true;
}

std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shortened(std::string_view text) {
  if (text.size() <= max_shown_bytes) return std::string(text);
  std::size_t end = max_shown_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string encode_base64(std::string_view bytes, Base64 variant) {
  const int kind = variant == Base64::url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL;
  std::string text(sodium_base64_encoded_len(bytes.size(), kind), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), kind);
  text.pop_back();  // the terminating zero
  return text;
}

std::optional<std::string> decode_base64(std::string_view text, Base64 variant) {
  const bool url = variant == Base64::url;
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(),
                        url ? nullptr : "\r\n \t", &size, nullptr,
                        url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL) != 0)
    return std::nullopt;
  bytes.resize(size);
  return bytes;
}

Result<void> check_length(const Shape& shape, std::size_t size, std::string_view value, std::string_view parameter) {
  const auto count = static_cast<std::int64_t>(size);
  if (shape.min && count < *shape.min)
    return fail(invalid_value(value, parameter, fmt::format("Its length must be at least {}.", *shape.min)));
  if (shape.max && count > *shape.max)
    return fail(invalid_value(value, parameter, fmt::format("Its length must be at most {}.", *shape.max)));
  return {};
}

Result<void> store_integer(const Shape& shape, std::int64_t number, void* value, std::string_view parameter) {
  const bool narrow = shape.kind == Kind::integer;
  using Narrow = std::numeric_limits<std::int32_t>;
  using Wide = std::numeric_limits<std::int64_t>;
  const auto low = std::max(shape.min.value_or(Wide::min()), narrow ? Narrow::min() : Wide::min());
  const auto high = std::min(shape.max.value_or(Wide::max()), narrow ? Narrow::max() : Wide::max());
  if (number < low || number > high)
    return fail(
        invalid_value(std::to_string(number), parameter, fmt::format("It must be between {} and {}.", low, high)));
  if (narrow)
    *static_cast<std::int32_t*>(value) = static_cast<std::int32_t>(number);
  else
    *static_cast<std::int64_t*>(value) = number;
  return {};
}

}  // namespace virga::codec
