#include "core/assert.h"

#include <cstdio>
#include <cstdlib>

namespace virga {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "virga: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace virga
