#pragma once

// Public addresses. Each stands, both ways, for one private address of a network interface; which interfaces have one
// is in the VPC's document, and hosts follow it.
//
// An elastic address belongs to its account from allocation to release, associated or not. An automatic one belongs to
// the pool: an interface that wants one has it while its instance is not stopped and no elastic address is in its
// place. Both come from `network.public_cidrs`. Which free address is taken is left to chance, so that one just given
// back is not at once someone else's.

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/scope.h"

namespace virga::network {

/// An elastic address.
struct Address {
  AllocationId allocation;
  std::string public_ip;
  AddressAssociationId association;  ///< empty, as all that follows: not associated
  NetworkInterfaceId interface;
  InstanceId instance;  ///< that the interface is attached to, if it is
  SubnetId subnet;
  VpcId vpc;
  std::string private_ip;
};

struct AssociationRequest {
  AllocationId allocation;
  NetworkInterfaceId interface;
  std::string private_ip;           ///< empty: the interface's primary one
  bool allow_reassociation = true;  ///< may end other associations of the address and of the interface
};

namespace addresses {
/// Takes `wanted`, or any free address. Errors: AddressLimitExceeded, InsufficientAddressCapacity,
/// InvalidParameterValue (`wanted` is no address), InvalidAddress.NotFound (not in the pool), InvalidIPAddress.InUse.
Result<Address> allocate(Scope& scope, const Config& config, const std::string& wanted = {});
/// Errors: InvalidAllocationID.NotFound.
Result<Address> find(Scope& scope, const AllocationId& id);
/// Errors: InvalidParameterValue (no address), InvalidAddress.NotFound.
Result<Address> find_by_ip(Scope& scope, const std::string& public_ip);
/// Errors: InvalidAssociationID.NotFound.
Result<Address> find_by_association(Scope& scope, const AddressAssociationId& id);
/// All of the account, ordered by allocation.
std::vector<Address> list(Scope& scope);
/// Errors: InvalidAllocationID.NotFound, InvalidIPAddress.InUse while associated.
Result<void> release(Scope& scope, const AllocationId& id);

/// Repeating an association answers it again. An automatic address of the interface is given back. Errors: ...NotFound
/// of either, InvalidParameterValue (not a private address of the interface), Gateway.NotAttached,
/// Resource.AlreadyAssociated.
Result<AddressAssociationId> associate(Scope& scope, const AssociationRequest& request);
/// The interface gets no automatic address by this: see assign_public_ip. Errors: InvalidAssociationID.NotFound.
Result<void> disassociate(Scope& scope, const AddressAssociationId& id);
}  // namespace addresses

/// Gives the interface an automatic address if it wants one (network_interface.wants_public_ip) and has no public
/// address. For an instance that is launched or started. Errors: InvalidNetworkInterfaceID.NotFound,
/// InsufficientAddressCapacity.
Result<void> assign_public_ip(Scope& scope, const Config& config, const NetworkInterfaceId& id);
/// Gives an automatic address back; an elastic one stays. For an instance that is stopped.
void release_public_ip(Scope& scope, const NetworkInterfaceId& id);
/// Ends all that the interface has of public addresses, which must be before the interface goes: an automatic address
/// is given back, an elastic one stays with the account.
void disassociate_all(Scope& scope, const NetworkInterfaceId& id);

/// A few of the public addresses that stand for private ones of the VPC: with one, its internet gateway cannot go.
std::vector<std::string> mapped_addresses(Scope& scope, const VpcId& vpc);
/// The VPC gives public names now, or none any more: guests with a public address are told anew.
void public_names_changed(Scope& scope, const VpcId& vpc);

/// "ec2-203-0-113-7.compute-1.amazonaws.com" in us-east-1, else "ec2-203-0-113-7.<region>.compute.amazonaws.com".
/// `internal_domain` is that of private names (network/zones.h), which tells the region.
std::string public_host_name(std::string_view public_ip, std::string_view internal_domain);

}  // namespace virga::network
