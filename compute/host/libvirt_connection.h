#pragma once

// One connection to libvirt that comes back by itself.
//
// A thread opens it, registers for events, and after a loss (close callback: libvirtd ended, or keepalive found it
// hung) opens it again with growing pauses. Events of the gap are lost, so every (re)connection counts as a change.
// Thread-safe.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "compute/host/libvirt_calls.h"
#include "compute/host/libvirt_handles.h"

namespace virga::compute {

/// What libvirt tells by itself. Called from any thread; must be quick and must not call libvirt.
struct LibvirtEvents {
  std::function<void()> changed;  ///< a guest's life cycle, a device that went, a job that ended, a lost or new connection
  std::function<void(const std::string& domain)> ended;  ///< the guest of that name is off, for whatever reason
  std::function<void(const std::string& domain)> reset;  ///< the guest of that name was reset: it rebooted
};

class LibvirtConnection {
 public:
  /// Starts to connect.
  LibvirtConnection(std::string uri, LibvirtEvents events);
  ~LibvirtConnection();
  LibvirtConnection(const LibvirtConnection&) = delete;
  LibvirtConnection& operator=(const LibvirtConnection&) = delete;

  /// The open connection; `unavailable` while there is none, with what keeps it from opening.
  Result<ConnectionHandle> handle() const;
  /// Whether it was connected within that time.
  bool wait_connected(std::chrono::milliseconds timeout) const;

 private:
  struct State;
  static void keep_connected(const std::shared_ptr<State>& state);
  static void settle(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;  ///< shared with the thread and with libvirt's callbacks, which may come late
};

}  // namespace virga::compute
