#include "api/actions/instance_view.h"

namespace virga::api {

namespace {

/// Of the public address that stands for the interface's private one; an assigned address has no allocation.
void add_association(const network::Interface& interface, Hidden& hidden) {
  for (const std::string prefix : {"network-interface.association.", "network-interface.addresses.association."}) {
    if (!interface.allocation.empty()) hidden.emplace(prefix + "allocation-id", interface.allocation.str());
    if (!interface.association.empty()) hidden.emplace(prefix + "association-id", interface.association.str());
  }
}

}  // namespace

Hidden hidden_of(const compute::Instance& instance, const InstanceSurroundings& around) {
  Hidden hidden;
  hidden.emplace("metadata-options.http-protocol-ipv4", instance.spec.metadata.http_endpoint);
  for (const auto& interface : around.interfaces(instance.id)) {
    add_association(interface, hidden);
    // Nobody but the account makes interfaces, and they are IPv4 interfaces that nothing shuts off from a gateway.
    for (const auto* name : {"requester-managed", "ipv6-native", "deny-all-igw-traffic"})
      hidden.emplace(std::string("network-interface.") + name, "false");
    for (const auto& [key, value] : around.tags(interface.id.str())) {
      hidden.emplace("network-interface.tag-key", key);
      hidden.emplace("network-interface.tag-value", value);
    }
  }
  return hidden;
}

}  // namespace virga::api
