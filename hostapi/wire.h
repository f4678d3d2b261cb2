#pragma once

// How values cross the host API and lie on the host's disk, beyond what the types' own JSON says.

#include "core/json_values.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga::hostapi {

constexpr int max_json_depth = 32;
constexpr std::size_t max_document_bytes = 64 << 20;  ///< of one answer or one document

inline std::string_view code_name(Code code) {
  switch (code) {
#define X(name, wire, status, when) \
  case Code::name:            \
    return #name;
#include "core/error_codes.def"
#undef X
  }
  return "internal";
}

/// The code of that name; `internal` for one this version does not know.
inline Code parse_code(std::string_view text) {
#define X(name, wire, status, when) \
  if (text == #name) return Code::name;
#include "core/error_codes.def"
#undef X
  return Code::internal;
}

/// JSON of bounded depth. Errors: InvalidParameterValue.
inline Result<nlohmann::json> parse_json(std::string_view text) {
  struct TooDeep {};
  try {
    return nlohmann::json::parse(text, [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      if (depth > max_json_depth) throw TooDeep();
      return true;
    });
  } catch (const nlohmann::json::exception& exception) {
    return fail(Code::invalid_parameter_value, "The body is not valid JSON.", exception.what());
  } catch (const TooDeep&) {
    return fail(Code::invalid_parameter_value, "The body's JSON is nested too deeply.");
  }
}

/// What a document may lack.
enum class Missing { refused, defaulted };

/// Decodes one value exactly: an unknown, wrongly typed or out-of-range member is an error, and so is a missing one unless
/// told otherwise. (What the types' decoders would bend into shape does not encode to the same JSON again.)
template <class T>
Result<T> decode(const nlohmann::json& json, Missing missing = Missing::refused) {
  try {
    if (json.contains("account")) {
      const auto account = json["account"].template get<std::string>();
      if (!account.empty()) TRY(AccountId::parse(account));
    }
    auto value = json.template get<T>();
    // As text: compared as numbers, -1 equals the unsigned number it was bent into.
    if (nlohmann::json(value).dump() != json.dump()) {
      const auto difference = nlohmann::json::diff(json, nlohmann::json(value));
      const bool only_lacks = !difference.empty() && std::all_of(difference.begin(), difference.end(),
                                                                 [](const auto& edit) { return edit["op"] == "add"; });
      if (missing == Missing::defaulted && only_lacks) return value;
      return fail(Code::invalid_parameter_value, "The document has a member that is unknown or out of range.",
                  difference.empty() ? std::string() : difference.front().value("path", std::string()));
    }
    return value;
  } catch (const nlohmann::json::exception& exception) {
    return fail(Code::invalid_parameter_value, "The document is malformed.", exception.what());
  }
}

}  // namespace virga::hostapi
