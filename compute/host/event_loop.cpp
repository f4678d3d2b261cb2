#include "compute/host/event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <thread>

namespace virga::compute {
namespace {

class EventLoop {
 public:
  EventLoop() {
    virInitialize();
    // libvirt's default prints every error; ours are read from the failed call. It must not log either: it may be
    // called with any lock held.
    virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
    if (virEventRegisterDefaultImpl() < 0) {
      spdlog::critical("libvirt: cannot register the event loop; guests' events will be missed");
      return;
    }
    // The loop sleeps until something happens; this timer is how the end of the process happens to it.
    timer_ = virEventAddTimeout(
        -1, [](int timer, void*) { virEventUpdateTimeout(timer, -1); }, nullptr, nullptr);
    thread_ = std::thread([this] {
      while (!stopping_) virEventRunDefaultImpl();
    });
  }
  ~EventLoop() {
    stopping_ = true;
    if (!thread_.joinable()) return;
    virEventUpdateTimeout(timer_, 0);
    thread_.join();
  }

 private:
  std::atomic<bool> stopping_ = false;
  int timer_ = -1;
  std::thread thread_;
};

}  // namespace

void ensure_event_loop() { static EventLoop loop; }

}  // namespace virga::compute
