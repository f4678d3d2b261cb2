#include "core/time.h"

#include <date/date.h>

#include <algorithm>
#include <sstream>

namespace virga {

namespace {

/// Takes the fraction of a second out of "2030-01-02T03:04:05.678900Z": clients write any number of its digits.
std::chrono::milliseconds take_fraction(std::string& text) {
  constexpr std::size_t point = 19, most_digits = 9;
  if (text.size() <= point || text[point] != '.') return std::chrono::milliseconds(0);
  const auto end = std::find_if(text.begin() + point + 1, text.end(), [](char c) { return c < '0' || c > '9'; });
  const auto digits = static_cast<std::size_t>(end - text.begin()) - point - 1;
  if (digits == 0 || digits > most_digits) return std::chrono::milliseconds(0);
  auto thousandths = text.substr(point + 1, std::min<std::size_t>(digits, 3));
  thousandths.resize(3, '0');
  text.erase(text.begin() + point, end);
  return std::chrono::milliseconds(std::stoi(thousandths));
}

}  // namespace

std::string to_iso8601(Time time) {
  const date::sys_time<std::chrono::milliseconds> point{std::chrono::milliseconds(time.ms)};
  return date::format("%FT%TZ", point);
}

Result<Time> parse_iso8601(std::string_view text) {
  std::string whole(text);
  const auto fraction = take_fraction(whole);
  for (const char* format : {"%FT%TZ", "%FT%T%Ez"}) {
    std::istringstream in{whole};
    date::sys_time<std::chrono::seconds> point;
    in >> date::parse(format, point);
    if (!in.fail() && in.peek() == std::istringstream::traits_type::eof())
      return Time{(point.time_since_epoch() + fraction).count()};
  }
  return fail(Code::invalid_parameter_value,
              "The timestamp '" + std::string(text.substr(0, 64)) + "' is invalid; use the form 2030-01-02T03:04:05Z.");
}

Time SystemClock::now() const {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()};
}

}  // namespace virga
