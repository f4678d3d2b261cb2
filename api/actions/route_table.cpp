#include "api/action.h"
#include "api/actions/network_shapes.h"
#include "core/assert.h"
#include "ec2/op/AssociateRouteTable.h"
#include "ec2/op/CreateRoute.h"
#include "ec2/op/CreateRouteTable.h"
#include "ec2/op/DeleteRoute.h"
#include "ec2/op/DeleteRouteTable.h"
#include "ec2/op/DescribeRouteTables.h"
#include "ec2/op/DisassociateRouteTable.h"
#include "ec2/op/ReplaceRoute.h"
#include "ec2/op/ReplaceRouteTableAssociation.h"
#include "network/route_tables.h"

namespace virga::api {

namespace {

namespace route_tables = network::route_tables;
namespace routes = network::routes;

ec2::Route to_ec2(Call& call, const network::Route& route) {
  ec2::Route shape;
  shape.destination_cidr_block = route.destination;
  if (route.local) shape.gateway_id = "local";
  if (!route.gateway.empty()) shape.gateway_id = route.gateway.str();
  if (!route.interface.empty()) shape.network_interface_id = route.interface.str();
  if (!route.instance.empty()) {
    shape.instance_id = route.instance.str();
    shape.instance_owner_id = call.scope().account.str();
  }
  shape.origin = route.local ? "CreateRouteTable" : "CreateRoute";
  shape.state = route.active ? "active" : "blackhole";
  return shape;
}

ec2::RouteTable to_ec2(Call& call, const network::RouteTable& table) {
  ec2::RouteTable shape;
  for (const auto& association : table.associations) {
    auto& item = shape.associations.emplace_back();
    item.main = association.subnet.empty();
    item.route_table_association_id = association.id.str();
    item.route_table_id = table.id.str();
    if (!association.subnet.empty()) item.subnet_id = association.subnet.str();
    item.association_state.emplace().state = "associated";
  }
  shape.route_table_id = table.id.str();
  for (const auto& route : table.routes) shape.routes.push_back(to_ec2(call, route));
  shape.tags = tag_set(call, table.id.str());
  shape.vpc_id = table.vpc.str();
  shape.owner_id = call.scope().account.str();
  return shape;
}

Result<ec2::CreateRouteTableResult> create_route_table(Call& call, const ec2::CreateRouteTableRequest& request) {
  const auto vpc = TRY(VpcId::parse(request.vpc_id.value_or("")));
  const auto tags = TRY(tags_for(request.tag_specifications, RouteTableId::resource_type));
  const auto table = TRY(route_tables::create(call.scope(), vpc));
  TRY_VOID(tags::put(call.scope(), table.id.str(), tags));
  ec2::CreateRouteTableResult response;
  response.route_table = to_ec2(call, table);
  response.client_token = request.client_token;
  return response;
}

Result<ec2::CreateRouteTableResult> current_route_table(Call& call, const ec2::CreateRouteTableResult& first) {
  VIRGA_ASSERT(first.route_table && first.route_table->route_table_id);
  const auto id = RouteTableId::trusted(*first.route_table->route_table_id);
  const auto found = TRY(route_tables::list(call.scope(), {id}));
  ec2::CreateRouteTableResult response;
  response.route_table = to_ec2(call, found.at(0));
  response.client_token = first.client_token;
  return response;
}

Result<ec2::DescribeRouteTablesResult> describe_route_tables(Call& call,
                                                             const ec2::DescribeRouteTablesRequest& request) {
  const auto ids = TRY(parse_ids<RouteTableId>(request.route_table_ids));
  const auto found = TRY(route_tables::list(call.scope(), ids));
  auto page = call.listing<ec2::RouteTable>();
  for (const auto& table : found)
    if (!page.offer(table.id.str(), to_ec2(call, table))) break;
  ec2::DescribeRouteTablesResult response;
  response.route_tables = page.take();
  return response;
}

Result<ec2::NoOutput> delete_route_table(Call& call, const ec2::DeleteRouteTableRequest& request) {
  const auto id = TRY(RouteTableId::parse(request.route_table_id.value_or("")));
  TRY_VOID(route_tables::remove(call.scope(), id));
  return ec2::NoOutput{};
}

Result<std::string> destination_of(const std::optional<std::string>& cidr) {
  if (cidr) return *cidr;
  return fail(Code::missing_parameter, "The request must contain the parameter destinationCidrBlock");
}

Result<ec2::CreateRouteResult> create_route(Call& call, const ec2::CreateRouteRequest& request) {
  const auto table = TRY(RouteTableId::parse(request.route_table_id.value_or("")));
  const auto destination = TRY(destination_of(request.destination_cidr_block));
  TRY_VOID(routes::create(
      call.scope(), table, destination,
      {.gateway = request.gateway_id, .interface = request.network_interface_id, .instance = request.instance_id}));
  ec2::CreateRouteResult response;
  response.return_ = true;
  return response;
}

Result<ec2::NoOutput> replace_route(Call& call, const ec2::ReplaceRouteRequest& request) {
  const auto table = TRY(RouteTableId::parse(request.route_table_id.value_or("")));
  const auto destination = TRY(destination_of(request.destination_cidr_block));
  TRY_VOID(routes::replace(
      call.scope(), table, destination,
      {.gateway = request.gateway_id, .interface = request.network_interface_id, .instance = request.instance_id}));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> delete_route(Call& call, const ec2::DeleteRouteRequest& request) {
  const auto table = TRY(RouteTableId::parse(request.route_table_id.value_or("")));
  const auto destination = TRY(destination_of(request.destination_cidr_block));
  TRY_VOID(routes::remove(call.scope(), table, destination));
  return ec2::NoOutput{};
}

Result<ec2::AssociateRouteTableResult> associate(Call& call, const ec2::AssociateRouteTableRequest& request) {
  const auto table = TRY(RouteTableId::parse(request.route_table_id.value_or("")));
  if (!request.subnet_id) return fail(Code::missing_parameter, "The request must contain the parameter subnetId");
  const auto subnet = TRY(SubnetId::parse(*request.subnet_id));
  const auto id = TRY(route_tables::associate(call.scope(), table, subnet));
  ec2::AssociateRouteTableResult response;
  response.association_id = id.str();
  response.association_state.emplace().state = "associated";
  return response;
}

Result<ec2::NoOutput> disassociate(Call& call, const ec2::DisassociateRouteTableRequest& request) {
  const auto id = TRY(RouteTableAssociationId::parse(request.association_id.value_or("")));
  TRY_VOID(route_tables::disassociate(call.scope(), id));
  return ec2::NoOutput{};
}

Result<ec2::ReplaceRouteTableAssociationResult> replace_association(
    Call& call, const ec2::ReplaceRouteTableAssociationRequest& request) {
  const auto id = TRY(RouteTableAssociationId::parse(request.association_id.value_or("")));
  const auto table = TRY(RouteTableId::parse(request.route_table_id.value_or("")));
  const auto replacement = TRY(route_tables::replace_association(call.scope(), id, table));
  ec2::ReplaceRouteTableAssociationResult response;
  response.new_association_id = replacement.str();
  response.association_state.emplace().state = "associated";
  return response;
}

/// Destinations and targets that do not exist here.
const std::vector<std::string_view> refused_of_routes = {"DestinationPrefixListId",
                                                         "DestinationIpv6CidrBlock",
                                                         "VpcEndpointId",
                                                         "TransitGatewayId",
                                                         "LocalGatewayId",
                                                         "CarrierGatewayId",
                                                         "CoreNetworkArn",
                                                         "OdbNetworkArn",
                                                         "VpcPeeringConnectionId",
                                                         "EgressOnlyInternetGatewayId",
                                                         "NatGatewayId"};

}  // namespace

std::vector<Action> route_table_actions() {
  return {
      action("CreateRouteTable", Access::write, &create_route_table, {.refresh = refresh_with(&current_route_table)}),
      action("DescribeRouteTables", Access::read, &describe_route_tables),
      action("DeleteRouteTable", Access::write, &delete_route_table),
      action("CreateRoute", Access::write, &create_route, {.refused = refused_of_routes}),
      action("ReplaceRoute", Access::write, &replace_route,
             {.refused = refused_of_routes, .only = {{"LocalTarget", {"false"}}}}),
      action("DeleteRoute", Access::write, &delete_route,
             {.refused = {"DestinationPrefixListId", "DestinationIpv6CidrBlock"}}),
      action("AssociateRouteTable", Access::write, &associate, {.refused = {"GatewayId", "PublicIpv4Pool"}}),
      action("DisassociateRouteTable", Access::write, &disassociate),
      action("ReplaceRouteTableAssociation", Access::write, &replace_association)};
}

}  // namespace virga::api
