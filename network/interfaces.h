#pragma once

// Network interfaces as the other services and the workflows use them. An interface is made with its instance; when
// that is terminated it goes too, or stays behind unattached if it was told to.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::network {

struct GroupRef {
  SecurityGroupId id;
  std::string name;
};

/// A network interface row with what Describe calls show of it.
struct Interface {
  NetworkInterfaceId id;
  std::uint32_t number = 0;
  AccountId account;
  VpcId vpc;
  std::uint32_t vpc_number = 0;
  std::string vpc_cidr;
  SubnetId subnet;
  std::string subnet_cidr;
  std::string zone;
  std::string mac;
  std::string private_ip;
  std::string private_dns_name;  ///< ip-172-31-0-10.ec2.internal
  std::string description;
  bool source_dest_check = true;
  std::vector<GroupRef> groups;
  Time created;
  // Attachment
  NetworkInterfaceAttachmentId attachment;  ///< empty: not attached
  InstanceId instance;
  int device_index = 0;
  bool delete_on_termination = true;
  Time attached;
  bool wants_public_ip = false;  ///< to have an assigned public address while its instance runs
  // The public address that stands for `private_ip`; empty: none.
  std::string public_ip;
  std::string public_dns_name;  ///< ec2-203-0-113-7.compute-1.amazonaws.com; empty unless the VPC has DNS host names
  AllocationId allocation;      ///< empty: assigned by EC2, gone when the instance stops
  AddressAssociationId association;
};

struct InterfaceRequest {
  SubnetId subnet;                        ///< required
  std::optional<std::string> private_ip;  ///< else the lowest free one
  std::vector<SecurityGroupId> groups;    ///< empty: the VPC's default group
  std::string description;
  InstanceId instance;  ///< attached to it from the start
  std::string host;     ///< the host the instance is placed on
  int device_index = 0;
  bool delete_on_termination = true;
  bool wants_public_ip = false;  ///< has an automatic public address while the instance runs (addresses.h)
};

/// Where an instance goes when the caller names no subnet: the default subnet of the zone (any zone when empty).
/// Errors: MissingInput ("No subnets found for the default VPC ...") as EC2 answers, InvalidParameterValue (zone).
Result<SubnetId> default_subnet(Scope& scope, std::string_view zone);

struct SubnetPlace {
  VpcId vpc;
  std::string zone;
  bool map_public_ip_on_launch = false;
};
/// Errors: InvalidSubnetID.NotFound.
Result<SubnetPlace> subnet_place(Scope& scope, const SubnetId& subnet);

/// Ids of groups of the VPC named by name; errors: InvalidGroup.NotFound.
Result<std::vector<SecurityGroupId>> groups_by_name(Scope& scope, const VpcId& vpc,
                                                    const std::vector<std::string>& names);

/// Takes an address of the subnet and makes the interface; charges the quota, writes journal and outbox.
/// Errors: InvalidSubnetID.NotFound, InsufficientFreeAddressesInSubnet, InvalidIPAddress.InUse, InvalidParameterValue
/// (address outside the subnet or reserved), InvalidGroup.NotFound, InvalidParameterValue (group of another VPC),
/// SecurityGroupsPerInterfaceLimitExceeded.
Result<Interface> allocate_interface(Scope& scope, const InterfaceRequest& request);
/// Frees address and interface. Success if it does not exist.
Result<void> release_interface(Scope& scope, const NetworkInterfaceId& id);
/// Its instance is gone: it stays, unattached and on no host. Success if it does not exist.
void detach_interface(Scope& scope, const NetworkInterfaceId& id);
/// For the caller who no longer wants it. Errors: InvalidNetworkInterfaceID.NotFound, InvalidNetworkInterface.InUse.
Result<void> delete_interface(Scope& scope, const NetworkInterfaceId& id);

// Changes of one interface, which its host and its instance's metadata follow at once. All of them may answer
// InvalidNetworkInterfaceID.NotFound.

/// Replaces its groups. Errors: as allocate_interface has for groups.
Result<void> set_groups(Scope& scope, const NetworkInterfaceId& id, const std::vector<SecurityGroupId>& groups);
/// Off: the interface may send and receive what is not addressed to it.
Result<void> set_source_dest_check(Scope& scope, const NetworkInterfaceId& id, bool check);
Result<void> set_description(Scope& scope, const NetworkInterfaceId& id, const std::string& description);
Result<void> set_delete_on_termination(Scope& scope, const NetworkInterfaceId& id, bool delete_on_termination);
Result<void> set_wants_public_ip(Scope& scope, const NetworkInterfaceId& id, bool wanted);

/// The interfaces of an instance, by device index.
std::vector<Interface> interfaces_of(Scope& scope, const InstanceId& instance);
/// All attached interfaces of the account in one query, ordered by instance and device index.
std::vector<Interface> attached_interfaces(Scope& scope);
/// All of the account, or those named; ordered by id. Errors: InvalidNetworkInterfaceID.NotFound.
Result<std::vector<Interface>> list_interfaces(Scope& scope, const std::vector<NetworkInterfaceId>& ids = {});
/// One interface. Errors: InvalidNetworkInterfaceID.NotFound.
Result<Interface> find_interface(Scope& scope, const NetworkInterfaceId& id);

}  // namespace virga::network
