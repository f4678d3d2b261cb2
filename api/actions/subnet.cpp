#include <algorithm>

#include "api/action.h"
#include "api/actions/network_shapes.h"
#include "ec2/op/CreateSubnet.h"
#include "ec2/op/DeleteSubnet.h"
#include "ec2/op/DescribeSubnets.h"
#include "ec2/op/ModifySubnetAttribute.h"
#include "network/subnets.h"
#include "network/zones.h"

namespace virga::api {

namespace {

namespace subnets = network::subnets;

ec2::Subnet to_ec2(Call& call, const network::Subnet& subnet) {
  ec2::Subnet shape;
  shape.availability_zone_id = subnet.zone_id;
  shape.map_customer_owned_ip_on_launch = false;
  shape.owner_id = call.scope().account.str();
  shape.assign_ipv6_address_on_creation = false;
  shape.tags = tag_set(call, subnet.id.str());
  shape.subnet_arn = arn(call, "subnet", subnet.id.str());
  shape.enable_dns64 = false;
  shape.ipv6_native = false;
  auto& names = shape.private_dns_name_options_on_launch.emplace();
  names.hostname_type = "ip-name";
  names.enable_resource_name_dns_a_record = false;
  names.enable_resource_name_dns_aaaa_record = false;
  shape.subnet_id = subnet.id.str();
  shape.state = "available";
  shape.vpc_id = subnet.vpc.str();
  shape.cidr_block = subnet.cidr;
  shape.available_ip_address_count = static_cast<std::int32_t>(subnet.available());
  shape.availability_zone = subnet.zone;
  shape.default_for_az = subnet.is_default;
  shape.map_public_ip_on_launch = subnet.map_public_ip;
  return shape;
}

/// The zone's name from either of the two ways to give it; empty text means not given.
Result<std::string> zone_of(Call& call, const ec2::CreateSubnetRequest& request) {
  const auto name = request.availability_zone.value_or("");
  const auto id = request.availability_zone_id.value_or("");
  if (id.empty()) return name;
  if (!name.empty())
    return fail(Code::invalid_parameter_combination,
                "Only one of availabilityZone and availabilityZoneId may be given.");
  if (const auto zone = network::zone_by_id(call.config(), id)) return zone->name;
  return fail(Code::invalid_parameter_value, "The availability zone ID given does not exist in this region.");
}

Result<ec2::CreateSubnetResult> create_subnet(Call& call, const ec2::CreateSubnetRequest& request) {
  const auto vpc = TRY(VpcId::parse(request.vpc_id.value_or("")));
  if (!request.cidr_block)
    return fail(Code::missing_parameter, "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.");
  const auto tags = TRY(tags_for(request.tag_specifications, SubnetId::resource_type));
  const auto zone = TRY(zone_of(call, request));
  const auto subnet =
      TRY(subnets::create(call.scope(), call.config(), {.vpc = vpc, .cidr = *request.cidr_block, .zone = zone}));
  TRY_VOID(tags::put(call.scope(), subnet.id.str(), tags));
  ec2::CreateSubnetResult response;
  response.subnet = to_ec2(call, subnet);
  return response;
}

Result<ec2::DescribeSubnetsResult> describe_subnets(Call& call, const ec2::DescribeSubnetsRequest& request) {
  const auto ids = TRY(parse_ids<SubnetId>(request.subnet_ids));
  const auto found = TRY(subnets::list(call.scope(), ids));
  auto page = call.listing<ec2::Subnet>();
  for (const auto& subnet : found)
    if (!page.offer(subnet.id.str(), to_ec2(call, subnet))) break;
  ec2::DescribeSubnetsResult response;
  response.subnets = page.take();
  return response;
}

/// Attributes other than MapPublicIpOnLaunch may be set only to what every subnet has already (see the row).
Result<ec2::NoOutput> modify_subnet_attribute(Call& call, const ec2::ModifySubnetAttributeRequest& request) {
  const auto id = TRY(SubnetId::parse(request.subnet_id.value_or("")));
  TRY_VOID(subnets::find(call.scope(), id));
  const bool given[] = {request.assign_ipv6_address_on_creation.has_value(),
                        request.map_public_ip_on_launch.has_value(),
                        request.map_customer_owned_ip_on_launch.has_value(),
                        request.enable_dns64.has_value(),
                        request.private_dns_hostname_type_on_launch.has_value(),
                        request.enable_resource_name_dns_a_record_on_launch.has_value(),
                        request.enable_resource_name_dns_aaaa_record_on_launch.has_value(),
                        request.disable_lni_at_device_index.has_value()};
  if (std::ranges::count(given, true) != 1)
    return fail(Code::invalid_parameter_combination, "Exactly one attribute must be given in one call.");
  if (request.map_public_ip_on_launch)
    TRY_VOID(subnets::set_map_public_ip(call.scope(), id, request.map_public_ip_on_launch->value.value_or(false)));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> delete_subnet(Call& call, const ec2::DeleteSubnetRequest& request) {
  const auto id = TRY(SubnetId::parse(request.subnet_id.value_or("")));
  TRY_VOID(subnets::remove(call.scope(), id));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> subnet_actions() {
  return {action("CreateSubnet", Access::write, &create_subnet,
                 {.refused = {"Ipv6CidrBlock", "OutpostArn", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId",
                              "Ipv6NetmaskLength"},
                  .only = {{"Ipv6Native", {"false"}}}}),
          action("DescribeSubnets", Access::read, &describe_subnets),
          action("ModifySubnetAttribute", Access::write, &modify_subnet_attribute,
                 {.refused = {"CustomerOwnedIpv4Pool", "EnableLniAtDeviceIndex"},
                  .only = {{"AssignIpv6AddressOnCreation.Value", {"false"}},
                           {"MapCustomerOwnedIpOnLaunch.Value", {"false"}},
                           {"EnableDns64.Value", {"false"}},
                           {"PrivateDnsHostnameTypeOnLaunch", {"ip-name"}},
                           {"EnableResourceNameDnsARecordOnLaunch.Value", {"false"}},
                           {"EnableResourceNameDnsAAAARecordOnLaunch.Value", {"false"}},
                           {"DisableLniAtDeviceIndex.Value", {"true"}}}}),
          action("DeleteSubnet", Access::write, &delete_subnet)};
}

}  // namespace virga::api
