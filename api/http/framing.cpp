#include "api/http/framing.h"

#include <fmt/chrono.h>
#include <strings.h>

#include <algorithm>
#include <boost/beast/http/rfc7230.hpp>

#include "core/time.h"

namespace virga::http {
namespace beast_http = boost::beast::http;
namespace {

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// The server decides on these, except in a 101 answer, whose handler speaks for the connection.
bool is_servers_own(std::string_view name) {
  return same(name, "Content-Length") || same(name, "Transfer-Encoding") || same(name, "Date") ||
         same(name, "Connection");
}

bool is_token(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

bool is_decimal(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_field_value(std::string_view value) {
  return std::ranges::none_of(value, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

}  // namespace

int refuse_header(const RequestHeader& header) {
  const auto lengths = header.count(beast_http::field::content_length);
  const auto encodings = header.count(beast_http::field::transfer_encoding);
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0)) return 400;
  if (encodings > 0 && (header.version() < 11 || !same(header[beast_http::field::transfer_encoding], "chunked")))
    return 400;
  // A list of equal lengths ("3, 3") is allowed to servers that trust their neighbours.
  if (lengths > 0 && !is_decimal(header[beast_http::field::content_length])) return 400;
  const auto hosts = header.count(beast_http::field::host);
  if (hosts > 1 || (hosts == 0 && header.version() >= 11)) return 400;
  if (header.count(beast_http::field::content_encoding) > 0) return 415;
  if (header.count(beast_http::field::expect) > 0 && !expects_continue(header)) return 417;
  return 0;
}

bool expects_continue(const RequestHeader& header) { return same(header[beast_http::field::expect], "100-continue"); }

HttpRequest to_request(const RequestHeader& header, const HttpPeer& peer) {
  HttpRequest request;
  request.method = std::string(header.method_string());
  request.target = std::string(header.target());
  for (const auto& field : header) request.headers.add(std::string(field.name_string()), std::string(field.value()));
  request.peer = peer;
  return request;
}

bool to_header(const HttpResponse& response, ResponseHeader& header) {
  const bool upgrade = response.status == 101;
  header.result(static_cast<unsigned>(response.status));
  header.set(beast_http::field::date, http_date());
  header.set(beast_http::field::server, "virga");
  if (!response.body.empty() && !response.content_type.empty()) {
    if (!is_field_value(response.content_type)) return false;
    header.set(beast_http::field::content_type, response.content_type);
  }
  for (const auto& [name, value] : response.headers.all()) {
    if (!is_token(name) || !is_field_value(value)) return false;
    if (is_servers_own(name) && !(upgrade && same(name, "Connection"))) continue;
    // The metadata service calls itself by another name.
    same(name, "Server") ? header.set(name, value) : header.insert(name, value);
  }
  return true;
}

std::string http_date() {
  const auto seconds = static_cast<std::time_t>(SystemClock().now().ms / 1000);
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(seconds));
}

}  // namespace virga::http
