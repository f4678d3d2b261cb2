#include <fmt/format.h>

#include <map>

#include "api/action.h"
#include "api/actions/network_shapes.h"
#include "api/workflows/public_addresses.h"
#include "api/workflows/tag_specifications.h"
#include "ec2/op/AllocateAddress.h"
#include "ec2/op/AssociateAddress.h"
#include "ec2/op/DescribeAddresses.h"
#include "ec2/op/DescribeAddressesAttribute.h"
#include "ec2/op/DisassociateAddress.h"
#include "ec2/op/ReleaseAddress.h"
#include "network/addresses.h"

namespace virga::api {

namespace {

namespace addresses = network::addresses;
using network::Address;

/// Where all addresses come from; pools of the caller's own are refused (see the row).
constexpr std::string_view pool = "amazon";

ec2::Address to_ec2(Call& call, const Address& address) {
  ec2::Address shape;
  shape.allocation_id = address.allocation.str();
  shape.domain = "vpc";
  if (!address.association.empty()) {
    shape.association_id = address.association.str();
    shape.network_interface_id = address.interface.str();
    shape.network_interface_owner_id = call.scope().account.str();
    shape.private_ip_address = address.private_ip;
    shape.subnet_id = address.subnet.str();
    if (!address.instance.empty()) shape.instance_id = address.instance.str();
  }
  shape.tags = tag_set(call, address.allocation.str());
  shape.public_ipv4_pool = pool;
  shape.network_border_group = call.config().region;
  shape.public_ip = address.public_ip;
  return shape;
}

/// The address that a caller names by its allocation or by itself. (EC2 wants the allocation; the address is as clear.)
Result<Address> named(Call& call, const std::string& allocation, const std::string& public_ip) {
  if (!allocation.empty() && !public_ip.empty())
    return fail(Code::invalid_parameter_combination, "You may specify public IP or allocation id, but not both.");
  if (!public_ip.empty()) return addresses::find_by_ip(call.scope(), public_ip);
  if (allocation.empty()) return fail(Code::missing_parameter, "Either public IP or allocation id must be specified.");
  const auto id = TRY(AllocationId::parse(allocation));
  return addresses::find(call.scope(), id);
}

Result<ec2::AllocateAddressResult> allocate(Call& call, const ec2::AllocateAddressRequest& request) {
  const auto group = request.network_border_group.value_or("");
  if (!group.empty() && group != call.config().region)
    return fail(Code::invalid_parameter_value,
                fmt::format("Value ({}) for parameter networkBorderGroup is invalid: there is only {}.",
                            group.substr(0, 64), call.config().region));
  const auto tags = TRY(tags_for(request.tag_specifications, AllocationId::resource_type));
  const auto address = TRY(addresses::allocate(call.scope(), call.config(), request.address.value_or("")));
  TRY_VOID(tags::put(call.scope(), address.allocation.str(), tags));
  ec2::AllocateAddressResult response;
  response.allocation_id = address.allocation.str();
  response.public_ipv4_pool = pool;
  response.network_border_group = call.config().region;
  response.domain = "vpc";
  response.public_ip = address.public_ip;
  return response;
}

/// All of the account, or those named in either way, ordered by allocation.
Result<std::vector<Address>> selected(Call& call, const std::vector<std::string>& allocations,
                                      const std::vector<std::string>& public_ips) {
  if (allocations.empty() && public_ips.empty()) return addresses::list(call.scope());
  std::map<AllocationId, Address> found;
  for (const auto& id : TRY(parse_ids<AllocationId>(allocations))) {
    auto address = TRY(addresses::find(call.scope(), id));
    found.emplace(id, std::move(address));
  }
  for (const auto& ip : public_ips) {
    auto address = TRY(addresses::find_by_ip(call.scope(), ip));
    found.emplace(address.allocation, std::move(address));
  }
  std::vector<Address> list;
  for (auto& [id, address] : found) list.push_back(std::move(address));
  return list;
}

Result<ec2::DescribeAddressesResult> describe(Call& call, const ec2::DescribeAddressesRequest& request) {
  const auto found = TRY(selected(call, request.allocation_ids, request.public_ips));
  auto page = call.listing<ec2::Address>();
  for (const auto& address : found)
    if (!page.offer(address.allocation.str(), to_ec2(call, address))) break;
  ec2::DescribeAddressesResult response;
  response.addresses = page.take();
  return response;
}

/// The only attribute there is, a name of the caller's for reverse look-ups, can be given to none: the list is empty,
/// as EC2's is for addresses without one.
Result<ec2::DescribeAddressesAttributeResult> describe_attribute(
    Call& call, const ec2::DescribeAddressesAttributeRequest& request) {
  TRY_VOID(selected(call, request.allocation_ids, {}));
  return ec2::DescribeAddressesAttributeResult{};
}

Result<ec2::AssociateAddressResult> associate(Call& call, const ec2::AssociateAddressRequest& request) {
  const auto address = TRY(named(call, request.allocation_id.value_or(""), request.public_ip.value_or("")));
  const auto target =
      TRY(association_target(call, request.instance_id.value_or(""), request.network_interface_id.value_or("")));
  const auto association =
      TRY(addresses::associate(call.scope(), {.allocation = address.allocation,
                                              .interface = target,
                                              .private_ip = request.private_ip_address.value_or(""),
                                              .allow_reassociation = request.allow_reassociation.value_or(true)}));
  if (!address.interface.empty() && address.interface != target) TRY_VOID(renew_public_ip(call, address.interface));
  ec2::AssociateAddressResult response;
  response.association_id = association.str();
  return response;
}

Result<ec2::NoOutput> disassociate(Call& call, const ec2::DisassociateAddressRequest& request) {
  const auto id = request.association_id.value_or("");
  const auto public_ip = request.public_ip.value_or("");
  if (id.empty() == public_ip.empty()) {
    if (!id.empty())
      return fail(Code::invalid_parameter_combination, "You may specify public IP or association id, but not both.");
    return fail(Code::missing_parameter, "Either public IP or association id must be specified.");
  }
  AddressAssociationId association;
  if (!id.empty()) association = TRY(AddressAssociationId::parse(id));
  const auto address = public_ip.empty() ? TRY(addresses::find_by_association(call.scope(), association))
                                         : TRY(addresses::find_by_ip(call.scope(), public_ip));
  // Repeating it is no error; a caller who names the association is told that it is gone, as EC2 does.
  if (address.association.empty()) return ec2::NoOutput{};
  TRY_VOID(addresses::disassociate(call.scope(), address.association));
  TRY_VOID(renew_public_ip(call, address.interface));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> release(Call& call, const ec2::ReleaseAddressRequest& request) {
  const auto address = TRY(named(call, request.allocation_id.value_or(""), request.public_ip.value_or("")));
  const auto group = request.network_border_group.value_or("");
  if (!group.empty() && group != call.config().region)
    return fail(Code::invalid_address_not_found, fmt::format("Address '{}' not found in network border group '{}'.",
                                                             address.public_ip, group.substr(0, 64)));
  TRY_VOID(addresses::release(call.scope(), address.allocation));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> address_actions() {
  return {action("AllocateAddress", Access::write, &allocate,
                 {.refused = {"CustomerOwnedIpv4Pool", "IpamPoolId"},
                  .only = {{"Domain", {"vpc"}}, {"PublicIpv4Pool", {pool}}}}),
          action("DescribeAddresses", Access::read, &describe),
          action("DescribeAddressesAttribute", Access::read, &describe_attribute,
                 {.only = {{"Attribute", {"domain-name"}}}}),
          action("AssociateAddress", Access::write, &associate),
          action("DisassociateAddress", Access::write, &disassociate),
          action("ReleaseAddress", Access::write, &release)};
}

}  // namespace virga::api
