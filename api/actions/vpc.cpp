#include "api/action.h"
#include "api/actions/network_shapes.h"
#include "ec2/op/CreateDefaultVpc.h"
#include "ec2/op/CreateVpc.h"
#include "ec2/op/DeleteVpc.h"
#include "ec2/op/DescribeVpcAttribute.h"
#include "ec2/op/DescribeVpcs.h"
#include "ec2/op/ModifyVpcAttribute.h"
#include "network/vpcs.h"

namespace virga::api {

namespace {

namespace vpcs = network::vpcs;

ec2::Vpc to_ec2(Call& call, const network::Vpc& vpc) {
  ec2::VpcCidrBlockAssociation association;
  association.association_id = vpc.cidr_association.str();
  association.cidr_block = vpc.cidr;
  association.cidr_block_state.emplace().state = "associated";
  ec2::Vpc shape;
  shape.owner_id = call.scope().account.str();
  shape.instance_tenancy = "default";
  shape.cidr_block_association_set.push_back(std::move(association));
  shape.is_default = vpc.is_default;
  shape.tags = tag_set(call, vpc.id.str());
  shape.vpc_id = vpc.id.str();
  shape.state = "available";
  shape.cidr_block = vpc.cidr;
  shape.dhcp_options_id = vpc.dhcp_options.str();
  return shape;
}

Result<ec2::CreateVpcResult> create_vpc(Call& call, const ec2::CreateVpcRequest& request) {
  if (!request.cidr_block)
    return fail(Code::missing_parameter, "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.");
  const auto tags = TRY(tags_for(request.tag_specifications, VpcId::resource_type));
  const auto vpc = TRY(vpcs::create(call.scope(), call.config(), {.cidr = *request.cidr_block}));
  TRY_VOID(tags::put(call.scope(), vpc.id.str(), tags));
  ec2::CreateVpcResult response;
  response.vpc = to_ec2(call, vpc);
  return response;
}

Result<ec2::CreateDefaultVpcResult> create_default_vpc(Call& call, const ec2::CreateDefaultVpcRequest&) {
  const auto vpc = TRY(network::create_default_vpc(call.scope(), call.config()));
  ec2::CreateDefaultVpcResult response;
  response.vpc = to_ec2(call, vpc);
  return response;
}

Result<ec2::DescribeVpcsResult> describe_vpcs(Call& call, const ec2::DescribeVpcsRequest& request) {
  const auto ids = TRY(parse_ids<VpcId>(request.vpc_ids));
  const auto found = TRY(vpcs::list(call.scope(), ids));
  auto page = call.listing<ec2::Vpc>();
  for (const auto& vpc : found)
    if (!page.offer(vpc.id.str(), to_ec2(call, vpc))) break;
  ec2::DescribeVpcsResult response;
  response.vpcs = page.take();
  return response;
}

Result<ec2::DescribeVpcAttributeResult> describe_vpc_attribute(Call& call,
                                                               const ec2::DescribeVpcAttributeRequest& request) {
  const auto id = TRY(VpcId::parse(request.vpc_id.value_or("")));
  const auto vpc = TRY(vpcs::find(call.scope(), id));
  const auto attribute = request.attribute.value_or("");
  ec2::DescribeVpcAttributeResult response;
  response.vpc_id = id.str();
  if (attribute == "enableDnsSupport") {
    response.enable_dns_support.emplace().value = vpc.dns_support;
  } else if (attribute == "enableDnsHostnames") {
    response.enable_dns_hostnames.emplace().value = vpc.dns_hostnames;
  } else if (attribute == "enableNetworkAddressUsageMetrics") {
    response.enable_network_address_usage_metrics.emplace().value = vpc.usage_metrics;
  } else {
    return fail(Code::invalid_parameter_value,
                "Attribute must be one of enableDnsSupport, enableDnsHostnames, enableNetworkAddressUsageMetrics.");
  }
  return response;
}

std::optional<bool> value_of(const std::optional<ec2::AttributeBooleanValue>& attribute) {
  return attribute ? attribute->value : std::nullopt;
}

Result<ec2::NoOutput> modify_vpc_attribute(Call& call, const ec2::ModifyVpcAttributeRequest& request) {
  const auto id = TRY(VpcId::parse(request.vpc_id.value_or("")));
  const network::VpcAttributes attributes{.dns_support = value_of(request.enable_dns_support),
                                          .dns_hostnames = value_of(request.enable_dns_hostnames),
                                          .usage_metrics = value_of(request.enable_network_address_usage_metrics)};
  const int given =
      (attributes.dns_support ? 1 : 0) + (attributes.dns_hostnames ? 1 : 0) + (attributes.usage_metrics ? 1 : 0);
  if (given != 1) return fail(Code::invalid_parameter_combination, "Exactly one attribute must be given in one call.");
  TRY_VOID(vpcs::modify(call.scope(), id, attributes));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> delete_vpc(Call& call, const ec2::DeleteVpcRequest& request) {
  const auto id = TRY(VpcId::parse(request.vpc_id.value_or("")));
  TRY_VOID(vpcs::remove(call.scope(), id));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> vpc_actions() {
  return {action("CreateVpc", Access::write, &create_vpc,
                 {.refused = {"Ipv6Pool", "Ipv6CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId",
                              "Ipv6NetmaskLength", "Ipv6CidrBlockNetworkBorderGroup", "VpcEncryptionControl"},
                  .only = {{"InstanceTenancy", {"default"}}, {"AmazonProvidedIpv6CidrBlock", {"false"}}}}),
          action("CreateDefaultVpc", Access::write, &create_default_vpc),
          action("DescribeVpcs", Access::read, &describe_vpcs),
          action("DescribeVpcAttribute", Access::read, &describe_vpc_attribute),
          action("ModifyVpcAttribute", Access::write, &modify_vpc_attribute),
          action("DeleteVpc", Access::write, &delete_vpc)};
}

}  // namespace virga::api
