#pragma once

// What the network families' handlers share: tags given on creation (tags_for), tags and ARNs in answers.

#include <string>
#include <string_view>
#include <vector>

#include "api/actions/ids.h"
#include "api/call.h"
#include "api/workflows/tag_specifications.h"

namespace virga::api {

/// A resource's tags as answers show them.
std::vector<ec2::Tag> tag_set(Call& call, std::string_view resource_id);

/// arn:aws:ec2:REGION:ACCOUNT:KIND/ID
std::string arn(Call& call, std::string_view kind, std::string_view id);

}  // namespace virga::api
