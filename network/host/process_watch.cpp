#include "network/host/process_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "network/host/system_failure.h"

namespace virga::network {
namespace {

constexpr std::uint64_t wake_up_serial = 0;

bool add(const UniqueFd& poll, int fd, std::uint64_t serial) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = serial;
  return ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

/// Closing alone would not do: a child that is about to be executed may still have the descriptor.
void drop(const UniqueFd& poll, UniqueFd& process) {
  if (process) ::epoll_ctl(poll.get(), EPOLL_CTL_DEL, process.get(), nullptr);
  process.reset();
}

}  // namespace

Result<std::unique_ptr<ProcessWatch>> ProcessWatch::create(Ended ended) {
  UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll) return system_failure("epoll");
  UniqueFd wake_up(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_up) return system_failure("eventfd");
  if (!add(poll, wake_up.get(), wake_up_serial)) return system_failure("watch the wake-up");
  return std::unique_ptr<ProcessWatch>(new ProcessWatch(std::move(ended), std::move(poll), std::move(wake_up)));
}

ProcessWatch::ProcessWatch(Ended ended, UniqueFd poll, UniqueFd wake_up)
    : ended_(std::move(ended)), poll_(std::move(poll)), wake_up_(std::move(wake_up)) {
  thread_ = std::thread([this] { run(); });
}

ProcessWatch::~ProcessWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
}

void ProcessWatch::wake() const {
  std::uint64_t one = 1;
  // A full counter wakes the thread just as well.
  [[maybe_unused]] auto written = ::write(wake_up_.get(), &one, sizeof one);
}

void ProcessWatch::watch(Key key, UniqueFd process) {
  std::optional<Time> due;
  if (!process) due = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  put(key, std::move(process), due);
}

void ProcessWatch::forget(Key key) {
  std::lock_guard lock(mutex_);
  auto found = watched_.find(key);
  if (found == watched_.end()) return;
  drop(poll_, found->second.process);
  watched_.erase(found);
}

void ProcessWatch::put(Key key, UniqueFd process, std::optional<Time> due) {
  Watched& watched = watched_[key];
  drop(poll_, watched.process);
  watched.serial = ++last_serial_;
  watched.process = std::move(process);
  watched.due = due;
  // What cannot be watched is looked at in a moment, so that it is not forgotten for good.
  if (watched.process && !add(poll_, watched.process.get(), watched.serial))
    watched.due = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  if (watched.due) wake();
}

void ProcessWatch::run() {
  std::array<epoll_event, 16> events;
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), time_until_due());
    for (int i = 0; i < count; ++i) take_event(events[static_cast<std::size_t>(i)].data.u64);
    call_those_due();
  }
}

int ProcessWatch::time_until_due() {
  std::lock_guard lock(mutex_);
  if (stopping_) return 0;
  std::optional<Time> first;
  for (const auto& [key, watched] : watched_)
    if (watched.due && (!first || *watched.due < *first)) first = watched.due;
  if (!first) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

void ProcessWatch::take_event(std::uint64_t serial) {
  if (serial == wake_up_serial) {
    std::uint64_t count = 0;
    [[maybe_unused]] auto size = ::read(wake_up_.get(), &count, sizeof count);
    return;
  }
  std::lock_guard lock(mutex_);
  for (auto& [key, watched] : watched_) {
    if (watched.serial != serial) continue;
    drop(poll_, watched.process);
    watched.due = std::chrono::steady_clock::now();
  }
}

void ProcessWatch::call_those_due() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::pair<Key, std::uint64_t>> due;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, watched] : watched_)
      if (watched.due && *watched.due <= now) due.emplace_back(key, watched.serial);
  }
  for (const auto& [key, serial] : due) {
    Next next = ended_(key);
    std::lock_guard lock(mutex_);
    auto found = watched_.find(key);
    // Whoever called watch() or forget() meanwhile knows better.
    if (found == watched_.end() || found->second.serial != serial) continue;
    std::optional<Time> again;
    if (!next.process && next.ask_again) again = std::chrono::steady_clock::now() + *next.ask_again;
    if (!next.process && !again)
      watched_.erase(found);
    else
      put(key, std::move(next.process), again);
  }
}

}  // namespace virga::network
