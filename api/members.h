#pragma once

// Finding members of generated structures by name, as rows, filters and paging need it.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec/reflect.h"

namespace virga::api {

/// From a structure down to a member; lists on the way stand for each of their elements.
using MemberPath = std::vector<const ec2::Member*>;

/// A member by its SDK or Query name, or nullptr.
const ec2::Member* find_member(const ec2::Shape& structure, std::string_view name);

/// Resolves "Placement.Affinity". Nothing: no such member.
std::optional<MemberPath> member_path(const ec2::Shape& structure, std::string_view dotted);

/// The structure that a member holds, or a list of it holds; nullptr for scalars.
const ec2::Shape* structure_of(const ec2::Member& member);

using Visitor = std::function<bool(const ec2::Shape& shape, const void* value)>;

/// Visits every present value at the path's end (elements of a list one by one) until one visit returns true.
bool any_value(const MemberPath& path, const void* structure, const Visitor& visit);

/// Whether a value says anything: a string that is not empty, a structure with a member that says anything.
bool says_anything(const ec2::Shape& shape, const void* value);

/// The value of a scalar member, nullptr when absent or the structure has no such member.
template <class T>
const T* scalar(const ec2::Shape& structure, const void* value, std::string_view name) {
  const auto* member = find_member(structure, name);
  if (member == nullptr || member->shape->access == nullptr) return nullptr;
  return static_cast<const T*>(member->shape->access->get(static_cast<const std::byte*>(value) + member->offset));
}

}  // namespace virga::api
