#include "compute/host/libvirt_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "compute/host/event_loop.h"

namespace virga::compute {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds open_deadline{15'000};
constexpr milliseconds settle_deadline{10'000};
constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{5'000};
// A hung libvirtd is noticed after interval * (count + 1) seconds.
constexpr int keepalive_interval_s = 5;
constexpr unsigned keepalive_count = 3;

}  // namespace

struct LibvirtConnection::State {
  const std::string uri;
  const LibvirtEvents events;
  LibvirtCalls opens{{.workers = 1, .max_abandoned = 2}};
  LibvirtCalls looks{{.workers = 1, .max_abandoned = 1}};
  std::thread thread;

  mutable std::mutex mutex;
  mutable std::condition_variable wake;
  ConnectionHandle handle;
  virConnectPtr lost = nullptr;  ///< whose close callback came
  std::string problem = "not connected yet";
  bool stopping = false;

  State(std::string u, LibvirtEvents e) : uri(std::move(u)), events(std::move(e)) {}
};

namespace {

// What libvirt's C callbacks carry: a share of the state, freed when the callback is unregistered.
template <class State>
struct Callback {
  std::shared_ptr<State> state;
  static void free(void* opaque) { delete static_cast<Callback*>(opaque); }
  static void notify(void* opaque) { static_cast<Callback*>(opaque)->state->events.changed(); }
};

template <class State>
void on_close(virConnectPtr connection, int reason, void* opaque) {
  auto& state = *static_cast<Callback<State>*>(opaque)->state;
  spdlog::warn("libvirt: connection lost (reason {})", reason);
  const std::lock_guard lock(state.mutex);
  state.lost = connection;
  state.wake.notify_all();
}

template <class State>
int on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
  spdlog::debug("libvirt: {} event {} detail {}", virDomainGetName(domain), event, detail);
  if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_CRASHED) {
    static_cast<Callback<State>*>(opaque)->state->events.ended(virDomainGetName(domain));
  }
  Callback<State>::notify(opaque);
  return 0;
}

template <class State>
void on_device(virConnectPtr, virDomainPtr, const char*, void* opaque) {
  Callback<State>::notify(opaque);
}

template <class State>
void on_job(virConnectPtr, virDomainPtr, virTypedParameterPtr, int, void* opaque) {
  Callback<State>::notify(opaque);
}

template <class State>
int on_reset(virConnectPtr, virDomainPtr domain, void* opaque) {
  static_cast<Callback<State>*>(opaque)->state->events.reset(virDomainGetName(domain));
  Callback<State>::notify(opaque);
  return 0;
}

// Registered callbacks hold references to the connection: without this it would never be freed.
void close_connection(virConnectPtr connection, const std::vector<int>& events, virConnectCloseFunc close_callback) {
  for (const int event : events) virConnectDomainEventDeregisterAny(connection, event);
  virConnectUnregisterCloseCallback(connection, close_callback);
  virConnectClose(connection);
}

template <class State>
Result<ConnectionHandle> open_connection(const std::shared_ptr<State>& state) {
  auto* raw = virConnectOpen(state->uri.c_str());
  if (raw == nullptr) {
    auto error = last_libvirt_error("open " + state->uri);
    error.code = Code::unavailable;
    return fail(std::move(error));
  }
  std::vector<int> events;
  const auto listen = [&](int id, virConnectDomainEventGenericCallback callback) {
    auto* opaque = new Callback<State>{state};
    const int number = virConnectDomainEventRegisterAny(raw, nullptr, id, callback, opaque, &Callback<State>::free);
    if (number < 0) {
      Callback<State>::free(opaque);
      return false;
    }
    events.push_back(number);
    return true;
  };
  virConnectSetKeepAlive(raw, keepalive_interval_s, keepalive_count);  // the embedded driver has none and needs none
  auto* opaque = new Callback<State>{state};
  if (virConnectRegisterCloseCallback(raw, &on_close<State>, opaque, &Callback<State>::free) < 0) {
    Callback<State>::free(opaque);
  }
  const bool listening =
      listen(VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(&on_lifecycle<State>)) &&
      listen(VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(&on_reset<State>)) &&
      listen(VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(&on_job<State>)) &&
      listen(VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(&on_device<State>)) &&
      listen(VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, VIR_DOMAIN_EVENT_CALLBACK(&on_device<State>));
  auto error = listening ? Error{} : last_libvirt_error("register events");
  ConnectionHandle handle(
      raw, [events](virConnectPtr connection) { close_connection(connection, events, &on_close<State>); });
  if (!listening) return fail(std::move(error));
  return handle;
}

// Returns when libvirtd has taken up every guest it found running, or has given it up: a question that goes to the
// guest's QEMU waits for that.
Result<bool> ask_every_guest(virConnectPtr connection) {
  virDomainPtr* found = nullptr;
  const int count = virConnectListAllDomains(connection, &found, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (count < 0) return fail(last_libvirt_error("list active domains"));
  for (int i = 0; i < count; ++i) {
    virDomainMemoryStatStruct unused{};
    virDomainMemoryStats(found[i], &unused, 1, 0);  // what it says, or that it failed, is of no interest
    virDomainFree(found[i]);
  }
  std::free(found);
  return true;
}

}  // namespace

LibvirtConnection::LibvirtConnection(std::string uri, LibvirtEvents events)
    : state_(std::make_shared<State>(std::move(uri), std::move(events))) {
  ensure_event_loop();
  state_->thread = std::thread([state = state_] { keep_connected(state); });
}

LibvirtConnection::~LibvirtConnection() {
  ConnectionHandle last;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    last.swap(state_->handle);
    state_->wake.notify_all();
  }
  // An open that hangs holds the thread for its deadline at most.
  state_->thread.join();
  // Closing talks to libvirtd, so it too may hang; then it is left behind.
  auto closed = state_->opens.run<bool>("close", std::chrono::seconds(2), [handle = std::move(last)]() mutable {
    handle.reset();
    return Result<bool>(true);
  });
  if (!closed) spdlog::warn("libvirt: {}", describe(closed.error()));
}

Result<ConnectionHandle> LibvirtConnection::handle() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->handle || state_->lost == state_->handle.get()) {
    return fail(Code::unavailable, "The hypervisor is not available", "libvirt: " + state_->problem);
  }
  return state_->handle;
}

