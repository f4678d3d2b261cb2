#include "api/workflows/run_instances.h"

#include <algorithm>
#include <array>

#include "compute/placement.h"
#include "network/addresses.h"
#include "storage/image_changes.h"

namespace virga::api {

namespace {

using quota::Name;

/// How many instances the quotas allow. Errors: fewer than MinCount.
Result<int> allowed_by_quota(Scope& scope, const LaunchPlan& plan) {
  struct Need {
    Name name;
    std::int64_t each;
  };
  const std::array needs = {Need{Name::instances, 1}, Need{Name::vcpus, plan.spec.type.vcpus},
                            Need{Name::volumes, static_cast<std::int64_t>(plan.volumes.size())},
                            Need{Name::volume_gib, plan.storage_gib()},
                            Need{Name::network_interfaces, static_cast<std::int64_t>(plan.interfaces.size())}};
  std::int64_t allowed = plan.max_count;
  for (const auto& need : needs) {
    const auto limit = quota::limit(scope, need.name);
    const auto used = quota::used(scope, need.name);
    const auto fit = std::max<std::int64_t>(limit - used, 0) / need.each;
    if (fit < plan.min_count) return fail(quota::exceeded(need.name, limit, used, need.each * plan.min_count));
    allowed = std::min(allowed, fit);
  }
  return static_cast<int>(allowed);
}

/// With the public address that it wants, or nothing at all.
Result<NetworkInterfaceId> make_interface(Scope& scope, const Config& config,
                                          const network::InterfaceRequest& request) {
  const auto id = TRY(network::allocate_interface(scope, request)).id;
  if (auto assigned = network::assign_public_ip(scope, config, id); !assigned) {
    TRY_VOID(network::release_interface(scope, id));
    return fail(std::move(assigned.error()));
  }
  return id;
}

/// All interfaces of one instance, or none.
Result<void> make_interfaces(Scope& scope, const Config& config, const LaunchPlan& plan, const InstanceId& instance,
                             const std::string& host) {
  std::vector<NetworkInterfaceId> made;
  for (auto request : plan.interfaces) {
    request.instance = instance;
    request.host = host;
    auto interface = make_interface(scope, config, request);
    if (!interface) {
      for (const auto& id : made) TRY_VOID(network::release_interface(scope, id));
      return fail(std::move(interface.error()));
    }
    made.push_back(*interface);
    TRY_VOID(tags::put(scope, interface->str(), plan.interface_tags));
  }
  return {};
}

Result<void> make_volumes(Scope& scope, const LaunchPlan& plan, const InstanceId& instance, const std::string& host) {
  for (const auto& planned : plan.volumes) {
    const auto volume =
        TRY(storage::volumes::create(scope, {.shape = planned.shape,
                                             .zone = plan.spec.zone,
                                             .host = host,
                                             .image_bytes = planned.image_bytes,
                                             .snapshot = planned.snapshot}));
    TRY_VOID(storage::attachments::attach(scope, {.volume = volume.id,
                                                  .instance = instance,
                                                  .device = planned.device,
                                                  .root = planned.root,
                                                  .delete_on_termination = planned.delete_on_termination}));
    TRY_VOID(tags::put(scope, volume.id.str(), plan.volume_tags));
  }
  return {};
}

Result<void> make_instance(Scope& scope, const LaunchPlan& plan, const NewResource<InstanceId>& resource,
                           const compute::InstanceSpec& spec) {
  TRY_VOID(quota::charge(scope, Name::instances));
  TRY_VOID(quota::charge(scope, Name::vcpus, spec.type.vcpus));
  compute::instances::insert(scope, resource, spec);
  TRY_VOID(make_volumes(scope, plan, resource.id, spec.host));
  return tags::put(scope, resource.id.str(), plan.instance_tags);
}

std::vector<SnapshotId> snapshots_of(const LaunchPlan& plan) {
  std::vector<SnapshotId> found;
  for (const auto& volume : plan.volumes)
    if (!volume.snapshot.empty()) found.push_back(volume.snapshot);
  return found;
}

}  // namespace

Result<Launched> run_instances(Scope& scope, const Config& config, const LaunchPlan& plan) {
  const auto allowed = TRY(allowed_by_quota(scope, plan));
  const auto hosts = TRY(compute::place(scope,
                                        {.zone = plan.spec.zone,
                                         .image_bytes = plan.image.bytes,
                                         .snapshots = snapshots_of(plan),
                                         .each = {plan.spec.type.vcpus, plan.spec.type.memory_mib, plan.storage_gib()},
                                         .max_count = allowed},
                                        plan.min_count));
  Launched launched{ReservationId::generate(scope.ids), {}};
  auto spec = plan.spec;
  spec.reservation = launched.reservation;
  for (const auto& host : hosts) {
    spec.host = host;
    spec.launch_index = static_cast<int>(launched.instances.size());
    const auto resource = scope.create_resource<InstanceId>();
    if (auto interfaces = make_interfaces(scope, config, plan, resource.id, host); !interfaces) {
      // That there are too few addresses is known only when they are asked for.
      if (spec.launch_index < plan.min_count) return fail(std::move(interfaces.error()));
      scope.delete_resource(resource.id.str());
      break;
    }
    TRY_VOID(make_instance(scope, plan, resource, spec));
    launched.instances.push_back(resource.id);
  }
  storage::images::note_launch(scope, plan.image.id);
  return launched;
}

}  // namespace virga::api
