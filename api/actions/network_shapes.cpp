#include "api/actions/network_shapes.h"

#include <fmt/format.h>

namespace virga::api {

Result<tags::Tags> tags_on_create(const std::vector<ec2::TagSpecification>& specifications,
                                  std::string_view resource_type) {
  tags::Tags tags;
  for (const auto& specification : specifications) {
    if (!specification.resource_type || *specification.resource_type != resource_type)
      return fail(Code::invalid_parameter_value,
                  fmt::format("'{}' is not a valid taggable resource type for this operation.",
                              specification.resource_type.value_or("")));
    if (specification.tags.empty())
      return fail(Code::invalid_parameter_value, "Tag specification must have at least one tag");
    for (const auto& tag : specification.tags) {
      if (!tag.key) return fail(Code::missing_parameter, "The request must contain the parameter Tag.Key");
      if (!tags.emplace(*tag.key, tag.value.value_or("")).second)
        return fail(Code::invalid_parameter_value, "Duplicate tag keys are not allowed in one request.");
    }
  }
  return tags;
}

std::vector<ec2::Tag> tag_set(Call& call, std::string_view resource_id) {
  std::vector<ec2::Tag> set;
  for (const auto& [key, value] : tags::of(call.scope(), resource_id)) set.push_back({.key = key, .value = value});
  return set;
}

std::string arn(Call& call, std::string_view kind, std::string_view id) {
  return fmt::format("arn:aws:ec2:{}:{}:{}/{}", call.config().region, call.scope().account.str(), kind, id);
}

}  // namespace virga::api
