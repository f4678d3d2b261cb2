#pragma once

#include <nlohmann/json_fwd.hpp>

/// Declares, in a header, the JSON functions of a type of the namespace it stands in.
#define VIRGA_JSON_DECLARE(Type)                            \
  void to_json(nlohmann::json& json, const Type& value);    \
  void from_json(const nlohmann::json& json, Type& value)
