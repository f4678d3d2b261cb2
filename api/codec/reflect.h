#pragma once

// Descriptors of the generated EC2 types: what the codecs, filters and tests walk.
//
// The generator (api/model/generate.py) writes a plain struct for every shape of the service model and one Shape that
// describes it. How members are kept in the C++ types:
//   scalar or structure member:  std::optional<T>            list member:  std::vector<T> (empty: absent)
//   string, enumeration: std::string    integer: std::int32_t    long: std::int64_t    boolean: bool
//   float, double: double               timestamp: virga::Time   blob: ec2::Blob

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace virga::ec2 {

/// Bytes; base64 on the wire.
struct Blob {
  std::string bytes;
  auto operator<=>(const Blob&) const = default;
};

/// The answer of actions that have no output shape: `<return>true</return>`.
struct NoOutput {};

enum class Kind { string, enumeration, integer, long_integer, real, boolean, timestamp, blob, structure, list };

struct Shape;

struct Member {
  std::string_view name;   ///< the model's (SDK's) name: VpcId
  std::string_view xml;    ///< in answers: vpcId
  std::string_view query;  ///< in Query requests: VpcId
  const Shape* shape;
  std::size_t offset;      ///< in the structure, of the std::optional or std::vector
  bool required = false;   ///< of requests
  bool deprecated = false;
};

/// How to reach values of a C++ type T behind void pointers.
struct Access {
  const void* (*get)(const void* optional);  ///< the value inside std::optional<T>, or nullptr
  void* (*emplace)(void* optional);          ///< makes std::optional<T> hold T{} and returns it
  std::size_t (*size)(const void* vector);   ///< of std::vector<T>
  const void* (*at)(const void* vector, std::size_t index);
  void* (*append)(void* vector);
};

struct Shape {
  std::string_view name;
  Kind kind;
  const Access* access;                       ///< of the value's C++ type; nullptr for lists, which are their vectors
  std::span<const Member> members = {};       ///< structure
  const Shape* element = nullptr;             ///< list
  std::string_view item = {};                 ///< list: element name in XML
  std::span<const std::string_view> values = {};  ///< enumeration; empty: any string (InstanceType)
  std::optional<std::int64_t> min = {};       ///< of a number's value, a string's or a list's length
  std::optional<std::int64_t> max = {};
};

struct Operation {
  std::string_view name;
  int tier;
  std::string_view group;
  const Shape* input;
  const Shape* output;  ///< nullptr: none
  bool dry_run;
  bool paged;
  std::string_view idempotency_token;  ///< member name; empty: none
  std::span<const std::string_view> filters;
};

/// All operations of the model's facts, sorted by name.
std::span<const Operation> operations();
const Operation* find_operation(std::string_view name);

/// The Shape of a generated structure T: ec2::describe<Vpc>().
template <class T>
const Shape& describe();

namespace detail {
template <class T>
inline constexpr Access access_to = {
    [](const void* o) -> const void* {
      const auto& value = *static_cast<const std::optional<T>*>(o);
      return value ? &*value : nullptr;
    },
    [](void* o) -> void* { return &static_cast<std::optional<T>*>(o)->emplace(); },
    [](const void* v) { return static_cast<const std::vector<T>*>(v)->size(); },
    [](const void* v, std::size_t i) -> const void* { return &(*static_cast<const std::vector<T>*>(v))[i]; },
    [](void* v) -> void* { return &static_cast<std::vector<T>*>(v)->emplace_back(); }};
// std::vector<bool> has no addressable elements; the model has no lists of booleans.
template <>
inline constexpr Access access_to<bool> = {
    [](const void* o) -> const void* {
      const auto& value = *static_cast<const std::optional<bool>*>(o);
      return value ? &*value : nullptr;
    },
    [](void* o) -> void* { return &static_cast<std::optional<bool>*>(o)->emplace(); }, nullptr, nullptr, nullptr};
}  // namespace detail

}  // namespace virga::ec2
