#include "hostapi/agent/host_identity.h"

#include <algorithm>

#include "core/durable_file.h"

namespace virga::hostapi {
namespace {

bool is_uuid(const std::string& text) {
  constexpr std::size_t length = 36;
  return text.size() == length &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'; });
}

}  // namespace

Result<std::string> host_identity(const std::filesystem::path& file, IdSource& ids) {
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) {
    const auto made = ids.uuid();
    TRY_VOID(replace_file(file, made + "\n"));
    return made;
  }
  auto text = TRY(read_file(file, 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!is_uuid(text))
    return fail(internal_error(file.string() + " does not hold this host's identity; `virga status --json` of its control role tells it"));
  return text;
}

}  // namespace virga::hostapi
