#include "compute/host/metadata_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compute/host/metadata_tree.h"

namespace virga::compute {
namespace {

constexpr std::string_view token_path = "/latest/api/token";
constexpr std::string_view token_header = "X-aws-ec2-metadata-token";
constexpr std::string_view lifetime_header = "X-aws-ec2-metadata-token-ttl-seconds";
constexpr int longest_lifetime_s = 21'600;
constexpr std::size_t max_budgets = 4'096;

HttpResponse answer(int status, std::string content_type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  response.headers.add("Server", "EC2ws");
  return response;
}

HttpResponse refusal(int status, std::string_view reason) {
  return answer(status, "text/html",
                fmt::format("<!DOCTYPE html>\n<html><head><title>{0} - {1}</title></head>"
                            "<body><h1>{0} - {1}</h1></body></html>\n",
                            status, reason));
}

HttpResponse not_found() { return refusal(404, "Not Found"); }

HttpResponse method_not_allowed(std::string allowed) {
  auto response = refusal(405, "Method Not Allowed");
  response.headers.add("Allow", std::move(allowed));
  return response;
}

// Seconds a token is asked to live: digits from 1 to 21600 and nothing else.
std::optional<int> parse_lifetime(const std::string* text) {
  if (text == nullptr || text->empty() ||
      !std::all_of(text->begin(), text->end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || value < 1 || value > longest_lifetime_s) return std::nullopt;
  return value;
}

std::string version_listing() {
  std::string text;
  for (const auto version : metadata_versions()) {
    if (!text.empty()) text += '\n';
    text += version;
  }
  return text;
}

// What a path says of this instance; nothing if it says nothing.
std::optional<std::string> look_up_versioned(const WantedInstance& instance, std::string_view path) {
  if (path.empty() || path == "/") return version_listing();
  if (path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  const auto slash = path.find('/');
  const auto version = path.substr(0, slash);
  const auto& versions = metadata_versions();
  if (std::find(versions.begin(), versions.end(), version) == versions.end()) return std::nullopt;
  const auto rest = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return look_up(metadata_tree(instance), rest);
}

}  // namespace

const WantedInstance* find_by_address(std::span<const WantedInstance> instances, const VpcId& vpc,
                                      std::string_view address) {
  for (const auto& instance : instances) {
    for (const auto& nic : instance.metadata.nics) {
      if (nic.vpc == vpc && nic.private_ip == address) return &instance;
    }
  }
  return nullptr;
}

int hop_limit(const WantedInstance& instance) {
  return std::clamp(instance.metadata.options.http_put_response_hop_limit, 1, 64);
}

HttpResponse MetadataService::respond(const WantedInstance& instance, const HttpRequest& request) {
  const auto& nics = instance.metadata.nics;
  const auto nic = std::find_if(nics.begin(), nics.end(),
                                [&](const MetadataNic& n) { return n.private_ip == request.peer.address; });
  if (nic == nics.end()) return not_found();
  const auto now = clock_.now();
  if (!admit(nic->interface, now)) return refusal(503, "Service Unavailable");
  if (instance.metadata.options.http_endpoint != "enabled") return refusal(403, "Forbidden");
  const TokenHolder holder{instance.id, nic->interface};
  if (request.path() == token_path) {
    return request.method == "PUT" ? give_token(instance, holder, request, now) : method_not_allowed("OPTIONS, PUT");
  }
  if (request.method != "GET" && request.method != "HEAD") return method_not_allowed("GET, HEAD");
  return read(instance, holder, request, now);
}

HttpResponse MetadataService::give_token(const WantedInstance& instance, const TokenHolder& holder,
                                         const HttpRequest& request, Time now) const {
  // An open proxy or a misconfigured web server in the guest adds this header for strangers; EC2 refuses it likewise.
  if (request.headers.find("X-Forwarded-For") != nullptr) return refusal(403, "Forbidden");
  const auto lifetime_s = parse_lifetime(request.headers.find(lifetime_header));
  if (!lifetime_s) return refusal(400, "Bad Request");
  auto response = answer(200, "text/plain", tokens_.issue(holder, now, std::chrono::seconds(*lifetime_s)));
  response.headers.add("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", std::to_string(*lifetime_s));
  response.ip_ttl = hop_limit(instance);
  return response;
}

HttpResponse MetadataService::read(const WantedInstance& instance, const TokenHolder& holder,
                                   const HttpRequest& request, Time now) const {
  std::optional<std::chrono::seconds> left;
  if (const auto* token = request.headers.find(token_header)) {
    left = tokens_.check(*token, holder, now);
    if (!left) return refusal(401, "Unauthorized");
  } else if (instance.metadata.options.http_tokens == "required") {
    return refusal(401, "Unauthorized");
  }
  const auto path = request.path();
  auto text = look_up_versioned(instance, path);
  if (!text) return not_found();
  auto response =
      answer(200, path.ends_with("/user-data") ? "application/octet-stream" : "text/plain", std::move(*text));
  if (left) response.headers.add("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", std::to_string(left->count()));
  return response;
}

bool MetadataService::admit(const NetworkInterfaceId& interface, Time now) {
  constexpr double rate = MetadataLimits::requests_per_second;
  const std::lock_guard lock(mutex_);
  if (budgets_.size() >= max_budgets && !budgets_.contains(interface)) {
    // Whoever has been silent for a second has a full budget again and need not be remembered.
    std::erase_if(budgets_, [&](const auto& entry) { return now - entry.second.at >= std::chrono::seconds(1); });
  }
  auto& budget = budgets_.try_emplace(interface, Budget{rate, now}).first->second;
  const auto elapsed_ms = std::max<std::int64_t>(0, (now - budget.at).count());
  budget.requests = std::min(rate, budget.requests + static_cast<double>(elapsed_ms) * rate / 1000);
  budget.at = now;
  if (budget.requests < 1) return false;
  budget.requests -= 1;
  return true;
}

}  // namespace virga::compute
