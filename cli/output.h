#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "core/result.h"

namespace virga::cli {

/// One line of text for a terminal: control characters shown as '?', so that stored names cannot act on it.
std::string plain(std::string_view text);

/// Prints rows as aligned columns under a heading.
void print_table(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows);
void print_json(const nlohmann::json& json);
/// Prints the error for a person (or as JSON) on standard error; returns 1, the exit code.
int failed(const Error& error);

}  // namespace virga::cli
