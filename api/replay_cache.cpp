#include "api/replay_cache.h"

#include "api/digest.h"

namespace virga::api {

namespace {
constexpr std::size_t max_invocation_id_bytes = 256;
}

std::optional<std::string> ReplayCache::key_of(const std::string& access_key_id, const HttpRequest& request) {
  const auto* invocation = request.headers.find("amz-sdk-invocation-id");
  if (invocation == nullptr || invocation->empty() || invocation->size() > max_invocation_id_bytes) return std::nullopt;
  return access_key_id + ' ' + *invocation + ' ' + sha256_hex(request.target + '\n' + request.body);
}

std::optional<HttpResponse> ReplayCache::begin(const std::string& key) {
  std::unique_lock lock(mutex_);
  while (true) {
    expire();
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
      entries_[key] = {clock_.now(), std::nullopt};
      return std::nullopt;
    }
    if (found->second.response) return found->second.response;
    changed_.wait(lock);
  }
}

void ReplayCache::finish(const std::string& key, const HttpResponse& response) {
  const std::lock_guard lock(mutex_);
  if (response.status == 200 && response.body.size() <= max_body_bytes) {
    const Time now = clock_.now();
    entries_[key] = {now, response};
    by_age_.emplace_back(now, key);
  } else {
    entries_.erase(key);
  }
  changed_.notify_all();
}

void ReplayCache::expire() {
  const Time now = clock_.now();
  while (!by_age_.empty() && (by_age_.size() > max_entries || now - by_age_.front().first >= lifetime)) {
    const auto found = entries_.find(by_age_.front().second);
    if (found != entries_.end() && found->second.response && found->second.begun == by_age_.front().first)
      entries_.erase(found);
    by_age_.pop_front();
  }
}

}  // namespace virga::api
