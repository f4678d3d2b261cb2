// The parts of compute/sync.h that concern all three services: an instance's volumes and network interfaces come and go
// with what its host says of it.

#include <algorithm>

#include "api/workflows/terminate_instances.h"
#include "compute/instances.h"
#include "compute/lifecycle.h"
#include "compute/sync.h"
#include "network/addresses.h"
#include "network/interfaces.h"
#include "storage/snapshots.h"
#include "storage/volumes.h"

namespace virga {

namespace {

using compute::Instance;
using compute::InstanceState;
using storage::AttachmentState;

/// The same work on behalf of the account that owns the instance.
Scope owned_by(Scope& scope, const AccountId& account) {
  return {scope.tx, account, scope.now, scope.ids, scope.actor, scope.action, scope.request_id};
}

struct DiskView {
  bool attached = false;  ///< the guest has it
  bool guest_off = false;
  bool current = false;  ///< said under the document that is wanted now
  std::string problem;
};

void observe_attachment(Scope& scope, const storage::Attachment& attachment, const DiskView& disk) {
  switch (attachment.state) {
    case AttachmentState::attaching:
      if (disk.attached || disk.guest_off) return storage::attachments::completed(scope, attachment);
      break;
    case AttachmentState::detaching:
      // An older observation may not know the disk yet: its absence there says nothing.
      if (disk.guest_off || (disk.current && !disk.attached)) return storage::attachments::end(scope, attachment);
      break;
    case AttachmentState::attached:
      break;
  }
  storage::attachments::note_problem(scope, attachment, disk.problem);
}

void observe_attachments(Scope& scope, const Instance& instance, const compute::ObservedInstance& observed) {
  const bool current = compute::lifecycle::is_current(scope.tx, instance, observed.generation);
  for (const auto& attachment : storage::attachments::of_instance(scope, instance.id)) {
    const auto seen = std::ranges::find(observed.disks, attachment.volume, &compute::ObservedDisk::volume);
    DiskView view{false, instance.state == InstanceState::stopped, current, {}};
    if (seen != observed.disks.end()) {
      view.attached = seen->attached;
      view.problem = seen->problem;
    }
    observe_attachment(scope, attachment, view);
  }
}

/// Whether a guest that is held is off for good: the host has the document that says so.
bool is_off_for_image(Scope& scope, const Instance& instance, const compute::ObservedInstance& observed) {
  return !instance.image_hold.empty() && observed.state == compute::GuestState::stopped &&
         compute::lifecycle::is_current(scope.tx, instance, observed.generation);
}

/// Those that were assigned: an elastic address stays with its interface.
void release_public_addresses(Scope& scope, const InstanceId& instance) {
  for (const auto& interface : network::interfaces_of(scope, instance)) network::release_public_ip(scope, interface.id);
}

Result<void> release_all(Scope& scope, const InstanceId& instance) {
  for (const auto& attachment : storage::attachments::of_instance(scope, instance)) {
    storage::attachments::end(scope, attachment);
    if (attachment.delete_on_termination) TRY_VOID(storage::volumes::remove(scope, attachment.volume));
  }
  release_public_addresses(scope, instance);
  for (const auto& interface : network::interfaces_of(scope, instance)) {
    if (interface.delete_on_termination)
      TRY_VOID(network::release_interface(scope, interface.id));
    else
      network::detach_interface(scope, interface.id);
  }
  return {};
}

}  // namespace

Result<void> compute::observe_instance(Scope& scope, const std::string& host, const ObservedInstance& observed) {
  auto instance = instances::find_anywhere(scope.tx, observed.id);
  if (!instance || instance->spec.host != host || !is_alive(instance->state)) return {};
  auto own = owned_by(scope, instance->account);
  const bool was_off = instance->state == InstanceState::stopped;
  lifecycle::observe(own, *instance, observed);
  instance = instances::find_anywhere(scope.tx, observed.id);
  if (instance && instance->state == InstanceState::stopped && !was_off) release_public_addresses(own, observed.id);
  if (instance && is_off_for_image(own, *instance, observed)) storage::snapshots::stop_waiting(own, observed.id);
  if (instance && is_alive(instance->state) && observed.start_number == instance->start_number)
    observe_attachments(own, *instance, observed);
  return {};
}

Result<void> compute::instance_removed(Scope& scope, const std::string& host, const InstanceId& id) {
  const auto instance = instances::find_anywhere(scope.tx, id);
  if (!instance || instance->spec.host != host || instance->state != InstanceState::shutting_down) return {};
  auto own = owned_by(scope, instance->account);
  TRY_VOID(release_all(own, id));
  lifecycle::gone(own, *instance);
  return {};
}

Result<std::vector<compute::lifecycle::StateChange>> api::terminate_instances(Scope& scope,
                                                                              const std::vector<InstanceId>& ids) {
  auto changes = TRY(compute::lifecycle::terminate(scope, ids));
  for (const auto& change : changes) {
    const auto instance = TRY(compute::instances::find(scope, change.id));
    if (instance.state == InstanceState::shutting_down && !compute::lifecycle::told_to_host(scope.tx, instance))
      TRY_VOID(compute::instance_removed(scope, instance.spec.host, instance.id));
  }
  return changes;
}

}  // namespace virga
