#include "hostapi/agent/observed.h"

#include "core/json_values.h"

#include <algorithm>
#include <utility>

namespace virga::hostapi {
namespace {

/// The form in which two observations are compared: without what changes all the time and wakes nobody.
nlohmann::json visible(const compute::ObservedInstance& instance) { return instance; }
nlohmann::json visible(const network::ObservedVpc& vpc) { return vpc; }
nlohmann::json visible(const storage::ObservedImage& image) { return image; }
nlohmann::json visible(storage::ObservedVolume volume) {
  volume.allocated_bytes = 0;
  return volume;
}
nlohmann::json visible(storage::ObservedSnapshot snapshot) {
  snapshot.done_bytes = 0;
  return snapshot;
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const T& x, const T& y) { return visible(x) == visible(y); });
}

}  // namespace

Observed::Observed(std::string host_name, std::string version, std::string boot_id) {
  state_.name = std::move(host_name);
  state_.version = std::move(version);
  state_.boot_id = std::move(boot_id);
  state_.sequence = 1;
}

void Observed::changed() {
  ++state_.sequence;
  moved_.notify_all();
}

template <class T>
void Observed::set_list(std::vector<T> HostState::*member, std::vector<T> values) {
  const std::lock_guard lock(mutex_);
  replace_list(member, std::move(values));
}

template <class T>
void Observed::replace_list(std::vector<T> HostState::*member, std::vector<T> values) {
  const bool moved = !same(state_.*member, values);
  state_.*member = std::move(values);
  if (moved) changed();
}

void Observed::set_instances(std::vector<compute::ObservedInstance> instances) {
  const std::lock_guard lock(mutex_);
  for (auto& instance : instances) keep_end(instance);
  std::erase_if(ends_, [&](const auto& end) {
    return std::none_of(instances.begin(), instances.end(), [&](const auto& seen) { return seen.id == end.first; });
  });
  replace_list(&HostState::instances, std::move(instances));
}

void Observed::keep_end(compute::ObservedInstance& instance) {
  const auto end = ends_.find(instance.id);
  if (end == ends_.end()) return;
  const bool from_an_older_look =
      instance.state == compute::GuestState::running && instance.start_number == end->second.start_number;
  if (!from_an_older_look) {
    ends_.erase(end);
    return;
  }
  const auto generation = instance.generation;
  instance = end->second;
  instance.generation = generation;
}

bool Observed::end_instance(const InstanceId& id, std::uint64_t start_number, compute::ExitReason reason) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(state_.instances.begin(), state_.instances.end(),
                                  [&](const auto& instance) { return instance.id == id; });
  if (found == state_.instances.end() || found->state != compute::GuestState::running ||
      found->start_number != start_number) {
    return false;
  }
  found->state = compute::GuestState::exited;
  found->exit_reason = reason;
  found->problem.clear();
  for (auto& disk : found->disks) disk.attached = false;
  ends_[id] = *found;
  changed();
  return true;
}
void Observed::set_volumes(std::vector<storage::ObservedVolume> volumes) {
  set_list(&HostState::volumes, std::move(volumes));
}
void Observed::set_snapshots(std::vector<storage::ObservedSnapshot> snapshots) {
  set_list(&HostState::snapshots, std::move(snapshots));
}
void Observed::set_images(std::vector<storage::ObservedImage> images) {
  set_list(&HostState::images, std::move(images));
}
void Observed::set_vpcs(std::vector<network::ObservedVpc> vpcs) { set_list(&HostState::vpcs, std::move(vpcs)); }

void Observed::set_instance(const compute::ObservedInstance& seen) {
  auto instance = seen;
  const std::lock_guard lock(mutex_);
  keep_end(instance);
  const auto found = std::find_if(state_.instances.begin(), state_.instances.end(),
                                  [&](const auto& other) { return other.id == instance.id; });
  if (found == state_.instances.end()) {
    state_.instances.push_back(instance);
  } else if (visible(*found) == visible(instance)) {
    return;
  } else {
    *found = instance;
  }
  changed();
}

void Observed::set_compute_capacity(std::string accelerator, std::int64_t vcpus, std::int64_t memory_mib) {
  const std::lock_guard lock(mutex_);
  if (state_.accelerator == accelerator && state_.capacity.vcpus == vcpus && state_.capacity.memory_mib == memory_mib)
    return;
  state_.accelerator = std::move(accelerator);
  state_.capacity.vcpus = vcpus;
  state_.capacity.memory_mib = memory_mib;
  changed();
}

void Observed::set_storage_capacity(std::int64_t storage_gib) {
  const std::lock_guard lock(mutex_);
  const bool first = state_.capacity.storage_gib == 0;
  state_.capacity.storage_gib = storage_gib;
  if (first && storage_gib != 0) changed();
}

void Observed::set_problems(const std::string& source, std::vector<std::string> problems) {
  const std::lock_guard lock(mutex_);
  if (problems_[source] == problems) return;
  problems_[source] = std::move(problems);
  state_.problems.clear();
  for (const auto& [from, list] : problems_) state_.problems.insert(state_.problems.end(), list.begin(), list.end());
  changed();
}

HostState Observed::current() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Result<std::uint64_t> Observed::wait(std::uint64_t sequence, const std::string& boot_id,
                                     std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  if (boot_id == state_.boot_id && sequence >= state_.sequence && !closed_) {
    if (waiters_ >= max_waiters) return fail(Code::request_limit_exceeded, "Too many are waiting for events already.");
    ++waiters_;
    moved_.wait_for(lock, std::clamp(wait, std::chrono::milliseconds(0), max_wait),
                    [&] { return closed_ || sequence < state_.sequence; });
    --waiters_;
  }
  return state_.sequence;
}

void Observed::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  moved_.notify_all();
}

}  // namespace virga::hostapi
