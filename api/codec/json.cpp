#include "api/codec/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "api/codec/value.h"

namespace virga::codec {

using ec2::Kind;
using ec2::Member;
using ec2::Shape;
using nlohmann::json;

namespace {

/// Looks at a document without building it: depth, names given twice, characters that XML answers could not carry.
class Inspection final : public nlohmann::json_sax<json> {
 public:
  std::string problem;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t& text) override {
    return is_legal_text(text) || refuse("A string has characters that XML 1.0 cannot represent.");
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (!is_legal_text(name)) return refuse("A name has characters that XML 1.0 cannot represent.");
    return names_.back().insert(name).second || refuse("A name is given more than once in an object.");
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse(fmt::format("The body is not valid JSON at position {}.", position));
  }

 private:
  bool enter() {
    if (static_cast<int>(names_.size()) == max_json_depth)
      return refuse(fmt::format("The body is nested more than {} levels deep.", max_json_depth));
    names_.emplace_back();
    return true;
  }
  bool leave() {
    names_.pop_back();
    return true;
  }
  bool refuse(std::string why) {
    problem = std::move(why);
    return false;
  }

  std::vector<std::set<std::string>> names_;  ///< per open object or list
};

std::string shown(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_structured() ? std::string(value.type_name()) : value.dump();
}

Result<void> fill_structure(const Shape& shape, const json& object, void* structure, const std::string& path,
                            Origin origin);

Result<void> wrong_type(const json& value, const std::string& path, std::string_view wanted) {
  return fail(invalid_value(shown(value), path, fmt::format("It must be {}.", wanted)));
}

Result<void> fill_scalar(const Shape& shape, const json& value, void* scalar, const std::string& path, Origin origin) {
  switch (shape.kind) {
    case Kind::boolean:
      if (!value.is_boolean()) return wrong_type(value, path, "true or false");
      *static_cast<bool*>(scalar) = value.get<bool>();
      return {};
    case Kind::integer:
    case Kind::long_integer:
      if (!value.is_number_integer()) return wrong_type(value, path, "an integer");
      if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)
        return wrong_type(value, path, "smaller");
      return store_integer(shape, value.get<std::int64_t>(), scalar, path);
    case Kind::real:
      if (!value.is_number()) return wrong_type(value, path, "a number");
      *static_cast<double*>(scalar) = value.get<double>();
      return {};
    case Kind::string:
    case Kind::enumeration:
    case Kind::timestamp:
    case Kind::blob:
      break;
    case Kind::structure:
    case Kind::list:
      return wrong_type(value, path, "a single value");
  }
  if (!value.is_string()) return wrong_type(value, path, "a string");
  const auto& text = value.get_ref<const std::string&>();
  if (origin == Origin::stored && (shape.kind == Kind::string || shape.kind == Kind::enumeration)) {
    *static_cast<std::string*>(scalar) = text;
    return {};
  }
  return from_text(shape, text, scalar, path);
}

Result<void> fill_value(const Shape& shape, const json& value, void* target, const std::string& path, Origin origin) {
  if (shape.kind == Kind::structure) return fill_structure(shape, value, target, path, origin);
  return fill_scalar(shape, value, target, path, origin);
}

Result<void> fill_list(const Shape& shape, const json& value, void* vector, const std::string& path, Origin origin) {
  if (!value.is_array()) return wrong_type(value, path, "a list");
  if (origin == Origin::request)
    TRY_VOID(check_length(shape, value.size(), fmt::format("{} elements", value.size()), path));
  for (std::size_t i = 0; i < value.size(); ++i)
    TRY_VOID(fill_value(*shape.element, value[i], shape.element->access->append(vector), fmt::format("{}[{}]", path, i),
                        origin));
  return {};
}

bool is_given(const Member& member, const void* slot) {
  if (member.shape->kind == Kind::list) return member.shape->element->access->size(slot) > 0;
  const void* value = member.shape->access->get(slot);
  return value != nullptr && (member.shape->kind != Kind::string || !static_cast<const std::string*>(value)->empty());
}

