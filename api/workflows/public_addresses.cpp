#include "api/workflows/public_addresses.h"

#include <fmt/format.h>

#include "compute/instances.h"
#include "network/addresses.h"
#include "network/interfaces.h"

namespace virga::api {

namespace {

using compute::InstanceState;

Result<void> check_not_ending(Call& call, const InstanceId& id) {
  const auto instance = TRY(compute::instances::find(call.scope(), id));
  if (instance.state == InstanceState::shutting_down || instance.state == InstanceState::terminated)
    return fail(Code::incorrect_instance_state,
                fmt::format("The instance '{}' is not in a valid state for this operation: it is {}.", id.str(),
                            compute::to_string(instance.state)));
  return {};
}

Result<NetworkInterfaceId> only_interface(Call& call, const InstanceId& id) {
  TRY_VOID(check_not_ending(call, id));
  const auto interfaces = network::interfaces_of(call.scope(), id);
  if (interfaces.size() != 1)
    return fail(
        Code::invalid_instance_id,
        fmt::format("There are multiple interfaces attached to instance '{}'. Please specify an interface ID for "
                    "the operation instead.",
                    id.str()));
  return interfaces.front().id;
}

}  // namespace

Result<NetworkInterfaceId> association_target(Call& call, const std::string& instance, const std::string& interface) {
  if (instance.empty() == interface.empty()) {
    if (!instance.empty())
      return fail(Code::invalid_parameter_combination,
                  "You may specify the instance ID or the network interface ID, but not both.");
    return fail(Code::missing_parameter, "Either an instance ID or a network interface ID must be specified.");
  }
  if (!instance.empty()) {
    const auto id = TRY(InstanceId::parse(instance));
    return only_interface(call, id);
  }
  const auto id = TRY(NetworkInterfaceId::parse(interface));
  const auto found = TRY(network::find_interface(call.scope(), id));
  if (!found.instance.empty()) TRY_VOID(check_not_ending(call, found.instance));
  return id;
}

Result<void> renew_public_ip(Call& call, const NetworkInterfaceId& id) {
  const auto interface = TRY(network::find_interface(call.scope(), id));
  if (interface.instance.empty() || network::interfaces_of(call.scope(), interface.instance).size() != 1) return {};
  const auto instance = compute::instances::find(call.scope(), interface.instance);
  const bool runs =
      instance && (instance->state == InstanceState::pending || instance->state == InstanceState::running);
  if (!runs) return {};
  const auto assigned = network::assign_public_ip(call.scope(), call.config(), id);
  if (!assigned && assigned.error().code != Code::insufficient_address_capacity) return assigned;
  return {};
}

}  // namespace virga::api
