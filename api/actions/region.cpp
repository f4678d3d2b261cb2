#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "api/action.h"
#include "ec2/op/DescribeAccountAttributes.h"
#include "ec2/op/DescribeAvailabilityZones.h"
#include "ec2/op/DescribeRegions.h"
#include "network/vpcs.h"
#include "network/zones.h"

namespace virga::api {

namespace {

/// EC2 shows endpoints without their scheme.
std::string host_of(const std::string& endpoint) {
  const auto scheme = endpoint.find("://");
  return scheme == std::string::npos ? endpoint : endpoint.substr(scheme + 3);
}

/// An installation is one region, open to everyone: AllRegions shows no more than leaving it out.
Result<ec2::DescribeRegionsResult> describe_regions(Call& call, const ec2::DescribeRegionsRequest& request) {
  const auto& region = call.config().region;
  for (const auto& name : request.region_names)
    if (name != region)
      return fail(Code::invalid_parameter_value, fmt::format("Invalid region: [{}]", name.substr(0, 64)));
  auto page = call.listing<ec2::Region>();
  ec2::Region view;
  view.region_name = region;
  view.endpoint = host_of(call.config().endpoint());
  view.opt_in_status = "opt-in-not-required";
  page.offer(region, std::move(view));
  return ec2::DescribeRegionsResult{page.take()};
}

ec2::AvailabilityZone to_ec2(const network::Zone& zone, const Config& config) {
  ec2::AvailabilityZone view;
  view.zone_name = zone.name;
  view.zone_id = zone.id;
  view.region_name = config.region;
  view.group_name = config.region;
  view.group_long_name = config.region;
  view.network_border_group = config.region;
  view.zone_type = "availability-zone";
  view.opt_in_status = "opt-in-not-required";
  view.state = "available";
  return view;
}

Result<ec2::DescribeAvailabilityZonesResult> describe_zones(Call& call,
                                                            const ec2::DescribeAvailabilityZonesRequest& request) {
  std::set<std::string> wanted;
  for (const auto& name : request.zone_names) {
    if (!network::zone_by_name(call.config(), name))
      return fail(Code::invalid_parameter_value, fmt::format("Invalid availability zone: [{}]", name.substr(0, 64)));
    wanted.insert(name);
  }
  for (const auto& id : request.zone_ids) {
    const auto zone = network::zone_by_id(call.config(), id);
    if (!zone)
      return fail(Code::invalid_parameter_value, fmt::format("Invalid availability zone-id: [{}]", id.substr(0, 64)));
    wanted.insert(zone->name);
  }
  auto zones = network::zones(call.config());
  std::ranges::sort(zones, {}, &network::Zone::name);
  auto page = call.listing<ec2::AvailabilityZone>();
  for (const auto& zone : zones)
    if (wanted.empty() || wanted.contains(zone.name)) page.offer(zone.name, to_ec2(zone, call.config()));
  return ec2::DescribeAvailabilityZonesResult{page.take()};
}

ec2::AccountAttribute attribute(std::string_view name, std::string value) {
  ec2::AccountAttribute view;
  view.attribute_name = name;
  view.attribute_values.push_back({std::move(value)});
  return view;
}

Result<ec2::DescribeAccountAttributesResult> describe_account_attributes(
    Call& call, const ec2::DescribeAccountAttributesRequest& request) {
  auto& scope = call.scope();
  const auto default_vpc = network::vpcs::find_default(scope);
  const auto addresses = std::to_string(quota::limit(scope, quota::Name::addresses));
  const std::array all = {
      attribute("supported-platforms", "VPC"),
      attribute("default-vpc", default_vpc ? default_vpc->id.str() : "none"),
      attribute("max-instances", std::to_string(quota::limit(scope, quota::Name::instances))),
      attribute("vpc-max-security-groups-per-interface",
                std::to_string(quota::limit(scope, quota::Name::security_groups_per_interface))),
      attribute("max-elastic-ips", addresses),
      attribute("vpc-max-elastic-ips", addresses),
  };
  ec2::DescribeAccountAttributesResult response;
  for (const auto& view : all) {
    const auto& names = request.attribute_names;
    if (names.empty() || std::ranges::find(names, *view.attribute_name) != names.end())
      response.account_attributes.push_back(view);
  }
  return response;
}

}  // namespace

std::vector<Action> region_actions() {
  return {action("DescribeRegions", Access::read, &describe_regions),
          // AllAvailabilityZones adds zones that are not opted into; here every zone is.
          action("DescribeAvailabilityZones", Access::read, &describe_zones),
          action("DescribeAccountAttributes", Access::read, &describe_account_attributes)};
}

}  // namespace virga::api
