#include "api/workflows/launch_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "network/zones.h"

namespace virga::api {

namespace {

using network::InterfaceRequest;

Result<std::vector<SecurityGroupId>> parse_groups(const std::vector<std::string>& texts) {
  std::vector<SecurityGroupId> groups;
  for (const auto& text : texts) groups.push_back(TRY(SecurityGroupId::parse(text)));
  return groups;
}

/// The zone that Placement names; empty: any.
Result<std::string> wanted_zone(Call& call, const ec2::RunInstancesRequest& request) {
  if (!request.placement) return std::string();
  const auto name = request.placement->availability_zone.value_or("");
  const auto id = request.placement->availability_zone_id.value_or("");
  if (!name.empty() && !id.empty())
    return fail(Code::invalid_parameter_combination,
                "Placement.AvailabilityZone and Placement.AvailabilityZoneId may not both be given.");
  if (name.empty() && id.empty()) return std::string();
  const auto zone = name.empty() ? network::zone_by_id(call.config(), id) : network::zone_by_name(call.config(), name);
  if (!zone)
    return fail(Code::invalid_parameter_value,
                fmt::format("Invalid availability zone: [{}]", (name.empty() ? id : name).substr(0, 64)));
  return zone->name;
}

/// The subnet named, which must lie in the zone named; or the zone's default subnet.
Result<SubnetId> choose_subnet(Call& call, const std::string& text, const std::string& zone) {
  if (text.empty()) return network::default_subnet(call.scope(), zone);
  const auto subnet = TRY(SubnetId::parse(text));
  const auto place = TRY(network::subnet_place(call.scope(), subnet));
  if (!zone.empty() && zone != place.zone)
    return fail(Code::invalid_parameter_value,
                fmt::format("The subnet '{}' is in {}, not in the Availability Zone {} that the request names.",
                            subnet.str(), place.zone, zone));
  return subnet;
}

Result<InterfaceRequest> plan_simple(Call& call, const ec2::RunInstancesRequest& request, const std::string& zone) {
  InterfaceRequest interface;
  interface.subnet = TRY(choose_subnet(call, request.subnet_id.value_or(""), zone));
  if (!request.security_groups.empty() && !request.security_group_ids.empty())
    return fail(Code::invalid_parameter_combination,
                "The parameter groupName cannot be used with the parameter groupId.");
  interface.groups = TRY(parse_groups(request.security_group_ids));
  if (!request.security_groups.empty()) {
    const auto place = TRY(network::subnet_place(call.scope(), interface.subnet));
    interface.groups = TRY(network::groups_by_name(call.scope(), place.vpc, request.security_groups));
  }
  if (request.private_ip_address && !request.private_ip_address->empty())
    interface.private_ip = request.private_ip_address;
  interface.wants_public_ip = TRY(network::subnet_place(call.scope(), interface.subnet)).map_public_ip_on_launch;
  return interface;
}

/// As on EC2, only a lone interface gets an automatic public address: when asked for, else as the subnet says.
Result<void> decide_public_ip(Call& call, const ec2::RunInstancesRequest& request,
                              std::vector<InterfaceRequest>& interfaces) {
  const auto asks = [](const auto& wish) { return wish.associate_public_ip_address.value_or(false); };
  if (interfaces.size() > 1) {
    if (std::ranges::any_of(request.network_interfaces, asks))
      return fail(Code::invalid_parameter_combination,
                  "The associatePublicIPAddress parameter cannot be specified when launching with multiple network "
                  "interfaces.");
    return {};
  }
  auto& only = interfaces.front();
  const auto place = TRY(network::subnet_place(call.scope(), only.subnet));
  only.wants_public_ip =
      request.network_interfaces.front().associate_public_ip_address.value_or(place.map_public_ip_on_launch);
  return {};
}

Result<InterfaceRequest> plan_one(Call& call, const ec2::InstanceNetworkInterfaceSpecification& wish,
                                  const std::string& zone) {
  if (!wish.device_index) return fail(Code::missing_parameter, "Each network interface requires a device index.");
  InterfaceRequest interface;
  interface.device_index = *wish.device_index;
  interface.subnet = TRY(choose_subnet(call, wish.subnet_id.value_or(""), zone));
  interface.groups = TRY(parse_groups(wish.groups));
  if (wish.private_ip_address && !wish.private_ip_address->empty()) interface.private_ip = wish.private_ip_address;
  interface.description = wish.description.value_or("");
  TRY_VOID(check_interface_description(interface.description));
  interface.delete_on_termination = wish.delete_on_termination.value_or(true);
  return interface;
}

Result<void> check_together(Call& call, const std::vector<InterfaceRequest>& interfaces) {
  const auto first = TRY(network::subnet_place(call.scope(), interfaces.front().subnet));
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    if (interfaces[i].device_index != static_cast<int>(i))
      return fail(Code::invalid_parameter_value,
                  "Network interfaces must have the device indexes 0, 1, 2, ... each once.");
    const auto place = TRY(network::subnet_place(call.scope(), interfaces[i].subnet));
    if (place.zone != first.zone || place.vpc != first.vpc)
      return fail(Code::invalid_parameter_combination,
                  "All network interfaces of an instance must be in one VPC and one Availability Zone.");
  }
  return {};
}

Result<std::vector<InterfaceRequest>> plan_listed(Call& call, const ec2::RunInstancesRequest& request,
                                                  const std::string& zone, const compute::InstanceType& type) {
  const bool both = (request.subnet_id && !request.subnet_id->empty()) || !request.security_groups.empty() ||
                    !request.security_group_ids.empty() ||
                    (request.private_ip_address && !request.private_ip_address->empty());
  if (both)
    return fail(Code::invalid_parameter_combination,
                "Network interfaces and an instance-level subnet ID, security groups or private address may not be "
                "specified on the same request");
  if (request.network_interfaces.size() > static_cast<std::size_t>(type.max_interfaces))
    return fail(Code::attachment_limit_exceeded,
                fmt::format("Interface count {} exceeds the limit of {} for {}", request.network_interfaces.size(),
                            type.max_interfaces, type.name));
  std::vector<InterfaceRequest> interfaces;
  for (const auto& wish : request.network_interfaces) interfaces.push_back(TRY(plan_one(call, wish, zone)));
  std::ranges::sort(interfaces, {}, &InterfaceRequest::device_index);
  TRY_VOID(check_together(call, interfaces));
  TRY_VOID(decide_public_ip(call, request, interfaces));
  return interfaces;
}

}  // namespace

Result<void> check_interface_description(const std::string& description) {
  constexpr std::size_t longest = 255;
  if (description.size() <= longest) return {};
  return fail(Code::invalid_parameter_value, fmt::format("The description may have at most {} characters.", longest));
}

Result<std::vector<InterfaceRequest>> plan_interfaces(Call& call, const ec2::RunInstancesRequest& request,
                                                      int max_count, const compute::InstanceType& type) {
  const auto zone = TRY(wanted_zone(call, request));
  std::vector<InterfaceRequest> interfaces;
  if (request.network_interfaces.empty())
    interfaces.push_back(TRY(plan_simple(call, request, zone)));
  else
    interfaces = TRY(plan_listed(call, request, zone, type));
  const bool fixed = std::ranges::any_of(interfaces, [](const auto& i) { return i.private_ip.has_value(); });
  if (fixed && max_count > 1)
    return fail(Code::invalid_parameter_combination,
                "A private IP address may be given for one instance only: MaxCount must be 1.");
  return interfaces;
}

}  // namespace virga::api
