#pragma once

#include <string>

namespace virga::api {
/// docs/error-codes.md: every code that an answer can have, its HTTP status, and when. Markdown.
std::string error_codes_page();
}  // namespace virga::api
