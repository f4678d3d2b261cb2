#include "cli/admin_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

namespace virga::cli {

namespace {
constexpr long timeout_s = 30;

std::size_t append(char* data, std::size_t size, std::size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}
}  // namespace

Result<nlohmann::json> AdminClient::call(const std::string& method, const std::string& path,
                                         const nlohmann::json& body) const {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"), curl_slist_free_all);
  const std::string url = "http://virga" + path;
  const std::string text = body.is_null() ? "" : body.dump();
  std::string answer;
  curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (!body.is_null()) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, text.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(text.size()));
  }
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, timeout_s);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  if (const auto code = curl_easy_perform(curl.get()); code != CURLE_OK)
    return fail(Code::unavailable,
                fmt::format("The control role does not answer at {} ({}). Is it running? Try 'scripts/up', or look "
                            "at its log. This command needs root or the control role's user.",
                            socket_, curl_easy_strerror(code)));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  if (json.is_discarded()) return fail(Code::internal, fmt::format("The control role gave an unreadable answer ({}).", status));
  if (status >= 400) return fail(Code::invalid_parameter, json.value("message", "The control role refused."));
  return json;
}

}  // namespace virga::cli
