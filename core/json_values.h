#pragma once

// How ids are written in JSON, and the macros that define a type's JSON functions in one source file. Headers only declare
// them: nlohmann's templates cost every file that sees them seconds of compile time.

#include <nlohmann/json.hpp>

#include <string_view>
#include <utility>

#include "core/ids.h"
#include "core/json_declare.h"

namespace virga {

template <class Kind>
void to_json(nlohmann::json& json, const Id<Kind>& id) {
  json = id.str();
}
template <class Kind>
void from_json(const nlohmann::json& json, Id<Kind>& id) {
  const auto& text = json.get_ref<const std::string&>();
  if (text.empty()) {
    id = Id<Kind>();
    return;
  }
  auto parsed = Id<Kind>::parse(text);
  if (!parsed) throw nlohmann::json::other_error::create(501, "malformed id", &json);
  id = *parsed;
}

inline void to_json(nlohmann::json& json, const AccountId& id) { json = id.str(); }
inline void from_json(const nlohmann::json& json, AccountId& id) { id = AccountId::trusted(json.get<std::string>()); }

}  // namespace virga

/// Defines them, in a source file, member by member. A missing member keeps its default: documents that an older version
/// wrote to disk stay readable; what crosses the host API must be complete (hostapi/wire.h compares).
#define VIRGA_JSON_DEFINE(Type, ...)                                                         \
  void to_json(nlohmann::json& nlohmann_json_j, const Type& nlohmann_json_t) {               \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, __VA_ARGS__))                 \
  }                                                                                          \
  void from_json(const nlohmann::json& nlohmann_json_j, Type& nlohmann_json_t) {             \
    const Type nlohmann_json_default_obj{};                                                  \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_FROM_WITH_DEFAULT, __VA_ARGS__))  \
  }

/// Defines them for an enumeration, value by value; unknown text throws nlohmann's exception.
/// VIRGA_JSON_DEFINE_ENUM(Power, {Power::stopped, "stopped"}, {Power::running, "running"})
#define VIRGA_JSON_DEFINE_ENUM(Type, ...)                                                       \
  static constexpr std::pair<Type, std::string_view> names_of_##Type[] = {__VA_ARGS__};         \
  void to_json(nlohmann::json& json, const Type& value) {                                       \
    for (const auto& [known, name] : names_of_##Type)                                           \
      if (known == value) json = name;                                                          \
  }                                                                                             \
  void from_json(const nlohmann::json& json, Type& value) {                                     \
    const auto& text = json.get_ref<const std::string&>();                                      \
    for (const auto& [known, name] : names_of_##Type)                                           \
      if (name == text) return void(value = known);                                             \
    throw nlohmann::json::other_error::create(501, "unknown value of " #Type, &json);           \
  }
