#pragma once

// Answers to changes made in the last minutes, for clients that send a call again because the connection broke under
// it. SDKs give each call an Amz-Sdk-Invocation-Id and keep it when they resend; with access key and body it names the
// call. A call that arrives while its first copy is being worked on waits for that one's answer.
//
// In memory and bounded: after a restart a resent call is an ordinary call.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/http.h"
#include "core/time.h"

namespace virga::api {

class ReplayCache {
 public:
  static constexpr std::chrono::minutes lifetime{5};
  static constexpr std::size_t max_entries = 1024;
  static constexpr std::size_t max_body_bytes = 16 << 10;

  explicit ReplayCache(const Clock& clock) : clock_(clock) {}

  /// What names a call, or nothing when it has no invocation id.
  static std::optional<std::string> key_of(const std::string& access_key_id, const HttpRequest& request);

  /// The answer given before; or nothing, and the caller must work the call out and then say finish() with the key.
  std::optional<HttpResponse> begin(const std::string& key);
  /// Keeps a success; forgets the call otherwise, so that it may be tried again.
  void finish(const std::string& key, const HttpResponse& response);

 private:
  struct Entry {
    Time begun;
    std::optional<HttpResponse> response;  ///< nothing: being worked on
  };
  void expire();

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;
  std::deque<std::pair<Time, std::string>> by_age_;
};

}  // namespace virga::api
