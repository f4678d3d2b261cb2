#pragma once

#include "api/action.h"

namespace virga::api {

/// Whether a request keeps to what its row says Virga does: none of `refused` given, those of `only` with one of their
/// values. Errors: UnsupportedOperation, naming member and value.
Result<void> check_honoured(const Action& action, const void* request);

}  // namespace virga::api
