#pragma once

// Route tables, their routes, and which table governs which subnet.
//
// Every table has the VPC's local route, which no one can change; it is no row. Each VPC has one main table (the
// association without a subnet); it governs subnets that have no association of their own. A route whose target is gone
// or no longer in the VPC stays as a black hole, as on EC2.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::network {

struct Route {
  std::string destination;       ///< canonical IPv4 CIDR
  bool local = false;            ///< the VPC's own route
  InternetGatewayId gateway;     ///< or
  NetworkInterfaceId interface;  ///< the target
  InstanceId instance;           ///< that the interface is attached to, if it is
  std::string private_ip;        ///< of the interface; empty: it is gone
  bool active = true;            ///< false: black hole
};

struct RouteTable {
  RouteTableId id;
  std::uint32_t number = 0;
  VpcId vpc;
  std::string vpc_cidr;
  struct Association {
    RouteTableAssociationId id;
    SubnetId subnet;  ///< empty: this is the VPC's main table
  };
  std::vector<Association> associations;
  std::vector<Route> routes;  ///< the local one first, the others by destination
};

/// As the caller names it: exactly one is given.
struct RouteTarget {
  std::optional<std::string> gateway = std::nullopt;
  std::optional<std::string> interface = std::nullopt;
  std::optional<std::string> instance = std::nullopt;
};

namespace route_tables {
/// Errors: InvalidVpcID.NotFound, RouteTableLimitExceeded.
Result<RouteTable> create(Scope& scope, const VpcId& vpc);
/// Errors: InvalidRouteTableID.NotFound.
Result<RouteTable> find(Scope& scope, const RouteTableId& id);
/// The VPC's main table. Errors: InvalidVpcID.NotFound.
Result<RouteTable> find_main(Scope& scope, const VpcId& vpc);
Result<std::vector<RouteTable>> list(Scope& scope, const std::vector<RouteTableId>& ids = {});
/// Errors: InvalidRouteTableID.NotFound, DependencyViolation (main, or associated).
Result<void> remove(Scope& scope, const RouteTableId& id);

/// Errors: ...NotFound of either, InvalidParameterValue (of two VPCs), Resource.AlreadyAssociated.
Result<RouteTableAssociationId> associate(Scope& scope, const RouteTableId& id, const SubnetId& subnet);
/// Errors: InvalidAssociationID.NotFound, InvalidParameterValue (the main table's).
Result<void> disassociate(Scope& scope, const RouteTableAssociationId& id);
/// Puts another table in an association's place, the main table's included. Errors: InvalidAssociationID.NotFound,
/// InvalidRouteTableID.NotFound, InvalidParameterValue (of two VPCs).
Result<RouteTableAssociationId> replace_association(Scope& scope, const RouteTableAssociationId& id,
                                                    const RouteTableId& table);

// Parts of a VPC's and a subnet's life.
void create_main(Scope& scope, const VpcId& vpc);
void remove_main(Scope& scope, const VpcId& vpc);
void forget_subnet(Scope& scope, const SubnetId& subnet);
}  // namespace route_tables

namespace routes {
/// Errors: InvalidRouteTableID.NotFound, InvalidParameterValue (destination, target of another VPC),
/// InvalidGatewayID.NotFound, InvalidNetworkInterfaceID.NotFound, InvalidInstanceID.NotFound, RouteAlreadyExists,
/// RouteLimitExceeded, UnsupportedOperation (within the VPC's own block).
Result<void> create(Scope& scope, const RouteTableId& table, const std::string& destination, const RouteTarget& target);
/// Errors: the same, but InvalidParameterValue where there is no such route.
Result<void> replace(Scope& scope, const RouteTableId& table, const std::string& destination,
                     const RouteTarget& target);
/// Errors: InvalidRouteTableID.NotFound, InvalidRoute.NotFound, InvalidParameterValue (the local route).
Result<void> remove(Scope& scope, const RouteTableId& table, const std::string& destination);
}  // namespace routes

}  // namespace virga::network
