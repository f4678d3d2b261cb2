#pragma once

#include <string>

#include "core/http.h"
#include "core/time.h"

namespace virga::auth {

struct SigningCredentials {
  std::string key_id;
  std::string secret;
  std::string region;
  std::string service;
};

/// Signs a request by Signature Version 4, adding X-Amz-Date and Authorization, which it must not have yet. It must
/// have Host. Signed are Host, Content-Type, all x-amz-* headers and the body.
void sign(HttpRequest& request, const SigningCredentials& credentials, Time time);

/// `yyyymmddThhmmssZ`
std::string to_amz_date(Time time);

}  // namespace virga::auth
