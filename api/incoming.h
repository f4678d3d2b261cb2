#pragma once

// A request as far as it can be read without knowing its action: the dialect, the action's name, the raw input.

#include <optional>
#include <string>
#include <string_view>

#include "api/codec/query.h"
#include "api/codec/reflect.h"
#include "core/http.h"
#include "core/result.h"

namespace virga::api {

inline constexpr std::string_view json_prefix = "/api/v1/";

/// `POST /` and `GET /?Action=...`: query. `POST /api/v1/<Action>`: json.
enum class Dialect { query, json };

/// Nothing: not a path or method of the API.
std::optional<Dialect> dialect_of(const HttpRequest& request);

class Incoming {
 public:
  /// Errors: those of Parameters::add, MissingAction, InvalidParameterValue (Version), InvalidParameter (content type).
  static Result<Incoming> read(const HttpRequest& request, Dialect dialect);

  const std::string& action() const { return action_; }
  /// Fills the action's request. Errors: those of the codecs.
  Result<void> decode(const ec2::Shape& shape, void* request) const;

 private:
  Dialect dialect_ = Dialect::query;
  std::string action_;
  codec::Parameters parameters_;
  std::string_view body_;  ///< of the HTTP request, which outlives this
};

/// "The action X is not valid for this web service."; the name is repeated only if it could be one. Actions that EC2 has
/// retired are UnsupportedOperation, as there.
Error invalid_action(std::string_view action);

}  // namespace virga::api
