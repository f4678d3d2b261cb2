#pragma once

// Tags of resources of any kind, and what changes with them: the metadata a guest is served may hold its tags.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::api {

/// All resources or none. Errors: InvalidID or the kind's ...NotFound, TagLimitExceeded, InvalidParameterValue.
Result<void> tag_resources(Scope& scope, const std::vector<std::string>& ids, const tags::Tags& tags);

struct TagToRemove {
  std::string key;
  std::optional<std::string> value;  ///< removed only if it is this
};
/// No tag named: all tags go. Errors: InvalidID or the kind's ...NotFound.
Result<void> untag_resources(Scope& scope, const std::vector<std::string>& ids, const std::vector<TagToRemove>& which);

}  // namespace virga::api
