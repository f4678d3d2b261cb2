#include "network/addresses.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

#include "network/address_pool.h"
#include "network/lookup.h"

namespace virga::network {

namespace {

#define VIRGA_ADDRESS_SELECT                                                                     \
  "SELECT a.allocation, a.address, a.association, a.interface, i.instance, i.subnet, i.vpc,"     \
  " a.private_address FROM public_address a LEFT JOIN network_interface i ON i.id = a.interface" \
  " WHERE a.account = ? AND a.allocation IS NOT NULL"

Address address_of(store::Row& row) {
  return {.allocation = row.id<AllocationId>(0),
          .public_ip = to_string(static_cast<Ipv4>(row.integer(1))),
          .association = row.id<AddressAssociationId>(2),
          .interface = row.id<NetworkInterfaceId>(3),
          .instance = row.id<InstanceId>(4),
          .subnet = row.id<SubnetId>(5),
          .vpc = row.id<VpcId>(6),
          .private_ip = row.is_null(7) ? "" : to_string(static_cast<Ipv4>(row.integer(7)))};
}

Result<Ipv4> parsed(const std::string& text) {
  const auto address = parse_ipv4(text);
  if (!address) return fail(Code::invalid_parameter_value, fmt::format("Invalid IPv4 address: '{}'", shown(text)));
  return *address;
}

}  // namespace

namespace addresses {

Result<Address> allocate(Scope& scope, const Config& config, const std::string& wanted) {
  std::optional<Ipv4> one;
  if (!wanted.empty()) one = TRY(parsed(wanted));
  TRY_VOID(quota::charge(scope, quota::Name::addresses));
  const auto address = one ? TRY(address_pool::exactly(scope, config, *one)) : TRY(address_pool::any(scope, config));
  const auto id = scope.create_resource<AllocationId>().id;
  scope.tx.execute("INSERT INTO public_address (address, account, allocation, created_ms) VALUES (?, ?, ?, ?)", address,
                   scope.account, id, scope.now);
  scope.record(id.str(), nullptr, {{"public_ip", to_string(address)}});
  return find(scope, id);
}

Result<Address> find(Scope& scope, const AllocationId& id) {
  auto address = scope.tx.one(VIRGA_ADDRESS_SELECT " AND a.allocation = ?", address_of, scope.account, id);
  if (!address) return fail(id.not_found());
  return std::move(*address);
}

Result<Address> find_by_ip(Scope& scope, const std::string& public_ip) {
  const auto number = TRY(parsed(public_ip));
  auto address = scope.tx.one(VIRGA_ADDRESS_SELECT " AND a.address = ?", address_of, scope.account, number);
  if (!address) return fail(Code::invalid_address_not_found, fmt::format("Address '{}' not found.", to_string(number)));
  return std::move(*address);
}

Result<Address> find_by_association(Scope& scope, const AddressAssociationId& id) {
  auto address = scope.tx.one(VIRGA_ADDRESS_SELECT " AND a.association = ?", address_of, scope.account, id);
  if (!address) return fail(id.not_found());
  return std::move(*address);
}

std::vector<Address> list(Scope& scope) {
  return scope.tx.all(VIRGA_ADDRESS_SELECT " ORDER BY a.allocation", address_of, scope.account);
}

Result<void> release(Scope& scope, const AllocationId& id) {
  const auto address = TRY(find(scope, id));
  if (!address.association.empty())
    return fail(Code::invalid_ip_address_in_use, fmt::format("Address {} is in use: it is associated with {}.",
                                                             address.public_ip, address.interface.str()));
  scope.tx.execute("DELETE FROM public_address WHERE account = ? AND allocation = ?", scope.account, id);
  scope.delete_resource(id.str());
  quota::release(scope, quota::Name::addresses);
  scope.record(id.str(), {{"public_ip", address.public_ip}}, nullptr);
  return {};
}

}  // namespace addresses

std::string public_host_name(std::string_view public_ip, std::string_view internal_domain) {
  std::string dashed(public_ip);
  std::ranges::replace(dashed, '.', '-');
  // What stands before ".compute.internal" is the region; the oldest region's names are of another form.
  constexpr std::string_view suffix = ".compute.internal";
  if (!internal_domain.ends_with(suffix)) return fmt::format("ec2-{}.compute-1.amazonaws.com", dashed);
  internal_domain.remove_suffix(suffix.size());
  return fmt::format("ec2-{}.{}.compute.amazonaws.com", dashed, internal_domain);
}

}  // namespace virga::network
