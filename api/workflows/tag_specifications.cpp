#include "api/workflows/tag_specifications.h"

#include <fmt/format.h>

#include <algorithm>

namespace virga::api {

Result<tags::Tags> tags_for(const std::vector<ec2::TagSpecification>& specifications, std::string_view type,
                            std::initializer_list<std::string_view> types) {
  tags::Tags found;
  for (const auto& specification : specifications) {
    if (!specification.resource_type)
      return fail(Code::missing_parameter, "Tag specification resource type must have a value");
    const auto& named = *specification.resource_type;
    if (std::ranges::find(types, named) == types.end())
      return fail(Code::invalid_parameter_value,
                  fmt::format("'{}' is not a valid taggable resource type for this operation.", named.substr(0, 64)));
    if (specification.tags.empty())
      return fail(Code::invalid_parameter_value, "Tag specification must have at least one tag");
    if (named != type) continue;
    for (auto& [key, value] : TRY(from_ec2(specification.tags)))
      if (!found.emplace(key, value).second)
        return fail(Code::invalid_parameter_value,
                    fmt::format("Duplicate tag key '{}' specified.", key.substr(0, 128)));
  }
  return found;
}

Result<tags::Tags> tags_for(const std::vector<ec2::TagSpecification>& specifications, std::string_view type) {
  return tags_for(specifications, type, {type});
}

Result<tags::Tags> from_ec2(const std::vector<ec2::Tag>& tags) {
  tags::Tags found;
  for (const auto& tag : tags) {
    if (!tag.key) return fail(Code::missing_parameter, "The request must contain the parameter tag key");
    if (!found.emplace(*tag.key, tag.value.value_or("")).second)
      return fail(Code::invalid_parameter_value,
                  fmt::format("Duplicate tag key '{}' specified.", tag.key->substr(0, 128)));
  }
  return found;
}

std::vector<ec2::Tag> to_ec2(const tags::Tags& tags) {
  std::vector<ec2::Tag> list;
  for (const auto& [key, value] : tags) list.push_back({key, value});
  return list;
}

}  // namespace virga::api