Result<void> fill_structure(const Shape& shape, const json& object, void* structure, const std::string& path,
                            Origin origin) {
  if (!object.is_object()) return wrong_type(object, path.empty() ? "body" : path, "an object");
  auto* const base = static_cast<std::byte*>(structure);
  for (const auto& [name, value] : object.items()) {
    const auto below = path.empty() ? name : fmt::format("{}.{}", path, name);
    const auto member = std::ranges::find(shape.members, std::string_view(name), &Member::name);
    if (member == shape.members.end()) return fail(unknown_parameter(below));
    void* slot = base + member->offset;
    if (member->shape->kind == Kind::list) {
      TRY_VOID(fill_list(*member->shape, value, slot, below, origin));
    } else if (member->shape->kind == Kind::string && value.is_string() &&
               value.get_ref<const std::string&>().empty()) {
      member->shape->access->emplace(slot);
    } else {
      TRY_VOID(fill_value(*member->shape, value, member->shape->access->emplace(slot), below, origin));
    }
  }
  if (origin == Origin::stored) return {};
  for (const Member& member : shape.members)
    if (member.required && !is_given(member, base + member.offset))
      return fail(missing_parameter(path.empty() ? std::string(member.name) : fmt::format("{}.{}", path, member.name)));
  return {};
}

void append_string(std::string& out, std::string_view text) {
  out += json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_structure(std::string& out, const Shape& shape, const void* structure,
                      std::span<const std::string_view> except);

void append_value(std::string& out, const Shape& shape, const void* value) {
  switch (shape.kind) {
    case Kind::structure:
      return append_structure(out, shape, value, {});
    case Kind::integer:
    case Kind::long_integer:
    case Kind::real:
    case Kind::boolean:
      out += to_text(shape, value);
      return;
    case Kind::string:
    case Kind::enumeration:
    case Kind::timestamp:
    case Kind::blob:
    case Kind::list:
      return append_string(out, to_text(shape, value));
  }
}

void append_list(std::string& out, const Shape& element, const void* vector) {
  out += '[';
  for (std::size_t i = 0; i < element.access->size(vector); ++i) {
    if (i > 0) out += ',';
    append_value(out, element, element.access->at(vector, i));
  }
  out += ']';
}

void append_structure(std::string& out, const Shape& shape, const void* structure,
                      std::span<const std::string_view> except) {
  char separator = '{';
  const auto name = [&](const Member& member) {
    out.append(1, separator).append("\"").append(member.name).append("\":");
    separator = ',';
  };
  for (const Member& member : shape.members) {
    if (std::ranges::find(except, member.name) != except.end()) continue;
    const void* slot = static_cast<const std::byte*>(structure) + member.offset;
    if (member.shape->kind == Kind::list) {
      if (member.deprecated && member.shape->element->access->size(slot) == 0) continue;
      name(member);
      append_list(out, *member.shape->element, slot);
    } else if (const void* value = member.shape->access->get(slot)) {
      name(member);
      append_value(out, *member.shape, value);
    }
  }
  out += separator == '{' ? "{}" : "}";
}

}  // namespace

Result<void> decode_json(std::string_view text, const Shape& shape, void* structure, Origin origin) {
  Inspection inspection;
  if (!json::sax_parse(text, &inspection)) return fail(Code::validation_error, inspection.problem);
  return fill_structure(shape, json::parse(text), structure, {}, origin);
}

std::string encode_json(const Shape& shape, const void* structure, std::span<const std::string_view> except) {
  std::string out;
  append_structure(out, shape, structure, except);
  return out;
}

std::string encode_json_error(std::string_view code, std::string_view message, std::string_view request_id) {
  std::string out = "{\"code\":";
  append_string(out, code);
  out += ",\"message\":";
  append_string(out, message);
  out += ",\"request_id\":";
  append_string(out, request_id);
  return out + "}";
}

}  // namespace virga::codec
