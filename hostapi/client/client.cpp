#include "hostapi/client/client.h"

#include "core/json_values.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include "hostapi/client/upgrade.h"
#include "hostapi/wire.h"

namespace virga::hostapi {
namespace {

constexpr long connect_timeout_ms = 2'000;

struct Answer {
  std::string body;
  bool too_large = false;
};

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  if (answer.body.size() + size * count > max_document_bytes) {
    answer.too_large = true;
    return 0;
  }
  answer.body.append(bytes, size * count);
  return size * count;
}

std::string folder(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::vpc:
      return "/v1/vpcs/";
    case DocumentKind::volume:
      return "/v1/volumes/";
    case DocumentKind::image:
      return "/v1/images/";
    case DocumentKind::instance:
      return "/v1/instances/";
    case DocumentKind::snapshot:
      return "/v1/snapshots/";
  }
  return {};
}

void initialise_curl() {
  static const bool once = [] { return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; }();
  static_cast<void>(once);
}

Result<nlohmann::json> parse_answer(const std::string& body) {
  auto json = parse_json(body);
  if (!json) return fail(Code::unavailable, "The host's answer cannot be read.", describe(json.error()));
  return json;
}

}  // namespace

Error error_of_answer(long status, const std::string& body) {
  const auto json = parse_json(body);
  if (json && json->is_object() && json->contains("code") && json->contains("message") && (*json)["code"].is_string() &&
      (*json)["message"].is_string()) {
    return {parse_code((*json)["code"].get<std::string>()), (*json)["message"].get<std::string>(),
            "answered by the host"};
  }
  // A refusal of this one request (its server's own 413, say) is no outage: the others must go on.
  const auto code = status >= 400 && status < 500 ? Code::invalid_parameter : Code::unavailable;
  return {code, "The host cannot serve this request.", fmt::format("the host answered with status {}", status)};
}

Result<std::string> Client::call(const std::string& method, const std::string& target, const std::string& body,
                                 std::chrono::milliseconds timeout) const {
  initialise_curl();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (!curl) return fail(internal_error("curl_easy_init"));
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:"), &curl_slist_free_all);
  const std::string url = "http://host" + target;
  Answer answer;
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (method != "GET" && method != "DELETE") {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  }
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    const std::string why = answer.too_large ? "the answer is too large"
                            : reason[0]      ? reason
                                             : curl_easy_strerror(code);
    return fail(Code::unavailable, "The host cannot be reached at present.", method + " " + target + ": " + why);
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) return fail(within(method + " " + target, error_of_answer(status, answer.body)));
  return std::move(answer.body);
}

Result<void> Client::put_vpc(const network::WantedVpc& vpc) {
  TRY(call("PUT", "/v1/vpcs/" + vpc.id.str(), nlohmann::json(vpc).dump()));
  return {};
}

Result<void> Client::put_volume(const storage::WantedVolume& volume) {
  TRY(call("PUT", "/v1/volumes/" + volume.id.str(), nlohmann::json(volume).dump()));
  return {};
}

Result<void> Client::put_snapshot(const storage::WantedSnapshot& snapshot) {
  TRY(call("PUT", "/v1/snapshots/" + snapshot.id.str(), nlohmann::json(snapshot).dump()));
  return {};
}

Result<void> Client::put_instance(const compute::WantedInstance& instance) {
  TRY(call("PUT", "/v1/instances/" + instance.id.str(), nlohmann::json(instance).dump()));
  return {};
}

Result<void> Client::remove(DocumentKind kind, const std::string& id) {
  TRY(call("DELETE", folder(kind) + id));
  return {};
}

Result<void> Client::confirm(const Inventory& inventory) {
  TRY(call("PUT", "/v1/inventory", nlohmann::json(inventory).dump()));
  return {};
}

Result<HostState> Client::state() {
  const auto body = TRY(call("GET", "/v1/state"));
  const auto json = TRY(parse_answer(body));
  auto state = decode<HostState>(json);
  if (!state) return fail(Code::unavailable, "The host's answer cannot be read.", describe(state.error()));
  const std::lock_guard lock(mutex_);
  boot_id_ = state->boot_id;
  return state;
}

Result<std::uint64_t> Client::wait_for_change(std::uint64_t sequence, std::chrono::milliseconds wait) {
  std::string boot_id;
  {
    const std::lock_guard lock(mutex_);
    boot_id = boot_id_;
  }
  const auto target = fmt::format("/v1/events?after={}&wait_ms={}&boot_id={}", sequence, wait.count(), boot_id);
  const auto body = TRY(call("GET", target, {}, wait + std::chrono::seconds(5)));
  const auto json = TRY(parse_answer(body));
  try {
    return json.at("sequence").get<std::uint64_t>();
  } catch (const nlohmann::json::exception& exception) {
    return fail(Code::unavailable, "The host's answer cannot be read.", exception.what());
  }
}

Result<std::string> Client::console_output(const InstanceId& instance) {
  return call("GET", "/v1/instances/" + instance.str() + "/console");
}

Result<void> Client::import_image(const ImageId& image, const std::string& path) {
  TRY(call("POST", "/v1/images/" + image.str(), nlohmann::json{{"path", path}}.dump()));
  return {};
}

Result<void> Client::simulate(const std::string& fault, const std::string& object, int count,
                              std::chrono::milliseconds delay) {
  const nlohmann::json body = {{"fault", fault}, {"object", object}, {"count", count}, {"delay_ms", delay.count()}};
  TRY(call("POST", "/v1/simulate", body.dump()));
  return {};
}

Result<UniqueFd> Client::open_serial(const InstanceId& instance) {
  return upgrade("/v1/instances/" + instance.str() + "/serial");
}

Result<UniqueFd> Client::connect_vpc(const VpcId& vpc, const std::string& address, std::uint16_t port) {
  for (const char c : address) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0 && c != '.' && c != ':') {
      return fail(Code::invalid_parameter_value, "The address is not an IP address.");
    }
  }
  return upgrade(fmt::format("/v1/vpcs/{}/connect?address={}&port={}", vpc.str(), address, port));
}

Result<UniqueFd> Client::upgrade(const std::string& target) const {
  return open_upgraded(socket_.string(), target, call_timeout);
}

}  // namespace virga::hostapi
