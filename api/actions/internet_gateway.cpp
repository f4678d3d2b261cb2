#include "api/action.h"
#include "api/actions/network_shapes.h"
#include "ec2/op/AttachInternetGateway.h"
#include "ec2/op/CreateInternetGateway.h"
#include "ec2/op/DeleteInternetGateway.h"
#include "ec2/op/DescribeInternetGateways.h"
#include "ec2/op/DetachInternetGateway.h"
#include "network/internet_gateways.h"

namespace virga::api {

namespace {

namespace gateways = network::internet_gateways;

ec2::InternetGateway to_ec2(Call& call, const network::InternetGateway& gateway) {
  ec2::InternetGateway shape;
  // EC2 says "available" of an attached internet gateway, a word its own list of attachment states lacks; clients wait
  // for it.
  if (!gateway.vpc.empty()) shape.attachments.push_back({.state = "available", .vpc_id = gateway.vpc.str()});
  shape.internet_gateway_id = gateway.id.str();
  shape.owner_id = call.scope().account.str();
  shape.tags = tag_set(call, gateway.id.str());
  return shape;
}

Result<ec2::CreateInternetGatewayResult> create(Call& call, const ec2::CreateInternetGatewayRequest& request) {
  const auto tags = TRY(tags_for(request.tag_specifications, InternetGatewayId::resource_type));
  const auto gateway = TRY(gateways::create(call.scope()));
  TRY_VOID(tags::put(call.scope(), gateway.id.str(), tags));
  ec2::CreateInternetGatewayResult response;
  response.internet_gateway = to_ec2(call, gateway);
  return response;
}

Result<ec2::DescribeInternetGatewaysResult> describe(Call& call, const ec2::DescribeInternetGatewaysRequest& request) {
  const auto ids = TRY(parse_ids<InternetGatewayId>(request.internet_gateway_ids));
  const auto found = TRY(gateways::list(call.scope(), ids));
  auto page = call.listing<ec2::InternetGateway>();
  for (const auto& gateway : found)
    if (!page.offer(gateway.id.str(), to_ec2(call, gateway))) break;
  ec2::DescribeInternetGatewaysResult response;
  response.internet_gateways = page.take();
  return response;
}

Result<ec2::NoOutput> attach(Call& call, const ec2::AttachInternetGatewayRequest& request) {
  const auto id = TRY(InternetGatewayId::parse(request.internet_gateway_id.value_or("")));
  const auto vpc = TRY(VpcId::parse(request.vpc_id.value_or("")));
  TRY_VOID(gateways::attach(call.scope(), id, vpc));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> detach(Call& call, const ec2::DetachInternetGatewayRequest& request) {
  const auto id = TRY(InternetGatewayId::parse(request.internet_gateway_id.value_or("")));
  const auto vpc = TRY(VpcId::parse(request.vpc_id.value_or("")));
  TRY_VOID(gateways::detach(call.scope(), id, vpc));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> remove(Call& call, const ec2::DeleteInternetGatewayRequest& request) {
  const auto id = TRY(InternetGatewayId::parse(request.internet_gateway_id.value_or("")));
  TRY_VOID(gateways::remove(call.scope(), id));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> internet_gateway_actions() {
  return {action("CreateInternetGateway", Access::write, &create),
          action("DescribeInternetGateways", Access::read, &describe),
          action("AttachInternetGateway", Access::write, &attach),
          action("DetachInternetGateway", Access::write, &detach),
          action("DeleteInternetGateway", Access::write, &remove)};
}

}  // namespace virga::api
