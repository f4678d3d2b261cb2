#include "api/codec/query.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/value.h"

namespace virga::codec {

using ec2::Kind;
using ec2::Member;
using ec2::Shape;
using Node = Parameters::Node;

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return fail(Code::malformed_query_string,
                    "The query string contains a '%' that is not followed by two hex digits.");
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (!is_legal_text(decoded))
    return fail(Code::invalid_parameter_value,
                "The request contains text that is not UTF-8, or characters that XML 1.0 cannot represent.");
  return decoded;
}

std::string below(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

/// The name of the first parameter given under a node: what to call it in "not recognized".
std::string first_given(std::string path, const Node& node) {
  const Node* at = &node;
  while (!at->value && !at->children.empty()) {
    path = below(path, at->children.begin()->first);
    at = &at->children.begin()->second;
  }
  return path;
}

Result<void> fill_structure(const Shape& shape, const Node& node, void* structure, const std::string& path);

/// Whether `Key=` means "not given" for a shape: an empty text is a value of plain strings only.
bool empty_is_absent(const Shape& shape) { return shape.kind != Kind::string; }

Result<void> fill_scalar(const Shape& shape, const Node& node, void* value, const std::string& path) {
  if (!node.children.empty()) return fail(unknown_parameter(first_given(path, node)));
  return from_text(shape, *node.value, value, path);
}

Result<void> fill_list(const Shape& shape, const Node& node, void* vector, const std::string& path) {
  if (node.value) {
    if (node.value->empty() && node.children.empty()) return {};
    return fail(invalid_value(*node.value, path, "It is a list: number its elements, as in " + path + ".1"));
  }
  std::map<std::int64_t, const Node*> ordered;
  for (const auto& [name, child] : node.children) {
    const auto index = parse_integer(name);
    if (!index) return fail(unknown_parameter(first_given(below(path, name), child)));
    if (*index < 0 || *index > Parameters::max_index)
      return fail(invalid_value(name, path, fmt::format("An index must be between 0 and {}.", Parameters::max_index)));
    ordered[*index] = &child;
  }
  TRY_VOID(check_length(shape, ordered.size(), fmt::format("{} elements", ordered.size()), path));
  const Shape& element = *shape.element;
  for (const auto& [index, child] : ordered) {
    const auto name = below(path, std::to_string(index));
    void* value = element.access->append(vector);
    if (element.kind == Kind::structure) {
      TRY_VOID(fill_structure(element, *child, value, name));
    } else {
      TRY_VOID(fill_scalar(element, *child, value, name));
    }
  }
  return {};
}

Result<void> fill_member(const Member& member, const Node& node, void* slot, const std::string& path) {
  const Shape& shape = *member.shape;
  if (shape.kind == Kind::list) return fill_list(shape, node, slot, path);
  if (shape.kind == Kind::structure) {
    if (node.value && node.value->empty() && node.children.empty()) return {};
    return fill_structure(shape, node, shape.access->emplace(slot), path);
  }
  if (node.children.empty() && node.value->empty()) {
    if (member.required) return fail(missing_parameter(path));
    if (empty_is_absent(shape)) return {};
    // Lengths are of values that are given; an empty string is for handlers the same as none.
    shape.access->emplace(slot);
    return {};
  }
  return fill_scalar(shape, node, shape.access->emplace(slot), path);
}

bool is_of_the_envelope(std::string_view name) {
  return name == "Action" || name == "Version" || name.starts_with("X-Amz-");
}

const Member* find_member(const Shape& shape, std::string_view name) {
  const auto found = std::ranges::find(shape.members, name, &Member::query);
  return found == shape.members.end() ? nullptr : &*found;
}

bool is_given(const Member& member, const void* slot) {
  if (member.shape->kind == Kind::list) return member.shape->element->access->size(slot) > 0;
  return member.shape->access->get(slot) != nullptr;
}

Result<void> fill_structure(const Shape& shape, const Node& node, void* structure, const std::string& path) {
  if (node.value) return fail(unknown_parameter(path));
  auto* const base = static_cast<std::byte*>(structure);
  for (const auto& [name, child] : node.children) {
    if (path.empty() && is_of_the_envelope(name)) continue;
    const auto* member = find_member(shape, name);
    if (member == nullptr) {
      // botocore adds these two to every CopySnapshot, for copies between regions.
      if (shape.name == "CopySnapshotRequest" && (name == "PresignedUrl" || name == "DestinationRegion")) continue;
      return fail(unknown_parameter(first_given(below(path, name), child)));
    }
    TRY_VOID(fill_member(*member, child, base + member->offset, below(path, name)));
  }
  for (const Member& member : shape.members)
    if (member.required && !is_given(member, base + member.offset))
      return fail(missing_parameter(below(path, member.query)));
  return {};
}

}  // namespace

Result<void> Parameters::add(std::string_view form) {
  while (!form.empty()) {
    const auto end = std::min(form.find('&'), form.size());
    const auto pair = form.substr(0, end);
    form.remove_prefix(std::min(end + 1, form.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = TRY(percent_decode(pair.substr(0, equals)));
    auto value = TRY(percent_decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view()));
    TRY_VOID(add_pair(std::move(name), std::move(value)));
  }
  return {};
}

Result<void> Parameters::add_pair(std::string name, std::string value) {
  if (++count_ > max_parameters)
    return fail(Code::invalid_parameter, fmt::format("A request may have at most {} parameters.", max_parameters));
  Node* node = &root_;
  std::size_t levels = 0;
  std::string_view rest = name;
  while (true) {
    const auto dot = std::min(rest.find('.'), rest.size());
    if (dot == 0 || ++levels > max_levels) return fail(unknown_parameter(name));
    node = &node->children[std::string(rest.substr(0, dot))];
    if (dot == rest.size()) break;
    rest.remove_prefix(dot + 1);
  }
  if (node->value)
    return fail(Code::invalid_parameter, fmt::format("The parameter {} is given more than once.", shortened(name)));
  node->value = std::move(value);
  return {};
}

const std::string* Parameters::find(std::string_view name) const {
  const auto found = root_.children.find(name);
  return found != root_.children.end() && found->second.value ? &*found->second.value : nullptr;
}

Result<void> decode_query(const Parameters& parameters, const Shape& shape, void* request) {
  return fill_structure(shape, parameters.root(), request, {});
}

}  // namespace virga::codec
