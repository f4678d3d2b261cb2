#pragma once

// Small things every part of the network service needs: lists by id, and callers' words in messages.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace virga::network {

/// The resources of the given ids in order of id, each once; the first that is not found is the error. Ids in a request
/// are never answered in part.
template <class IdType, class Find>
auto find_each(std::vector<IdType> ids, Find find)
    -> Result<std::vector<typename std::invoke_result_t<Find&, const IdType&>::value_type>> {
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  std::vector<typename std::invoke_result_t<Find&, const IdType&>::value_type> found;
  for (const auto& id : ids) found.push_back(TRY(find(id)));
  return found;
}

/// A caller's text as it may be repeated in a message: bounded, without control characters.
inline std::string shown(std::string_view text) {
  std::string clean(text.substr(0, 64));
  std::ranges::replace_if(
      clean, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return clean;
}

}  // namespace virga::network
