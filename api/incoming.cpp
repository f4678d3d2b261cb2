#include "api/incoming.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/json.h"
#include "api/codec/value.h"

namespace virga::api {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::string_view classic_link_actions[] = {
    "AttachClassicLinkVpc",          "DescribeClassicLinkInstances",
    "DescribeVpcClassicLink",        "DescribeVpcClassicLinkDnsSupport",
    "DetachClassicLinkVpc",          "DisableVpcClassicLink",
    "EnableVpcClassicLink",          "DisableVpcClassicLinkDnsSupport",
    "EnableVpcClassicLinkDnsSupport"};

/// YYYY-MM-DD. EC2 has had dozens of versions and clients name any of them.
bool is_version(std::string_view text) {
  if (text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i])) return false;
  return true;
}

Result<void> check_content_type(const HttpRequest& request, std::string_view wanted) {
  const auto* given = request.headers.find("content-type");
  if (given != nullptr) {
    std::string lower(given->substr(0, given->find(';')));
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    while (lower.ends_with(' ')) lower.pop_back();
    if (lower == wanted) return {};
  } else if (request.body.empty()) {
    return {};
  }
  return fail(Code::invalid_parameter, fmt::format("The content type of the body must be {}.", wanted));
}

}  // namespace

std::optional<Dialect> dialect_of(const HttpRequest& request) {
  const auto path = request.path();
  if (path == "/" && (request.method == "POST" || request.method == "GET")) return Dialect::query;
  if (path.starts_with(json_prefix) && path.size() > json_prefix.size() && request.method == "POST")
    return Dialect::json;
  return std::nullopt;
}

Result<Incoming> Incoming::read(const HttpRequest& request, Dialect dialect) {
  Incoming incoming;
  incoming.dialect_ = dialect;
  if (dialect == Dialect::json) {
    TRY_VOID(check_content_type(request, "application/json"));
    incoming.action_ = request.path().substr(json_prefix.size());
    incoming.body_ = request.body.empty() ? std::string_view("{}") : std::string_view(request.body);
    return incoming;
  }
  TRY_VOID(incoming.parameters_.add(request.query()));
  if (request.method == "POST") {
    TRY_VOID(check_content_type(request, "application/x-www-form-urlencoded"));
    TRY_VOID(incoming.parameters_.add(request.body));
  }
  const auto* action = incoming.parameters_.find("Action");
  if (action == nullptr || action->empty())
    return fail(Code::missing_action, "The request must contain the parameter Action");
  incoming.action_ = *action;
  const auto* version = incoming.parameters_.find("Version");
  if (version != nullptr && !is_version(*version))
    return fail(codec::invalid_value(*version, "Version", "It must be a date such as 2016-11-15."));
  return incoming;
}

Result<void> Incoming::decode(const ec2::Shape& shape, void* request) const {
  if (dialect_ == Dialect::json) return codec::decode_json(body_, shape, request, codec::Origin::request);
  return codec::decode_query(parameters_, shape, request);
}

Error invalid_action(std::string_view action) {
  // EC2 still knows these, in no region: Ansible asks for the status of each VPC and goes on at exactly this message.
  if (std::ranges::find(classic_link_actions, action) != std::end(classic_link_actions))
    return {Code::unsupported_operation, "The functionality you requested is not available in this region.", {}};
  const bool plausible = action.size() <= 64 && std::ranges::all_of(action, [](char c) {
                           return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                         });
  return {
      Code::invalid_action,
      fmt::format("The action{}{} is not valid for this web service.", plausible ? " " : "", plausible ? action : ""),
      {}};
}

}  // namespace virga::api
