#pragma once

#include <string>
#include <vector>

#include "core/ids.h"

namespace virga::api {

/// Ids of a request. Errors: the kind's ...Malformed.
template <class IdType>
Result<std::vector<IdType>> parse_ids(const std::vector<std::string>& texts) {
  std::vector<IdType> ids;
  for (const auto& text : texts) ids.push_back(TRY(IdType::parse(text)));
  return ids;
}

}  // namespace virga::api
