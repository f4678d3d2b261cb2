#include "compute/host/libvirt_calls.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace virga::compute {
namespace {

enum class Phase { queued, running, done, abandoned };

struct Job {
  std::function<void()> work;
  Phase phase = Phase::queued;
  std::exception_ptr failure;
};

}  // namespace

struct LibvirtCalls::State {
  explicit State(Limits l) : limits(l) {}

  const Limits limits;
  mutable std::mutex mutex;
  std::condition_variable wake;      ///< work came, or the end
  std::condition_variable finished;  ///< a job is done, or a worker ended
  std::deque<std::shared_ptr<Job>> queue;
  int workers = 0;
  int abandoned = 0;
  bool stopping = false;
};

namespace {

// One worker. It owns the state together with the pool, so that an abandoned one may outlive the pool.
template <class State>
void serve(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (true) {
    state->wake.wait(lock, [&] { return state->stopping || !state->queue.empty(); });
    if (state->stopping) break;
    auto job = state->queue.front();
    state->queue.pop_front();
    job->phase = Phase::running;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job->work();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (job->phase == Phase::abandoned) {
      --state->abandoned;  // another thread has taken this one's place
      lock.unlock();
      job.reset();
      return;
    }
    job->failure = failure;
    job->phase = Phase::done;
    state->finished.notify_all();
  }
  --state->workers;
  state->finished.notify_all();
}

template <class State>
void add_worker(const std::shared_ptr<State>& state) {
  std::thread([state] { serve(state); }).detach();
}

}  // namespace

LibvirtCalls::LibvirtCalls(Limits limits) : state_(std::make_shared<State>(limits)) {
  state_->workers = limits.workers;
  for (int i = 0; i < limits.workers; ++i) add_worker(state_);
}

LibvirtCalls::~LibvirtCalls() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->wake.notify_all();
  state_->finished.wait_for(lock, std::chrono::seconds(5), [&] { return state_->workers == 0; });
}

int LibvirtCalls::abandoned() const {
  const std::lock_guard lock(state_->mutex);
  return state_->abandoned;
}

Result<void> LibvirtCalls::execute(std::string_view what, std::chrono::milliseconds deadline,
                                   std::function<void()> work) {
  const auto unavailable = [&](std::string_view why) {
    return fail(Code::unavailable, "The hypervisor does not answer", fmt::format("{}: {}", what, why));
  };
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  std::unique_lock lock(state_->mutex);
  if (state_->abandoned >= state_->limits.max_abandoned) return unavailable("too many calls hang in libvirt");
  state_->queue.push_back(job);
  state_->wake.notify_one();
  const bool in_time = state_->finished.wait_for(lock, deadline, [&] { return job->phase == Phase::done; });
  if (in_time) {
    if (job->failure) std::rethrow_exception(job->failure);
    return {};
  }
  if (job->phase == Phase::queued) {
    std::erase(state_->queue, job);
    return unavailable("all workers are busy");
  }
  job->phase = Phase::abandoned;
  ++state_->abandoned;
  spdlog::warn("libvirt: {} missed its deadline of {} ms; {} calls hang", what, deadline.count(), state_->abandoned);
  add_worker(state_);
  return unavailable("missed its deadline");
}

}  // namespace virga::compute
