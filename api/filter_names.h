#pragma once

// What the names of EC2's filters mean: which members of a Describe answer's items they look at. Most follow from the
// name ("monitoring-state" is Monitoring.State); the rest stand in one table in the .cpp.

#include <span>
#include <string_view>

#include "api/codec/reflect.h"
#include "api/members.h"

namespace virga::api {

/// Whether an operation takes a filter of that name; "tag:<key>" is asked for as it is.
bool filter_is_known(const ec2::Operation& operation, std::string_view filter);

/// Where the filter looks in an item. Nothing: the item does not show the attribute.
std::optional<MemberPath> filter_path(const ec2::Operation& operation, std::string_view filter, const ec2::Shape& item);

/// The tags of an item, each a structure with Key and Value; an empty path: the item is a tag itself (DescribeTags).
std::optional<MemberPath> tags_path(const ec2::Shape& item);

/// Documented filters on attributes that the items of the action's answer do not show: they look only at what the handler
/// gives as hidden (Listing::offer).
std::span<const std::string_view> hidden_filters(std::string_view action);

}  // namespace virga::api
