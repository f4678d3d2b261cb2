#include "hostapi/agent/guest_ends.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "hostapi/agent/plan_instance.h"

namespace virga::hostapi {

void GuestEnds::add(const InstanceId& id) {
  const std::lock_guard lock(mutex_);
  said_.insert(id);
}

Pass GuestEnds::pass() {
  std::set<InstanceId> said;
  {
    const std::lock_guard lock(mutex_);
    said = std::exchange(said_, {});
  }
  for (const auto& id : said) report(id);
  return {.progressed = false, .next = shared_.ports.clock.now() + look_interval};
}

void GuestEnds::report(const InstanceId& id) {
  const auto wanted = shared_.documents.current();
  const auto found = wanted->instances.find(id);
  // One that is to be off is no news, and one without a document nobody's.
  if (found == wanted->instances.end() || found->second->removed) return;
  if (found->second->wanted.power != compute::Power::running) return;
  const auto domain = shared_.ports.hypervisor.look_at(id);
  if (!domain) {  // the reconciler looks again until it sees
    spdlog::warn("compute: look at {}: {}", id.str(), describe(domain.error()));
    return;
  }
  if (!*domain || (*domain)->state != compute::DomainState::off) return;
  if (shared_.observed.end_instance(id, (*domain)->start_number, exit_reason_of(*domain))) {
    spdlog::info("compute: {} has ended by itself", id.str());
  }
}

}  // namespace virga::hostapi
