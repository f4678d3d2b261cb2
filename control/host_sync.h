#pragma once

// Keeps one host and the store in step. A round: turn the outbox into documents, put to the host what it has not taken,
// ask for its state, take the observations in. Woken by commits, by the host's own changes and by a timer; takes no
// input, so the round after a crash is the ordinary round. The host is never called while a transaction is open.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "control/documents.h"
#include "core/config.h"
#include "core/scope.h"
#include "hostapi/host.h"

namespace virga::control {

class HostSync {
 public:
  HostSync(store::Store& store, const Clock& clock, IdSource& ids, const Config& config, hostapi::Host& host,
           std::string endpoint);
  ~HostSync();
  HostSync(const HostSync&) = delete;
  HostSync& operator=(const HostSync&) = delete;

  void start();
  void stop();
  /// Something was committed: look again. Any thread; returns at once.
  void wake();

  /// One round, for tests and for the thread. Errors: the host could not be reached; the store failed.
  Result<void> round();
  /// A host that has not answered for so long is down: it gets nothing new until it answers again. A call that hangs ends
  /// after 10 s, so that this shows within half a minute.
  static constexpr std::chrono::milliseconds down_after{15'000};

  /// For `virga status`: the host's last word, and since when it has been silent ("" while it answers).
  std::string problem() const;
  /// The host's key in the store, empty before its first answer.
  std::string name() const;

 private:
  Result<void> exchange();
  Result<void> mark_down();
  /// Errors: another host answers than the one this is about.
  Result<void> check_identity(const hostapi::HostState& state) const;
  Result<void> push();
  /// Whether the host has taken it; false: it has changed since, and is pushed with its next generation.
  Result<bool> put(const std::string& host, const Pending& item);
  Result<void> learn_identity();
  /// The key of the host whose state this is; a new host gets a row.
  Result<std::string> key_of(store::Transaction& tx, const hostapi::HostState& state) const;
  Result<void> take_in(const hostapi::HostState& state);
  Result<void> confirm(const hostapi::HostState& state);
  void take_in_removals(store::Transaction& tx, const hostapi::HostState& state);
  void push_again_what_was_forgotten(store::Transaction& tx, const hostapi::HostState& state);
  void fail_lost_imports(Scope& reconciler, const hostapi::HostState& state);
  void observe_all(store::Transaction& tx, const hostapi::HostState& state);
  void work(const std::stop_token& stop);
  void watch(const std::stop_token& stop);
  void note_silence(const Error& error);
  Scope scope(store::Transaction& tx) const;

  store::Store& store_;
  const Clock& clock_;
  IdSource& ids_;
  const Config& config_;
  hostapi::Host& host_;
  std::string endpoint_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = true;
  std::string name_;
  std::string identity_;  ///< the worker's alone, as is:
  std::string label_;     ///< what the host calls itself
  std::string problem_;
  std::uint64_t sequence_ = 0;
  Time last_full_pass_{0};
  Time last_contact_;
  bool down_ = false;           ///< said so in the store
  std::string confirmed_boot_;  ///< the run of the host that knows it has all its documents; the worker's alone
  std::jthread worker_;
  std::jthread watcher_;
};

}  // namespace virga::control
