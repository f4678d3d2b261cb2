#pragma once

#include <string>

#include "core/http.h"
#include "core/identity/identity.h"
#include "core/result.h"

namespace virga::api {

/// Whom a request's credentials belong to, and the service they were made for ("ec2", "sts", "iam").
struct Identification {
  identity::AccessKey key;
  std::string service;
};

/// Port: tells who sent a request, or why that cannot be told. Thread-safe.
class Authentication {
 public:
  virtual ~Authentication() = default;
  virtual Result<Identification> authenticate(const HttpRequest& request) = 0;
};

}  // namespace virga::api
