#pragma once

// Internet gateways: attached to one VPC, or to none. What routes lead to one goes out by the sender's public address.

#include <vector>

#include "core/scope.h"

namespace virga::network {

struct InternetGateway {
  InternetGatewayId id;
  VpcId vpc;  ///< empty: not attached
  Time created;
};

namespace internet_gateways {
/// Errors: InternetGatewayLimitExceeded.
Result<InternetGateway> create(Scope& scope);
/// Errors: InvalidInternetGatewayID.NotFound.
Result<InternetGateway> find(Scope& scope, const InternetGatewayId& id);
Result<std::vector<InternetGateway>> list(Scope& scope, const std::vector<InternetGatewayId>& ids = {});
/// Errors: ...NotFound of either, Resource.AlreadyAssociated, InvalidParameterValue (the VPC has another gateway).
Result<void> attach(Scope& scope, const InternetGatewayId& id, const VpcId& vpc);
/// Routes to it stay and become black holes. Errors: ...NotFound of either, Gateway.NotAttached, DependencyViolation
/// while private addresses of the VPC have public ones.
Result<void> detach(Scope& scope, const InternetGatewayId& id, const VpcId& vpc);
/// Errors: InvalidInternetGatewayID.NotFound, DependencyViolation while attached.
Result<void> remove(Scope& scope, const InternetGatewayId& id);
}  // namespace internet_gateways

}  // namespace virga::network
