#include "network/interfaces.h"

#include <fmt/format.h>

#include <map>

#include "network/addresses.h"
#include "network/cidr.h"
#include "network/lookup.h"
#include "network/zones.h"

namespace virga::network {

namespace {

#define VIRGA_INTERFACE_SELECT                                                                             \
  "SELECT i.id, r.number, i.account, i.vpc, p.number, v.cidr, i.subnet, s.cidr, s.zone, i.mac, i.address," \
  " i.description, i.source_dest_check, i.created_ms, i.attachment, i.instance, i.device_index,"           \
  " i.delete_on_termination, i.attached_ms, d.domain, i.wants_public_ip, v.dns_hostnames, a.address,"      \
  " a.allocation, a.association FROM network_interface i JOIN resource r ON r.id = i.id"                   \
  " JOIN vpc v ON v.id = i.vpc JOIN resource p ON p.id = i.vpc JOIN subnet s ON s.id = i.subnet"           \
  " JOIN dhcp_options d ON d.id = v.dhcp_options"                                                          \
  " LEFT JOIN public_address a ON a.interface = i.id AND a.private_address = i.address WHERE i.account = ?"

void show_public_address(store::Row& row, Interface& interface) {
  interface.wants_public_ip = row.boolean(20);
  if (row.is_null(22)) return;
  interface.public_ip = to_string(static_cast<Ipv4>(row.integer(22)));
  if (row.boolean(21)) interface.public_dns_name = public_host_name(interface.public_ip, row.text(19));
  interface.allocation = row.id<AllocationId>(23);
  interface.association = row.id<AddressAssociationId>(24);
}

Interface interface_of(store::Row& row) {
  Interface interface;
  interface.id = row.id<NetworkInterfaceId>(0);
  interface.number = static_cast<std::uint32_t>(row.integer(1));
  interface.account = AccountId::trusted(row.text(2));
  interface.vpc = row.id<VpcId>(3);
  interface.vpc_number = static_cast<std::uint32_t>(row.integer(4));
  interface.vpc_cidr = row.text(5);
  interface.subnet = row.id<SubnetId>(6);
  interface.subnet_cidr = row.text(7);
  interface.zone = row.text(8);
  interface.mac = row.text(9);
  interface.private_ip = to_string(static_cast<Ipv4>(row.integer(10)));
  interface.private_dns_name = host_name_of(interface.private_ip) + "." + row.text(19);
  interface.description = row.text(11);
  interface.source_dest_check = row.boolean(12);
  interface.created = row.time(13);
  interface.attachment = row.id<NetworkInterfaceAttachmentId>(14);
  interface.instance = row.id<InstanceId>(15);
  interface.device_index = row.int32(16);
  interface.delete_on_termination = row.boolean(17);
  interface.attached = row.time(18);
  show_public_address(row, interface);
  return interface;
}

std::vector<GroupRef> groups_of(Scope& scope, const NetworkInterfaceId& id) {
  return scope.tx.all(
      "SELECT g.id, g.name FROM network_interface_group m JOIN security_group g ON g.id = m.group_id"
      " WHERE g.account = ? AND m.interface = ? ORDER BY m.position",
      [](store::Row& row) {
        return GroupRef{row.id<SecurityGroupId>(0), row.text(1)};
      },
      scope.account, id);
}

/// The groups of all of the account's interfaces in one query, for lists.
std::vector<Interface> with_groups(Scope& scope, std::vector<Interface> interfaces) {
  std::map<NetworkInterfaceId, std::vector<GroupRef>> groups;
  scope.tx.for_each(
      "SELECT m.interface, g.id, g.name FROM network_interface_group m JOIN security_group g ON g.id = m.group_id"
      " WHERE g.account = ? ORDER BY m.interface, m.position",
      [&](store::Row& row) {
        groups[row.id<NetworkInterfaceId>(0)].push_back({row.id<SecurityGroupId>(1), row.text(2)});
      },
      scope.account);
  for (auto& interface : interfaces) interface.groups = groups[interface.id];
  return interfaces;
}

}  // namespace

std::vector<Interface> interfaces_of(Scope& scope, const InstanceId& instance) {
  auto interfaces = scope.tx.all(VIRGA_INTERFACE_SELECT " AND i.instance = ? ORDER BY i.device_index", interface_of,
                                 scope.account, instance);
  for (auto& interface : interfaces) interface.groups = groups_of(scope, interface.id);
  return interfaces;
}

std::vector<Interface> attached_interfaces(Scope& scope) {
  return with_groups(
      scope, scope.tx.all(VIRGA_INTERFACE_SELECT " AND i.instance IS NOT NULL ORDER BY i.instance, i.device_index",
                          interface_of, scope.account));
}

Result<std::vector<Interface>> list_interfaces(Scope& scope, const std::vector<NetworkInterfaceId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const NetworkInterfaceId& id) { return find_interface(scope, id); });
  return with_groups(scope, scope.tx.all(VIRGA_INTERFACE_SELECT " ORDER BY i.id", interface_of, scope.account));
}

Result<Interface> find_interface(Scope& scope, const NetworkInterfaceId& id) {
  auto interface = scope.tx.one(VIRGA_INTERFACE_SELECT " AND i.id = ?", interface_of, scope.account, id);
  if (!interface) return fail(id.not_found());
  interface->groups = groups_of(scope, id);
  return std::move(*interface);
}

}  // namespace virga::network
