#pragma once

// What the network families' handlers share: tags given on creation, tags and ARNs in answers.

#include <string>
#include <string_view>
#include <vector>

#include "api/actions/ids.h"
#include "api/call.h"
#include "ec2/shape/Tag.h"
#include "ec2/shape/TagSpecification.h"

namespace virga::api {

/// The tags a request gives to what it makes. Errors: InvalidParameterValue (another resource type, a key twice).
Result<tags::Tags> tags_on_create(const std::vector<ec2::TagSpecification>& specifications,
                                  std::string_view resource_type);

/// A resource's tags as answers show them.
std::vector<ec2::Tag> tag_set(Call& call, std::string_view resource_id);

/// arn:aws:ec2:REGION:ACCOUNT:KIND/ID
std::string arn(Call& call, std::string_view kind, std::string_view id);

}  // namespace virga::api
