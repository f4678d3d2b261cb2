#include "api/members.h"

#include <algorithm>

namespace virga::api {

using ec2::Kind;
using ec2::Member;
using ec2::Shape;

namespace {

bool visit_from(const MemberPath& path, std::size_t depth, const void* structure, const Visitor& visit) {
  const Member& member = *path[depth];
  const void* slot = static_cast<const std::byte*>(structure) + member.offset;
  const bool last = depth + 1 == path.size();
  if (member.shape->kind == Kind::list) {
    const Shape& element = *member.shape->element;
    for (std::size_t i = 0; i < element.access->size(slot); ++i) {
      const void* value = element.access->at(slot, i);
      if (last ? visit(element, value) : visit_from(path, depth + 1, value, visit)) return true;
    }
    return false;
  }
  const void* value = member.shape->access->get(slot);
  if (value == nullptr) return false;
  return last ? visit(*member.shape, value) : visit_from(path, depth + 1, value, visit);
}

}  // namespace

const Member* find_member(const Shape& structure, std::string_view name) {
  auto found = std::ranges::find(structure.members, name, &Member::name);
  if (found == structure.members.end()) found = std::ranges::find(structure.members, name, &Member::query);
  return found == structure.members.end() ? nullptr : &*found;
}

std::optional<MemberPath> member_path(const Shape& structure, std::string_view dotted) {
  MemberPath path;
  const Shape* at = &structure;
  while (true) {
    const auto dot = std::min(dotted.find('.'), dotted.size());
    const auto* member = at == nullptr ? nullptr : find_member(*at, dotted.substr(0, dot));
    if (member == nullptr) return std::nullopt;
    path.push_back(member);
    if (dot == dotted.size()) return path;
    dotted.remove_prefix(dot + 1);
    at = structure_of(*member);
  }
}

const Shape* structure_of(const Member& member) {
  const Shape* shape = member.shape->kind == Kind::list ? member.shape->element : member.shape;
  return shape->kind == Kind::structure ? shape : nullptr;
}

bool any_value(const MemberPath& path, const void* structure, const Visitor& visit) {
  return visit_from(path, 0, structure, visit);
}

bool says_anything(const Shape& shape, const void* value) {
  if (shape.kind == Kind::string || shape.kind == Kind::enumeration)
    return !static_cast<const std::string*>(value)->empty();
  if (shape.kind != Kind::structure) return true;
  return std::ranges::any_of(shape.members,
                             [&](const Member& member) { return any_value({&member}, value, says_anything); });
}

}  // namespace virga::api
