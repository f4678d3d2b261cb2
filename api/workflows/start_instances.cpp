#include "api/workflows/start_instances.h"

#include "network/addresses.h"
#include "network/interfaces.h"

namespace virga::api {

Result<std::vector<compute::lifecycle::StateChange>> start_instances(Scope& scope, const Config& config,
                                                                     const std::vector<InstanceId>& ids) {
  auto changes = TRY(compute::lifecycle::start(scope, ids));
  for (const auto& change : changes)
    for (const auto& interface : network::interfaces_of(scope, change.id))
      TRY_VOID(network::assign_public_ip(scope, config, interface.id));
  return changes;
}

}  // namespace virga::api
