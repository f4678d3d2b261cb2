#pragma once

// TagSpecification.N of requests that create something.

#include <initializer_list>
#include <string_view>
#include <vector>

#include "core/scope.h"
#include "ec2/shape/Tag.h"
#include "ec2/shape/TagSpecification.h"

namespace virga::api {

/// The tags meant for resources of `type`. `types` are all that the action makes.
/// Errors: InvalidParameterValue (a type it does not make, no tags, a key given twice), MissingParameter (no key).
Result<tags::Tags> tags_for(const std::vector<ec2::TagSpecification>& specifications, std::string_view type,
                            std::initializer_list<std::string_view> types);
/// The same for an action that makes one kind of resource.
Result<tags::Tags> tags_for(const std::vector<ec2::TagSpecification>& specifications, std::string_view type);

/// Tags of a request. Errors: InvalidParameterValue (a key given twice or none).
Result<tags::Tags> from_ec2(const std::vector<ec2::Tag>& tags);
/// For answers.
std::vector<ec2::Tag> to_ec2(const tags::Tags& tags);

}  // namespace virga::api