bool LibvirtConnection::wait_connected(milliseconds timeout) const {
  std::unique_lock lock(state_->mutex);
  return state_->wake.wait_for(lock, timeout, [&] { return state_->handle != nullptr; });
}

void LibvirtConnection::keep_connected(const std::shared_ptr<State>& state) {
  auto pause = first_pause;
  while (true) {
    {
      const std::lock_guard lock(state->mutex);
      state->lost = nullptr;
    }
    auto opened = state->opens.run<ConnectionHandle>("open", open_deadline, [state] { return open_connection(state); });
    std::unique_lock lock(state->mutex);
    if (state->stopping) return;
    if (!opened) {
      if (state->problem != describe(opened.error())) {
        state->problem = describe(opened.error());
        spdlog::warn("libvirt: {}", state->problem);
      }
      state->wake.wait_for(lock, pause, [&] { return state->stopping; });
      pause = std::min(pause * 2, longest_pause);
      if (state->stopping) return;
      continue;
    }
    pause = first_pause;
    state->handle = *opened;
    opened->reset();
    state->problem.clear();
    state->wake.notify_all();
    lock.unlock();
    spdlog::info("libvirt: connected to {}", state->uri);
    state->events.changed();
    settle(state);

    lock.lock();
    state->wake.wait(lock, [&] { return state->stopping || state->lost == state->handle.get(); });
    if (state->stopping) return;
    state->problem = "connection lost";
    ConnectionHandle dead;
    dead.swap(state->handle);
    lock.unlock();
    state->events.changed();
    // Dead connections answer at once; calls under way keep theirs until they have returned.
    dead.reset();
  }
}

// A libvirtd that has just started shows its guests as running before it has reached their QEMUs, and sends no event for
// one that ends until then. So everything is looked at once more when it has reached them.
void LibvirtConnection::settle(const std::shared_ptr<State>& state) {
  auto handle = [&] {
    const std::lock_guard lock(state->mutex);
    return state->stopping ? nullptr : state->handle;
  }();
  if (!handle) return;
  const auto settled = state->looks.run<bool>("settle", settle_deadline,
                                              [handle = std::move(handle)] { return ask_every_guest(handle.get()); });
  if (!settled) spdlog::warn("libvirt: {}", describe(settled.error()));
  state->events.changed();
}

}  // namespace virga::compute
