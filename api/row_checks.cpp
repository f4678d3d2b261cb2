#include "api/row_checks.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "api/codec/value.h"
#include "api/members.h"
#include "core/assert.h"

namespace virga::api {

namespace {

std::string shown(const ec2::Shape& shape, const void* value) {
  return shape.kind == ec2::Kind::structure ? "a structure" : codec::shortened(codec::to_text(shape, value));
}

std::string joined(const std::vector<std::string_view>& values) {
  std::string text;
  for (const auto value : values) text += (text.empty() ? "" : ", ") + std::string(value);
  return text;
}

MemberPath known_path(const Action& action, std::string_view dotted) {
  auto path = member_path(*action.operation->input, dotted);
  VIRGA_ASSERT(path.has_value());  // make_action has looked at every path of the row
  return std::move(*path);
}

}  // namespace

Result<void> check_honoured(const Action& action, const void* request) {
  std::string problem;
  for (const auto dotted : action.options.refused) {
    any_value(known_path(action, dotted), request, [&](const ec2::Shape& shape, const void* value) {
      if (!says_anything(shape, value)) return false;
      problem = fmt::format("The parameter {} ({}) is not supported. Leave it out.", dotted, shown(shape, value));
      return true;
    });
    if (!problem.empty()) return fail(Code::unsupported_operation, problem);
  }
  for (const auto& only : action.options.only) {
    any_value(known_path(action, only.path), request, [&](const ec2::Shape& shape, const void* value) {
      if (!says_anything(shape, value)) return false;
      if (shape.kind != ec2::Kind::structure &&
          std::ranges::find(only.values, codec::to_text(shape, value)) != only.values.end())
        return false;
      problem = fmt::format("The value ({}) for parameter {} is not supported. Leave it out, or use: {}.",
                            shown(shape, value), only.path, joined(only.values));
      return true;
    });
    if (!problem.empty()) return fail(Code::unsupported_operation, problem);
  }
  return {};
}

}  // namespace virga::api
