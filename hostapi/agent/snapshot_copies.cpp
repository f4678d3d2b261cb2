#include "hostapi/agent/snapshot_copies.h"

#include <algorithm>
#include <utility>

#include "hostapi/agent/parts.h"

namespace virga::hostapi {

void SnapshotCopies::enqueue(Task task) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(task));
}

bool SnapshotCopies::withdraw(const SnapshotId& id) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(waiting_, [&](const Task& task) { return task.snapshot.id == id; }) > 0;
}

Pass SnapshotCopies::pass() {
  Task task;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return {.progressed = false, .next = clock_.now() + look_interval};
    task = std::move(waiting_.front());
    waiting_.pop_front();
  }
  auto done = task.volume ? volumes_.snapshot(task.snapshot, *task.volume) : volumes_.adopt_backup(task.snapshot);
  {
    const std::lock_guard lock(mutex_);
    ended_.insert_or_assign(task.snapshot.id, std::move(done));
  }
  done_();
  return {.progressed = true, .next = clock_.now()};
}

std::map<SnapshotId, Result<void>> SnapshotCopies::take_ended() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ended_, {});
}

}  // namespace virga::hostapi
