#include "api/error_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace virga::api {

namespace {

struct Entry {
  std::string_view code;
  int status;
  std::string_view when;
};

constexpr std::array entries = {
#define X(name, wire, status, when) Entry{wire, status, when},
#include "core/error_codes.def"
#undef X
};

constexpr std::string_view introduction =
    "# Error codes\n"
    "\n"
    "Every code that Virga answers with, as EC2 spells it. The Query API tells it in EC2's envelope\n"
    "(`<Response><Errors><Error><Code>...</Code><Message>...</Message></Error></Errors><RequestID>...`), the JSON API "
    "as\n"
    "`{\"code\": ..., \"message\": ..., \"request_id\": ...}`. Programs act on the code; the message is for people and "
    "names\n"
    "what is meant. This page is generated from `core/error_codes.def` by `virga error-codes`.\n"
    "\n"
    "| Code | HTTP status | When |\n"
    "| --- | --- | --- |\n";

}  // namespace

std::string error_codes_page() {
  auto sorted = entries;
  std::ranges::sort(sorted, {}, &Entry::code);
  std::string text(introduction);
  for (const auto& [code, status, when] : sorted) text += fmt::format("| `{}` | {} | {} |\n", code, status, when);
  return text;
}

}  // namespace virga::api
