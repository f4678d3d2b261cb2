#include "api/filters.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/value.h"
#include "api/filter_names.h"
#include "api/wildcard.h"

namespace virga::api {

using ec2::Shape;

namespace {

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches_wildcard(pattern, text); });
}

/// "Filters" in most requests; "Filter" in DescribeNatGateways and DescribeFlowLogs.
const ec2::Member* filters_member(const Shape& request) {
  const auto* member = find_member(request, "Filters");
  return member != nullptr ? member : find_member(request, "Filter");
}

}  // namespace

Result<Filters> Filters::compile(const ec2::Operation& operation, const void* request) {
  Filters filters(operation);
  const auto* member = filters_member(*operation.input);
  if (member == nullptr) return filters;
  const Shape& element = *member->shape->element;
  Result<void> status;
  any_value({member}, request, [&](const Shape&, const void* filter) {
    const auto* name = scalar<std::string>(element, filter, "Name");
    std::vector<std::string> values;
    any_value({find_member(element, "Values")}, filter, [&](const Shape&, const void* value) {
      values.push_back(*static_cast<const std::string*>(value));
      return false;
    });
    status = filters.add(name != nullptr ? *name : std::string(), std::move(values));
    return !status;
  });
  TRY_VOID(std::move(status));
  return filters;
}

Result<void> Filters::add(std::string name, std::vector<std::string> values) {
  if (!filter_is_known(*operation_, name))
    return fail(Code::invalid_parameter_value, fmt::format("The filter '{}' is invalid", codec::shortened(name)));
  if (values.empty())
    return fail(Code::invalid_parameter_value, fmt::format("The filter '{}' has no values", codec::shortened(name)));
  if (filters_.size() == max_filters)
    return fail(Code::filter_limit_exceeded, fmt::format("A request may have at most {} filters.", max_filters));
  if (values.size() > max_values)
    return fail(Code::filter_limit_exceeded, fmt::format("A filter may have at most {} values.", max_values));
  for (const auto& value : values)
    if (value.size() > max_value_bytes)
      return fail(codec::invalid_value(value, name, fmt::format("It may have at most {} bytes.", max_value_bytes)));
  Filter filter{.name = std::move(name), .values = std::move(values)};
  if (filter.name.starts_with("tag:")) {
    filter.looks = Looks::at_tag_value_of_key;
    filter.tag_key = filter.name.substr(4);
  } else if (filter.name == "tag-key") {
    filter.looks = Looks::at_tag_keys;
  } else if (filter.name == "tag-value") {
    filter.looks = Looks::at_tag_values;
  }
  filters_.push_back(std::move(filter));
  return {};
}

bool Filters::match(const Shape& shape, const void* item, const Hidden& hidden) const {
  return std::ranges::all_of(filters_, [&](const Filter& filter) { return passes(filter, shape, item, hidden); });
}

bool Filters::passes(const Filter& filter, const Shape& shape, const void* item, const Hidden& hidden) const {
  const auto [first, last] = hidden.equal_range(filter.name);
  if (std::any_of(first, last, [&](const auto& known) { return any_matches(filter.values, known.second); })) return true;
  if (filter.looks == Looks::at_member) {
    const auto path = filter_path(*operation_, filter.name, shape);
    return path && any_value(*path, item, [&](const Shape& leaf, const void* value) {
             return any_matches(filter.values, codec::to_text(leaf, value));
           });
  }
  const auto tag_passes = [&](const Shape& tag, const void* value) {
    const auto* key = scalar<std::string>(tag, value, "Key");
    const auto* text = scalar<std::string>(tag, value, "Value");
    if (key == nullptr) return false;
    if (filter.looks == Looks::at_tag_keys) return any_matches(filter.values, *key);
    const std::string_view shown = text != nullptr ? std::string_view(*text) : std::string_view();
    if (filter.looks == Looks::at_tag_value_of_key && *key != filter.tag_key) return false;
    return any_matches(filter.values, shown);
  };
  const auto path = tags_path(shape);
  if (!path) return false;
  return path->empty() ? tag_passes(shape, item) : any_value(*path, item, tag_passes);
}

}  // namespace virga::api
