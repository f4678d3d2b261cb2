#pragma once

// libnftables. It works on the namespace of the calling thread.

#include <nlohmann/json.hpp>

#include <string>

#include "core/result.h"

namespace virga::network::nft {

/// Runs the commands as one transaction: all of them, or none.
Result<void> run(const nlohmann::json& commands);
/// Everything that is loaded, without counters, as text that is equal when the rules are.
Result<std::string> list_ruleset();
/// One set or map.
Result<nlohmann::json> list_set(const char* family, const char* table, const char* set);

}  // namespace virga::network::nft
