#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "core/result.h"

namespace virga::network {

/// What the system refused and why, for the log; the caller hears of an internal error.
inline tl::unexpected<Error> system_failure(const std::string& what, int error = errno) {
  return fail(internal_error(what + ": " + std::strerror(error)));
}

}  // namespace virga::network
