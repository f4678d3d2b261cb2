#pragma once

namespace virga {
/// Logs and ends the process: a broken invariant must not be carried on with. Never for outside input.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}  // namespace virga

/// States what must hold, in release builds too.
#define VIRGA_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::virga::assertion_failed(#expression, __FILE__, __LINE__))
