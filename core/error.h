#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace virga {

/// Every error Virga can answer with. The list is closed; see core/error_codes.def.
enum class Code {
#define X(name, wire, status, when) name,
#include "core/error_codes.def"
#undef X
};

/// A failure that a caller, the host or another program caused.
/// `message` is for the API's caller: what is wrong and what to do. It never holds a host path, SQL or a library's text.
/// `context` is for the log only and may hold all of these.
struct Error {
  Code code = Code::internal;
  std::string message;
  std::string context;
};

/// An internal error: the caller learns nothing but that it happened, the log gets `context`.
inline Error internal_error(std::string context) {
  return {Code::internal, "An internal error has occurred", std::move(context)};
}

/// Adds where it happened, in front of what the log gets ("define domain i-0abc: ...").
inline Error within(std::string_view where, Error error) {
  error.context = error.context.empty() ? std::string(where) : std::string(where) + ": " + error.context;
  return error;
}

/// One line for the log: message and context.
inline std::string describe(const Error& error) {
  return error.context.empty() ? error.message : error.message + " [" + error.context + "]";
}

}  // namespace virga
