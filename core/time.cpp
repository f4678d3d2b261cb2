#include "core/time.h"

#include <date/date.h>

#include <sstream>

namespace virga {

std::string to_iso8601(Time time) {
  const date::sys_time<std::chrono::milliseconds> point{std::chrono::milliseconds(time.ms)};
  return date::format("%FT%TZ", point);
}

Result<Time> parse_iso8601(std::string_view text) {
  for (const char* format : {"%FT%TZ", "%FT%T%Ez"}) {
    std::istringstream in{std::string(text)};
    date::sys_time<std::chrono::milliseconds> point;
    in >> date::parse(format, point);
    if (!in.fail() && in.peek() == std::istringstream::traits_type::eof()) return Time{point.time_since_epoch().count()};
  }
  return fail(Code::invalid_parameter_value,
              "The timestamp '" + std::string(text.substr(0, 64)) + "' is invalid; use the form 2030-01-02T03:04:05Z.");
}

Time SystemClock::now() const {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()};
}

}  // namespace virga
