// Making and freeing network interfaces: an address of the subnet, a MAC address, the groups.

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

#include "core/assert.h"
#include "network/addresses.h"
#include "network/cidr.h"
#include "network/interfaces.h"
#include "network/lookup.h"
#include "network/security_groups.h"
#include "network/subnets.h"

namespace virga::network {

namespace {

nlohmann::json journal_of(const Interface& interface) {
  std::vector<SecurityGroupId> groups;
  for (const auto& group : interface.groups) groups.push_back(group.id);
  return {{"subnet", interface.subnet},
          {"private_ip", interface.private_ip},
          {"mac", interface.mac},
          {"groups", groups},
          {"instance", interface.instance},
          {"device_index", interface.device_index},
          {"description", interface.description},
          {"source_dest_check", interface.source_dest_check},
          {"delete_on_termination", interface.delete_on_termination},
          {"wants_public_ip", interface.wants_public_ip}};
}

struct Usable {
  Ipv4 first;
  Ipv4 last;
};

Usable usable(const Subnet& subnet) {
  const auto block = Cidr4::parse(subnet.cidr);
  VIRGA_ASSERT(block.has_value());
  return {block->base + reserved_at_start, block->last() - reserved_at_end};
}

Result<Ipv4> lowest_free(Scope& scope, const Subnet& subnet) {
  const auto range = usable(subnet);
  Ipv4 candidate = range.first;
  scope.tx.for_each(
      "SELECT address FROM network_interface WHERE account = ? AND subnet = ? ORDER BY address",
      [&](store::Row& row) {
        if (static_cast<Ipv4>(row.integer(0)) != candidate) return false;
        ++candidate;
        return true;
      },
      scope.account, subnet.id);
  if (candidate > range.last)
    return fail(Code::insufficient_free_addresses_in_subnet,
                fmt::format("The specified subnet '{}' does not have enough free addresses to satisfy the request.",
                            subnet.id.str()));
  return candidate;
}

Result<Ipv4> requested_address(Scope& scope, const Subnet& subnet, const std::string& text) {
  const auto address = parse_ipv4(text);
  if (!address) return fail(Code::invalid_parameter_value, fmt::format("Invalid IPv4 address: '{}'", shown(text)));
  const auto block = Cidr4::parse(subnet.cidr);
  if (!block || !block->contains(*address))
    return fail(Code::invalid_parameter_value,
                fmt::format("Address {} does not fall within the subnet's address range", to_string(*address)));
  const auto range = usable(subnet);
  if (*address < range.first || *address > range.last)
    return fail(Code::invalid_parameter_value,
                fmt::format("Address {} is in subnet's reserved address range", to_string(*address)));
  if (scope.tx.exists("SELECT 1 FROM network_interface WHERE account = ? AND subnet = ? AND address = ?", scope.account,
                      subnet.id, *address))
    return fail(Code::invalid_ip_address_in_use, fmt::format("Address {} is in use.", to_string(*address)));
  return *address;
}

/// Locally administered, from ten of the id's random digits. All MAC addresses of the store differ, so that no two
/// ports of a bridge can meet; 02:00:00:00:00:01 is every subnet's gateway.
std::string mac_of(Scope& scope, const NetworkInterfaceId& id) {
  std::string digits = id.str().substr(NetworkInterfaceId::prefix.size());
  while (true) {
    const std::string_view d = digits;
    auto mac = fmt::format("02:{}:{}:{}:{}:{}", d.substr(0, 2), d.substr(2, 2), d.substr(4, 2), d.substr(6, 2),
                           d.substr(8, 2));
    if (mac != "02:00:00:00:00:01" && !scope.tx.exists("SELECT 1 FROM network_interface WHERE mac = ?", mac))
      return mac;
    digits = scope.ids.hex17();
  }
}

Result<std::vector<SecurityGroupId>> checked_groups(Scope& scope, const VpcId& vpc,
                                                    std::vector<SecurityGroupId> groups) {
  if (groups.empty()) return groups_by_name(scope, vpc, {std::string(default_group_name)});
  std::vector<SecurityGroupId> distinct;
  for (const auto& id : groups)
    if (std::ranges::find(distinct, id) == distinct.end()) distinct.push_back(id);
  for (const auto& id : distinct)
    if (TRY(security_groups::find(scope, id)).vpc != vpc)
      return fail(Code::invalid_parameter_value,
                  fmt::format("Security group {} and the subnet belong to different networks.", id.str()));
  const auto limit = quota::limit(scope, quota::Name::security_groups_per_interface);
  const auto count = static_cast<std::int64_t>(distinct.size());
  if (count > limit) return fail(quota::exceeded(quota::Name::security_groups_per_interface, limit, 0, count));
  return distinct;
}

void insert(Scope& scope, const NetworkInterfaceId& id, const InterfaceRequest& request, const Subnet& subnet,
            Ipv4 address) {
  const bool attached = !request.instance.empty();
  const auto attachment = attached ? NetworkInterfaceAttachmentId::generate(scope.ids) : NetworkInterfaceAttachmentId();
  scope.tx.execute(
      "INSERT INTO network_interface (id, account, vpc, subnet, address, mac, description, source_dest_check, "
      "created_ms,"
      " attachment, instance, host, device_index, delete_on_termination, attached_ms, wants_public_ip)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
      id, scope.account, subnet.vpc, subnet.id, address, mac_of(scope, id), request.description, scope.now, attachment,
      request.instance, attached ? std::optional(request.host) : std::nullopt, request.device_index,
      request.delete_on_termination, scope.now, request.wants_public_ip);
}

void put_groups(Scope& scope, const NetworkInterfaceId& id, const std::vector<SecurityGroupId>& groups) {
  int position = 0;
  for (const auto& group : groups)
    scope.tx.execute("INSERT INTO network_interface_group (interface, group_id, position) VALUES (?, ?, ?)", id, group,
                     position++);
}

/// After a change of `before`: journal, and anew the documents of the VPC (rules) and of the instance (metadata).
Result<void> changed(Scope& scope, const Interface& before) {
  const auto after = TRY(find_interface(scope, before.id));
  scope.record(before.id.str(), journal_of(before), journal_of(after));
  scope.touch(DocumentKind::vpc, before.vpc.str());
  if (!before.instance.empty()) scope.touch(DocumentKind::instance, before.instance.str());
  return {};
}

}  // namespace

Result<Interface> allocate_interface(Scope& scope, const InterfaceRequest& request) {
  const auto subnet = TRY(subnets::find(scope, request.subnet));
  const auto groups = TRY(checked_groups(scope, subnet.vpc, request.groups));
  const auto address =
      request.private_ip ? TRY(requested_address(scope, subnet, *request.private_ip)) : TRY(lowest_free(scope, subnet));
  TRY_VOID(quota::charge(scope, quota::Name::network_interfaces));
  const auto id = scope.create_resource<NetworkInterfaceId>().id;
  insert(scope, id, request, subnet, address);
  put_groups(scope, id, groups);
  auto interface = TRY(find_interface(scope, id));
  scope.record(id.str(), nullptr, journal_of(interface));
  scope.touch(DocumentKind::vpc, subnet.vpc.str());
  return interface;
}

Result<void> release_interface(Scope& scope, const NetworkInterfaceId& id) {
  const auto interface = find_interface(scope, id);
  if (!interface) return {};
  disassociate_all(scope, id);
  scope.tx.execute("DELETE FROM network_interface WHERE account = ? AND id = ?", scope.account, id);
  scope.delete_resource(id.str());
  quota::release(scope, quota::Name::network_interfaces);
  scope.record(id.str(), journal_of(*interface), nullptr);
  scope.touch(DocumentKind::vpc, interface->vpc.str());
  return {};
}

void detach_interface(Scope& scope, const NetworkInterfaceId& id) {
  const auto before = find_interface(scope, id);
  if (!before) return;
  scope.tx.execute(
      "UPDATE network_interface SET attachment = NULL, instance = NULL, host = NULL, device_index = 0"
      " WHERE account = ? AND id = ?",
      scope.account, id);
  const auto noted = changed(scope, *before);
  VIRGA_ASSERT(noted.has_value());
}

Result<void> delete_interface(Scope& scope, const NetworkInterfaceId& id) {
  const auto interface = TRY(find_interface(scope, id));
  if (!interface.attachment.empty())
    return fail(Code::invalid_network_interface_in_use,
                fmt::format("Network interface '{}' is currently in use: it is attached to {}.", id.str(),
                            interface.instance.str()));
  return release_interface(scope, id);
}

Result<void> set_groups(Scope& scope, const NetworkInterfaceId& id, const std::vector<SecurityGroupId>& groups) {
  const auto before = TRY(find_interface(scope, id));
  const auto checked = TRY(checked_groups(scope, before.vpc, groups));
  scope.tx.execute("DELETE FROM network_interface_group WHERE interface = ?", before.id);
  put_groups(scope, id, checked);
  return changed(scope, before);
}

Result<void> set_source_dest_check(Scope& scope, const NetworkInterfaceId& id, bool check) {
  const auto before = TRY(find_interface(scope, id));
  scope.tx.execute("UPDATE network_interface SET source_dest_check = ? WHERE account = ? AND id = ?", check,
                   scope.account, id);
  return changed(scope, before);
}

Result<void> set_description(Scope& scope, const NetworkInterfaceId& id, const std::string& description) {
  const auto before = TRY(find_interface(scope, id));
  scope.tx.execute("UPDATE network_interface SET description = ? WHERE account = ? AND id = ?", description,
                   scope.account, id);
  return changed(scope, before);
}

Result<void> set_delete_on_termination(Scope& scope, const NetworkInterfaceId& id, bool delete_on_termination) {
  const auto before = TRY(find_interface(scope, id));
  scope.tx.execute("UPDATE network_interface SET delete_on_termination = ? WHERE account = ? AND id = ?",
                   delete_on_termination, scope.account, id);
  return changed(scope, before);
}

Result<void> set_wants_public_ip(Scope& scope, const NetworkInterfaceId& id, bool wanted) {
  const auto before = TRY(find_interface(scope, id));
  scope.tx.execute("UPDATE network_interface SET wants_public_ip = ? WHERE account = ? AND id = ?", wanted,
                   scope.account, id);
  return changed(scope, before);
}

}  // namespace virga::network
