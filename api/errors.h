#pragma once

#include <string_view>

#include "core/error.h"

namespace virga::api {

/// How an error is told to clients: EC2's code and the HTTP status, from core/error_codes.def. Nothing else knows them.
struct WireError {
  std::string_view code;
  int status;
};
WireError wire_error(Code code);

}  // namespace virga::api
