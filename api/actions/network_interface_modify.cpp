#include "api/actions/network_interface_modify.h"

#include "api/actions/ids.h"
#include "api/workflows/launch_network.h"
#include "compute/instances.h"
#include "ec2/op/DeleteNetworkInterface.h"
#include "ec2/op/ModifyNetworkInterfaceAttribute.h"
#include "ec2/op/ResetNetworkInterfaceAttribute.h"
#include "network/addresses.h"
#include "network/interfaces.h"

namespace virga::api {

namespace {

using Request = ec2::ModifyNetworkInterfaceAttributeRequest;

Result<void> check_one_attribute(const Request& request) {
  const int given = (request.description ? 1 : 0) + (request.source_dest_check ? 1 : 0) +
                    (request.groups.empty() ? 0 : 1) + (request.attachment ? 1 : 0) +
                    (request.associate_public_ip_address ? 1 : 0);
  if (given == 1) return {};
  return fail(Code::invalid_parameter_combination,
              given == 0 ? "No attributes specified." : "Only one attribute may be modified in one call.");
}

Result<void> set_description(Scope& scope, const NetworkInterfaceId& id, const std::string& description) {
  TRY_VOID(check_interface_description(description));
  return network::set_description(scope, id, description);
}

Result<void> set_attachment(Scope& scope, const network::Interface& interface,
                            const ec2::NetworkInterfaceAttachmentChanges& changes) {
  if (!changes.attachment_id || !changes.delete_on_termination)
    return fail(Code::missing_parameter,
                "The request must contain Attachment.AttachmentId and Attachment.DeleteOnTermination");
  const auto attachment = TRY(NetworkInterfaceAttachmentId::parse(*changes.attachment_id));
  if (attachment != interface.attachment) return fail(attachment.not_found());
  return network::set_delete_on_termination(scope, interface.id, *changes.delete_on_termination);
}

/// The attribute is that the interface has an assigned address whenever its instance runs; it gets or loses one at
/// once.
Result<void> set_public(Call& call, const network::Interface& interface, bool wanted) {
  TRY_VOID(network::set_wants_public_ip(call.scope(), interface.id, wanted));
  if (!wanted) {
    network::release_public_ip(call.scope(), interface.id);
    return {};
  }
  if (interface.instance.empty()) return {};
  const auto instance = TRY(compute::instances::find(call.scope(), interface.instance));
  const bool is_up =
      instance.state == compute::InstanceState::pending || instance.state == compute::InstanceState::running;
  if (!is_up) return {};
  return network::assign_public_ip(call.scope(), call.config(), interface.id);
}

Result<ec2::NoOutput> modify_attribute(Call& call, const Request& request) {
  const auto id = TRY(NetworkInterfaceId::parse(request.network_interface_id.value_or("")));
  TRY_VOID(check_one_attribute(request));
  const auto interface = TRY(network::find_interface(call.scope(), id));
  if (request.description) {
    TRY_VOID(set_description(call.scope(), id, request.description->value.value_or("")));
  } else if (request.source_dest_check) {
    if (!request.source_dest_check->value) return fail(Code::missing_parameter, "SourceDestCheck.Value is missing.");
    TRY_VOID(network::set_source_dest_check(call.scope(), id, *request.source_dest_check->value));
  } else if (request.attachment) {
    TRY_VOID(set_attachment(call.scope(), interface, *request.attachment));
  } else if (request.associate_public_ip_address) {
    TRY_VOID(set_public(call, interface, *request.associate_public_ip_address));
  } else {
    const auto groups = TRY(parse_ids<SecurityGroupId>(request.groups));
    TRY_VOID(network::set_groups(call.scope(), id, groups));
  }
  return ec2::NoOutput{};
}

/// SourceDestCheck is the attribute's name, or a value that nobody reads: giving it resets the check to on.
Result<ec2::NoOutput> reset_attribute(Call& call, const ec2::ResetNetworkInterfaceAttributeRequest& request) {
  const auto id = TRY(NetworkInterfaceId::parse(request.network_interface_id.value_or("")));
  if (!request.source_dest_check) return fail(Code::missing_parameter, "The request must name an attribute to reset.");
  TRY_VOID(network::set_source_dest_check(call.scope(), id, true));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> delete_interface(Call& call, const ec2::DeleteNetworkInterfaceRequest& request) {
  const auto id = TRY(NetworkInterfaceId::parse(request.network_interface_id.value_or("")));
  TRY_VOID(network::delete_interface(call.scope(), id));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> network_interface_modify_actions() {
  return {action("ModifyNetworkInterfaceAttribute", Access::write, &modify_attribute,
                 {.refused = {"AssociatedSubnetIds", "Attachment.EnaQueueCount", "ConnectionTrackingSpecification",
                              "EnaSrdSpecification"},
                  .only = {{"Attachment.DefaultEnaQueueCount", {"true"}}, {"EnablePrimaryIpv6", {"false"}}}}),
          action("ResetNetworkInterfaceAttribute", Access::write, &reset_attribute),
          action("DeleteNetworkInterface", Access::write, &delete_interface)};
}

}  // namespace virga::api
