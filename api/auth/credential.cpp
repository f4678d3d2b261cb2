#include "api/auth/credential.h"

#include <date/date.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <locale>
#include <map>
#include <sstream>

namespace virga::auth {
namespace {

constexpr std::size_t max_key_id = 128;
constexpr std::size_t max_signed_headers = 64;
constexpr int max_expires_s = 604'800;  // a week, as Signature Version 4 has it for presigned requests of any service

tl::unexpected<Error> incomplete(std::string message) { return fail(Code::incomplete_signature, std::move(message)); }

bool starts_with_amz(std::string_view name) { return name.size() >= 6 && strncasecmp(name.data(), "X-Amz-", 6) == 0; }

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_name(std::string_view text, std::size_t max) {
  return !text.empty() && text.size() <= max && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_digits(std::string_view text, std::size_t length) {
  return text.size() == length && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Result<void> take_scope(Credential& credential, std::string_view text) {
  const auto parts = split(text, '/');
  if (parts.size() != 5 || parts[4] != "aws4_request" || !is_name(parts[0], max_key_id) || !is_digits(parts[1], 8) ||
      !is_name(parts[2], 64) || !is_name(parts[3], 64))
    return incomplete("Credential must have the form 'key id/yyyymmdd/region/service/aws4_request'.");
  credential.key_id = parts[0];
  credential.scope = {parts[1], parts[2], parts[3]};
  return {};
}

Result<void> take_signed_headers(Credential& credential, std::string_view text) {
  auto names = split(text, ';');
  const auto is_header = [](const std::string& name) {
    return is_name(name, 128) && std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
  };
  const bool ascending = std::ranges::adjacent_find(names, std::ranges::greater_equal()) == names.end();
  if (names.size() > max_signed_headers || !std::ranges::all_of(names, is_header) || !ascending)
    return incomplete("SignedHeaders must be a sorted list of lower-case header names separated by ';'.");
  credential.signed_headers = std::move(names);
  return {};
}

Result<void> take_signature(Credential& credential, std::string_view text) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != 64 || !std::ranges::all_of(text, is_hex))
    return incomplete("Signature must be 64 lower-case hexadecimal digits.");
  credential.signature = text;
  return {};
}

/// A Date header as the signature's text has it: either HTTP's form ("Sun, 22 Nov 2026 10:00:00 GMT") in that of
/// X-Amz-Date, or what was given, which is that form already or no date at all.
std::string amz_date_of(const std::string& text) {
  constexpr auto form = "%a, %d %b %Y %T GMT";
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  date::sys_seconds moment;
  in >> date::parse(form, moment);
  if (in.fail() || date::format(std::locale::classic(), form, moment) != text) return text;
  return date::format("%Y%m%dT%H%M%SZ", moment);
}

Result<Credential> parse_header_form(const HttpRequest& request, std::string_view authorization) {
  if (!authorization.starts_with(algorithm) || !authorization.substr(algorithm.size()).starts_with(' '))
    return incomplete("Authorization must begin with '" + std::string(algorithm) + " '.");
  std::map<std::string, std::string> members;
  for (const auto& member : split(authorization.substr(algorithm.size()), ',')) {
    const std::string text = canonical_value(member);
    const auto equals = std::min(text.find('='), text.size());
    if (equals == text.size() || !members.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      return incomplete("Authorization must hold Credential, SignedHeaders and Signature, each once.");
  }
  if (members.size() != 3 || !members.contains("Credential") || !members.contains("SignedHeaders") ||
      !members.contains("Signature"))
    return incomplete("Authorization must hold Credential, SignedHeaders and Signature, each once.");
  Credential credential;
  TRY_VOID(take_scope(credential, members["Credential"]));
  TRY_VOID(take_signed_headers(credential, members["SignedHeaders"]));
  TRY_VOID(take_signature(credential, members["Signature"]));
  if (const auto* date = request.headers.find("X-Amz-Date")) {
    credential.date = *date;
    return credential;
  }
  const auto* date = request.headers.find("Date");
  if (date == nullptr) return incomplete("One of the headers X-Amz-Date and Date must be given.");
  credential.date = amz_date_of(*date);
  return credential;
}

Result<Credential> parse_presigned(const QueryPairs& query) {
  std::map<std::string, std::string> members;
  Credential credential;
  for (const auto& [name, value] : query) {
    if (name != "X-Amz-Signature") credential.query.emplace_back(name, value);
    if (starts_with_amz(name) && !members.emplace(name, value).second)
      return incomplete("The query parameter " + name + " was given twice.");
  }
  for (const auto* name :
       {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"})
    if (!members.contains(name)) return incomplete(std::string("The query parameter ") + name + " is missing.");
  if (members["X-Amz-Algorithm"] != algorithm)
    return incomplete("X-Amz-Algorithm must be '" + std::string(algorithm) + "'.");
  TRY_VOID(take_scope(credential, members["X-Amz-Credential"]));
  TRY_VOID(take_signed_headers(credential, members["X-Amz-SignedHeaders"]));
  TRY_VOID(take_signature(credential, members["X-Amz-Signature"]));
  const auto& expires = members["X-Amz-Expires"];
  int seconds = 0;
  const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  if (error != std::errc() || end != expires.data() + expires.size() || seconds < 1 || seconds > max_expires_s)
    return incomplete("X-Amz-Expires must be between 1 and 604800 seconds.");
  credential.expires = std::chrono::seconds(seconds);
  credential.date = members["X-Amz-Date"];
  credential.temporary = members.contains("X-Amz-Security-Token");
  return credential;
}

}  // namespace

Result<Credential> parse_credential(const HttpRequest& request) {
  const auto named = [](const auto& field) { return strcasecmp(field.first.c_str(), "Authorization") == 0; };
  const auto headers = std::ranges::count_if(request.headers.all(), named);
  auto query = parse_query(request.query());
  if (!query) return incomplete("The query string has a malformed escape.");
  const bool presigned = std::ranges::any_of(*query, [](const auto& pair) { return starts_with_amz(pair.first); });
  if (headers == 0 && !presigned)
    return fail(Code::missing_authentication_token, "Request is missing Authentication Token");
  if (headers > 1 || (headers == 1 && presigned))
    return incomplete("The request must be signed once, in its header or in its query.");
  Credential credential = presigned ? TRY(parse_presigned(*query))
                                    : TRY(parse_header_form(request, *request.headers.find("Authorization")));
  if (!presigned) credential.query = std::move(*query);
  credential.temporary = credential.temporary || request.headers.find("X-Amz-Security-Token") != nullptr;
  return credential;
}

std::optional<Time> parse_amz_date(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z' || !is_digits(text.substr(0, 8), 8) ||
      !is_digits(text.substr(9, 6), 6))
    return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t length) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + length, value);
    return value;
  };
  using namespace std::chrono;
  const year_month_day day{year(number(0, 4)), month(static_cast<unsigned>(number(4, 2))),
                           std::chrono::day(static_cast<unsigned>(number(6, 2)))};
  const int hour = number(9, 2), minute = number(11, 2), second = number(13, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const auto moment = sys_days(day) + hours(hour) + minutes(minute) + seconds(second);
  return Time{duration_cast<milliseconds>(moment.time_since_epoch()).count()};
}

}  // namespace virga::auth
