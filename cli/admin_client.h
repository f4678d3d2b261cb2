#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "core/config.h"
#include "core/result.h"

namespace virga::cli {

/// Speaks to the control role's admin socket.
class AdminClient {
 public:
  explicit AdminClient(const Paths& paths) : socket_(paths.admin_socket()) {}
  /// The answer's JSON. Errors: the control role's own (message for the user), `unavailable` when it does not answer.
  Result<nlohmann::json> get(const std::string& path) const { return call("GET", path, nullptr); }
  Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body) const {
    return call("POST", path, body);
  }

 private:
  Result<nlohmann::json> call(const std::string& method, const std::string& path, const nlohmann::json& body) const;
  std::string socket_;
};

}  // namespace virga::cli
