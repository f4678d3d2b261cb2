#include <fmt/format.h>
#include "core/json_values.h"

#include "network/cidr.h"
#include "network/interfaces.h"
#include "network/internet_gateways.h"
#include "network/lookup.h"
#include "network/route_tables.h"

namespace virga::network::routes {

namespace {

/// What a route points to, found and checked: one of the two.
struct Target {
  InternetGatewayId gateway;
  NetworkInterfaceId interface;
};

nlohmann::json journal_of(std::string_view destination, const Target& target) {
  return {{"destination", destination}, {"gateway", target.gateway}, {"interface", target.interface}};
}

tl::unexpected<Error> other_network(const RouteTable& table, std::string_view noun, const std::string& id) {
  return fail(Code::invalid_parameter_value,
              fmt::format("route table {} and {} {} belong to different networks", table.id.str(), noun, id));
}

Result<Target> gateway_target(Scope& scope, const RouteTable& table, const std::string& text) {
  // Virtual private, transit and other gateways have other prefixes; none of them exists here.
  const auto id = InternetGatewayId::parse(text);
  const auto gateway = id ? internet_gateways::find(scope, *id) : fail(id.error());
  if (!gateway)
    return fail(Code::invalid_gateway_id_not_found, fmt::format("The gateway ID '{}' does not exist", shown(text)));
  if (gateway->vpc != table.vpc) return other_network(table, "network gateway", gateway->id.str());
  return Target{gateway->id, {}};
}

Result<Target> interface_target(const RouteTable& table, const Interface& interface) {
  if (interface.vpc != table.vpc) return other_network(table, "interface", interface.id.str());
  return Target{{}, interface.id};
}

Result<Target> instance_target(Scope& scope, const RouteTable& table, const std::string& text) {
  const auto id = TRY(InstanceId::parse(text));
  const auto interfaces = interfaces_of(scope, id);
  if (interfaces.empty()) return fail(id.not_found());
  if (interfaces.size() > 1)
    return fail(Code::invalid_parameter_value,
                fmt::format("There are multiple interfaces attached to instance '{}'. Please specify an interface ID "
                            "for the operation instead.",
                            id.str()));
  return interface_target(table, interfaces.front());
}

Result<Target> resolve(Scope& scope, const RouteTable& table, const RouteTarget& target) {
  const int given = (target.gateway ? 1 : 0) + (target.interface ? 1 : 0) + (target.instance ? 1 : 0);
  if (given == 0)
    return fail(Code::missing_parameter,
                "The request must contain exactly one of gatewayId, networkInterfaceId or instanceId.");
  if (given > 1)
    return fail(Code::invalid_parameter_combination,
                "Exactly one of gatewayId, networkInterfaceId or instanceId may be given.");
  if (target.gateway) return gateway_target(scope, table, *target.gateway);
  if (target.instance) return instance_target(scope, table, *target.instance);
  const auto id = TRY(NetworkInterfaceId::parse(*target.interface));
  return interface_target(table, TRY(find_interface(scope, id)));
}

Result<Cidr4> parse_destination(const std::string& text) {
  const auto block = Cidr4::parse(text);
  if (!block)
    return fail(Code::invalid_parameter_value,
                fmt::format("Value ({}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.",
                            shown(text)));
  return *block;
}

/// Traffic inside the VPC takes the local route: the hosts deliver it bridge to bridge.
Result<void> check_outside(const RouteTable& table, const Cidr4& destination) {
  const auto own = Cidr4::parse(table.vpc_cidr);
  if (!own || !own->contains(destination)) return {};
  if (*own == destination)
    return fail(Code::route_already_exists,
                fmt::format("The route identified by {} already exists.", destination.str()));
  return fail(Code::unsupported_operation,
              fmt::format("The destination CIDR block {} is more specific than this VPC's CIDR block {}; routes within "
                          "a VPC are not supported.",
                          destination.str(), own->str()));
}

std::optional<Target> existing(Scope& scope, const RouteTableId& table, const Cidr4& destination) {
  return scope.tx.one(
      "SELECT gateway, interface FROM route WHERE account = ? AND route_table = ? AND destination = ?",
      [](store::Row& row) {
        return Target{row.id<InternetGatewayId>(0), row.id<NetworkInterfaceId>(1)};
      },
      scope.account, table, destination.str());
}

}  // namespace

Result<void> create(Scope& scope, const RouteTableId& table_id, const std::string& destination,
                    const RouteTarget& target) {
  const auto table = TRY(route_tables::find(scope, table_id));
  const auto block = TRY(parse_destination(destination));
  const auto found = TRY(resolve(scope, table, target));
  TRY_VOID(check_outside(table, block));
  if (existing(scope, table_id, block))
    return fail(Code::route_already_exists, fmt::format("The route identified by {} already exists.", block.str()));
  const auto limit = quota::limit(scope, quota::Name::routes_per_table);
  const auto count = static_cast<std::int64_t>(table.routes.size());
  if (count >= limit) return fail(quota::exceeded(quota::Name::routes_per_table, limit, count, 1));
  scope.tx.execute("INSERT INTO route (route_table, destination, account, gateway, interface) VALUES (?, ?, ?, ?, ?)",
                   table_id, block.str(), scope.account, found.gateway, found.interface);
  scope.record(table_id.str(), nullptr, journal_of(block.str(), found));
  scope.touch(DocumentKind::vpc, table.vpc.str());
  return {};
}

Result<void> replace(Scope& scope, const RouteTableId& table_id, const std::string& destination,
                     const RouteTarget& target) {
  const auto table = TRY(route_tables::find(scope, table_id));
  const auto block = TRY(parse_destination(destination));
  const auto found = TRY(resolve(scope, table, target));
  const auto before = existing(scope, table_id, block);
  if (!before)
    return fail(
        Code::invalid_parameter_value,
        fmt::format("There is no route defined for '{}' in the route table. Use CreateRoute instead.", block.str()));
  scope.tx.execute(
      "UPDATE route SET gateway = ?, interface = ? WHERE account = ? AND route_table = ? AND destination = ?",
      found.gateway, found.interface, scope.account, table_id, block.str());
  scope.record(table_id.str(), journal_of(block.str(), *before), journal_of(block.str(), found));
  scope.touch(DocumentKind::vpc, table.vpc.str());
  return {};
}

Result<void> remove(Scope& scope, const RouteTableId& table_id, const std::string& destination) {
  const auto table = TRY(route_tables::find(scope, table_id));
  const auto block = TRY(parse_destination(destination));
  if (block.str() == table.vpc_cidr)
    return fail(Code::invalid_parameter_value,
                fmt::format("cannot remove local route {} in route table {}", block.str(), table_id.str()));
  const auto before = existing(scope, table_id, block);
  if (!before)
    return fail(Code::invalid_route_not_found,
                fmt::format("no route with destination-cidr-block {} in route table {}", block.str(), table_id.str()));
  scope.tx.execute("DELETE FROM route WHERE account = ? AND route_table = ? AND destination = ?", scope.account,
                   table_id, block.str());
  scope.record(table_id.str(), journal_of(block.str(), *before), nullptr);
  scope.touch(DocumentKind::vpc, table.vpc.str());
  return {};
}

}  // namespace virga::network::routes
