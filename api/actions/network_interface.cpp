#include "api/action.h"
#include "api/actions/network_interface_modify.h"
#include "api/actions/network_shapes.h"
#include "ec2/op/DescribeDhcpOptions.h"
#include "ec2/op/DescribeNetworkAcls.h"
#include "ec2/op/DescribeNetworkInterfaceAttribute.h"
#include "ec2/op/DescribeNetworkInterfaces.h"
#include "network/dhcp_options.h"
#include "network/interfaces.h"
#include "network/network_acls.h"
#include "network/zones.h"

namespace virga::api {

namespace {

ec2::NetworkInterfaceAttachment attachment_of(Call& call, const network::Interface& interface) {
  ec2::NetworkInterfaceAttachment shape;
  shape.attach_time = interface.attached;
  shape.attachment_id = interface.attachment.str();
  shape.delete_on_termination = interface.delete_on_termination;
  shape.device_index = interface.device_index;
  shape.network_card_index = 0;
  shape.instance_id = interface.instance.str();
  shape.instance_owner_id = call.scope().account.str();
  shape.status = "attached";
  return shape;
}

std::vector<ec2::GroupIdentifier> groups_of(const network::Interface& interface) {
  std::vector<ec2::GroupIdentifier> groups;
  for (const auto& group : interface.groups) groups.push_back({group.id.str(), group.name});
  return groups;
}

/// Nothing without a public address. One that EC2 assigned is its own; an elastic one belongs to the account.
std::optional<ec2::NetworkInterfaceAssociation> association_of(const network::Interface& interface) {
  if (interface.public_ip.empty()) return std::nullopt;
  ec2::NetworkInterfaceAssociation shape;
  shape.public_ip = interface.public_ip;
  shape.public_dns_name = interface.public_dns_name;
  shape.ip_owner_id = interface.allocation.empty() ? "amazon" : interface.account.str();
  if (!interface.allocation.empty()) {
    shape.allocation_id = interface.allocation.str();
    shape.association_id = interface.association.str();
  }
  return shape;
}

ec2::NetworkInterface to_ec2(Call& call, const network::Interface& interface) {
  const bool attached = !interface.attachment.empty();
  ec2::NetworkInterface shape;
  if (attached) shape.attachment = attachment_of(call, interface);
  shape.availability_zone = interface.zone;
  if (const auto zone = network::zone_by_name(call.config(), interface.zone)) shape.availability_zone_id = zone->id;
  shape.description = interface.description;
  shape.groups = groups_of(interface);
  shape.association = association_of(interface);
  shape.interface_type = "interface";
  shape.mac_address = interface.mac;
  shape.network_interface_id = interface.id.str();
  shape.owner_id = call.scope().account.str();
  shape.private_dns_name = interface.private_dns_name;
  shape.private_ip_address = interface.private_ip;
  auto& address = shape.private_ip_addresses.emplace_back();
  address.primary = true;
  address.private_dns_name = interface.private_dns_name;
  address.private_ip_address = interface.private_ip;
  address.association = shape.association;
  shape.requester_managed = false;
  shape.source_dest_check = interface.source_dest_check;
  shape.status = attached ? "in-use" : "available";
  shape.subnet_id = interface.subnet.str();
  shape.tag_set = tag_set(call, interface.id.str());
  shape.vpc_id = interface.vpc.str();
  shape.operator_.emplace().managed = false;
  return shape;
}

/// IncludeManagedResources adds interfaces that another service manages for the account: there are none.
Result<ec2::DescribeNetworkInterfacesResult> describe_interfaces(Call& call,
                                                                 const ec2::DescribeNetworkInterfacesRequest& request) {
  const auto ids = TRY(parse_ids<NetworkInterfaceId>(request.network_interface_ids));
  const auto found = TRY(network::list_interfaces(call.scope(), ids));
  auto page = call.listing<ec2::NetworkInterface>();
  for (const auto& interface : found)
    if (!page.offer(interface.id.str(), to_ec2(call, interface))) break;
  ec2::DescribeNetworkInterfacesResult response;
  response.network_interfaces = page.take();
  return response;
}

Result<ec2::DescribeNetworkInterfaceAttributeResult> describe_interface_attribute(
    Call& call, const ec2::DescribeNetworkInterfaceAttributeRequest& request) {
  const auto id = TRY(NetworkInterfaceId::parse(request.network_interface_id.value_or("")));
  const auto name = request.attribute.value_or("");
  if (name.empty()) return fail(Code::missing_parameter, "The request must contain the parameter Attribute");
  const auto interface = TRY(network::find_interface(call.scope(), id));
  ec2::DescribeNetworkInterfaceAttributeResult response;
  response.network_interface_id = id.str();
  if (name == "description") response.description = ec2::AttributeValue{interface.description};
  if (name == "groupSet") response.groups = groups_of(interface);
  if (name == "sourceDestCheck") response.source_dest_check = ec2::AttributeBooleanValue{interface.source_dest_check};
  if (name == "attachment" && !interface.attachment.empty()) response.attachment = attachment_of(call, interface);
  if (name == "associatePublicIpAddress") response.associate_public_ip_address = interface.wants_public_ip;
  return response;
}

ec2::NetworkAclEntry entry(bool egress, int number, std::string_view action) {
  ec2::NetworkAclEntry shape;
  shape.cidr_block = "0.0.0.0/0";
  shape.egress = egress;
  shape.protocol = "-1";
  shape.rule_action = action;
  shape.rule_number = number;
  return shape;
}

ec2::NetworkAcl to_ec2(Call& call, const network::NetworkAcl& acl) {
  constexpr int allow_all = 100;
  constexpr int final_deny = 32767;
  ec2::NetworkAcl shape;
  for (const auto& association : acl.associations)
    shape.associations.push_back({.network_acl_association_id = association.id.str(),
                                  .network_acl_id = acl.id.str(),
                                  .subnet_id = association.subnet.str()});
  for (const bool egress : {true, false}) {
    shape.entries.push_back(entry(egress, allow_all, "allow"));
    shape.entries.push_back(entry(egress, final_deny, "deny"));
  }
  shape.is_default = true;
  shape.network_acl_id = acl.id.str();
  shape.tags = tag_set(call, acl.id.str());
  shape.vpc_id = acl.vpc.str();
  shape.owner_id = call.scope().account.str();
  return shape;
}

Result<ec2::DescribeNetworkAclsResult> describe_acls(Call& call, const ec2::DescribeNetworkAclsRequest& request) {
  const auto ids = TRY(parse_ids<NetworkAclId>(request.network_acl_ids));
  const auto found = TRY(network::network_acls::list(call.scope(), ids));
  auto page = call.listing<ec2::NetworkAcl>();
  for (const auto& acl : found)
    if (!page.offer(acl.id.str(), to_ec2(call, acl))) break;
  ec2::DescribeNetworkAclsResult response;
  response.network_acls = page.take();
  return response;
}

ec2::DhcpConfiguration configuration(std::string_view key, const std::string& value) {
  ec2::DhcpConfiguration shape;
  shape.key = key;
  shape.values.emplace_back().value = value;
  return shape;
}

ec2::DhcpOptions to_ec2(Call& call, const network::DhcpOptions& options) {
  ec2::DhcpOptions shape;
  shape.owner_id = call.scope().account.str();
  shape.tags = tag_set(call, options.id.str());
  shape.dhcp_options_id = options.id.str();
  shape.dhcp_configurations = {configuration("domain-name", options.domain),
                               configuration("domain-name-servers", "AmazonProvidedDNS")};
  return shape;
}

Result<ec2::DescribeDhcpOptionsResult> describe_dhcp_options(Call& call,
                                                             const ec2::DescribeDhcpOptionsRequest& request) {
  const auto ids = TRY(parse_ids<DhcpOptionsId>(request.dhcp_options_ids));
  const auto found = TRY(network::dhcp_options::list(call.scope(), ids));
  auto page = call.listing<ec2::DhcpOptions>();
  for (const auto& options : found)
    if (!page.offer(options.id.str(), to_ec2(call, options))) break;
  ec2::DescribeDhcpOptionsResult response;
  response.dhcp_options = page.take();
  return response;
}

}  // namespace

std::vector<Action> network_interface_actions() {
  std::vector<Action> actions = {
      action("DescribeNetworkInterfaces", Access::read, &describe_interfaces),
      action("DescribeNetworkInterfaceAttribute", Access::read, &describe_interface_attribute),
      action("DescribeNetworkAcls", Access::read, &describe_acls),
      action("DescribeDhcpOptions", Access::read, &describe_dhcp_options)};
  for (auto& row : network_interface_modify_actions()) actions.push_back(std::move(row));
  return actions;
}

}  // namespace virga::api
