#pragma once

#include <string_view>

namespace virga::api {

/// EC2's pattern: `*` any run, `?` one character, `\` takes the next literally. Case counts. Takes at most
/// pattern x text steps, whatever the pattern.
bool matches_wildcard(std::string_view pattern, std::string_view text);

}  // namespace virga::api
