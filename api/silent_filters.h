#pragma once

#include <span>
#include <string_view>

namespace virga::api {
/// Documented filters that never match, since nothing that Virga makes has the attribute (IPv6, spot requests, ...).
/// tests/conformance/filters_test.py proves the list right in both directions.
std::span<const std::string_view> silent_filters(std::string_view action);
}  // namespace virga::api
