#pragma once

#include <span>
#include <string>

#include "api/action.h"

namespace virga::api {

/// docs/api-coverage.md: what each action honours and refuses, from the rows and the facts. Markdown.
std::string coverage_page(std::span<const Action> rows);

}  // namespace virga::api
