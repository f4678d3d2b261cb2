#pragma once

#include <tl/expected.hpp>

#include "core/error.h"

namespace virga {

/// The value, or why there is none. Use TRY to pass the error on.
template <class T>
using Result = tl::expected<T, Error>;

/// Builds the error side of a Result: `return fail(Code::invalid_vpc_range, "The CIDR '...' is invalid.");`
inline tl::unexpected<Error> fail(Code code, std::string message, std::string context = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(context)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace virga

/// Evaluates a Result: its value, or returns its error from the enclosing function. Not inside coroutines.
/// For Result<void> use TRY_VOID.
#define TRY(...)                                                                        \
  __extension__({                                                                       \
    auto virga_try_result = (__VA_ARGS__);                                              \
    if (!virga_try_result) return ::virga::fail(std::move(virga_try_result.error()));   \
    std::move(*virga_try_result);                                                       \
  })
#define TRY_VOID(...)                                                                   \
  do {                                                                                  \
    auto virga_try_result = (__VA_ARGS__);                                              \
    if (!virga_try_result) return ::virga::fail(std::move(virga_try_result.error()));   \
  } while (false)
