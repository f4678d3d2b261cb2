// What ties public addresses to network interfaces: elastic ones at the caller's word, automatic ones by themselves.

#include <fmt/format.h>
#include "core/json_values.h"

#include "core/assert.h"
#include "network/address_pool.h"
#include "network/addresses.h"
#include "network/interfaces.h"
#include "network/lookup.h"

namespace virga::network {

namespace {

/// A public address that an interface has now.
struct Held {
  Ipv4 address;
  AllocationId allocation;  ///< empty: automatic
  AddressAssociationId association;
  NetworkInterfaceId interface;
  Ipv4 private_address;
};

Held held_of(store::Row& row) {
  return {.address = static_cast<Ipv4>(row.integer(0)),
          .allocation = row.id<AllocationId>(1),
          .association = row.id<AddressAssociationId>(2),
          .interface = row.id<NetworkInterfaceId>(3),
          .private_address = static_cast<Ipv4>(row.integer(4))};
}

std::vector<Held> held_by(Scope& scope, const NetworkInterfaceId& interface) {
  return scope.tx.all(
      "SELECT address, allocation, association, interface, private_address FROM public_address"
      " WHERE account = ? AND interface = ? ORDER BY address",
      held_of, scope.account, interface);
}

nlohmann::json journal_of(const Held& held) {
  return {{"public_ip", to_string(held.address)},
          {"interface", held.interface},
          {"private_ip", to_string(held.private_address)},
          {"association", held.association}};
}

/// The hosts translate anew, and the guest is told by its metadata.
void touch(Scope& scope, const NetworkInterfaceId& id) {
  const auto interface = find_interface(scope, id);
  if (!interface) return;
  scope.touch(DocumentKind::vpc, interface->vpc.str());
  if (!interface->instance.empty()) scope.touch(DocumentKind::instance, interface->instance.str());
}

void end(Scope& scope, const Held& held) {
  if (held.allocation.empty()) {
    scope.tx.execute("DELETE FROM public_address WHERE account = ? AND address = ?", scope.account, held.address);
    scope.record(held.interface.str(), journal_of(held), nlohmann::json{{"public_ip", nullptr}});
  } else {
    scope.tx.execute(
        "UPDATE public_address SET interface = NULL, private_address = NULL, association = NULL"
        " WHERE account = ? AND address = ?",
        scope.account, held.address);
    scope.record(held.allocation.str(), journal_of(held), {{"public_ip", to_string(held.address)}});
  }
  touch(scope, held.interface);
}

Result<Ipv4> private_address_of(const Interface& interface, const std::string& wanted) {
  const auto primary = parse_ipv4(interface.private_ip);
  VIRGA_ASSERT(primary.has_value());
  if (wanted.empty()) return *primary;
  const auto address = parse_ipv4(wanted);
  if (!address) return fail(Code::invalid_parameter_value, fmt::format("Invalid IPv4 address: '{}'", shown(wanted)));
  if (*address != *primary)
    return fail(Code::invalid_parameter_value,
                fmt::format("{} is not a private address of {}.", to_string(*address), interface.id.str()));
  return *address;
}

Error already_associated(std::string_view resource, const AddressAssociationId& association) {
  return {Code::resource_already_associated,
          fmt::format("resource {} is already associated with associate-id {}", resource, association.str()),
          {}};
}

/// Ends what stands in the way of an association: that of the address elsewhere, and of other addresses with the place.
Result<void> make_room(Scope& scope, const AssociationRequest& request, const Address& address, Ipv4 private_address) {
  const auto others = held_by(scope, request.interface);
  if (!request.allow_reassociation) {
    if (!address.association.empty()) return fail(already_associated(request.allocation.str(), address.association));
    for (const auto& other : others)
      if (!other.allocation.empty() && other.private_address == private_address)
        return fail(already_associated(request.interface.str(), other.association));
  }
  if (!address.association.empty()) TRY_VOID(addresses::disassociate(scope, address.association));
  for (const auto& other : held_by(scope, request.interface))
    if (other.private_address == private_address) end(scope, other);
  return {};
}

}  // namespace

namespace addresses {

Result<AddressAssociationId> associate(Scope& scope, const AssociationRequest& request) {
  const auto address = TRY(find(scope, request.allocation));
  const auto interface = TRY(find_interface(scope, request.interface));
  const auto private_address = TRY(private_address_of(interface, request.private_ip));
  if (address.interface == request.interface && address.private_ip == to_string(private_address))
    return address.association;
  if (!scope.tx.exists("SELECT 1 FROM internet_gateway WHERE account = ? AND vpc = ?", scope.account, interface.vpc))
    return fail(Code::gateway_not_attached,
                fmt::format("Network {} is not attached to any internet gateway", interface.vpc.str()));
  TRY_VOID(make_room(scope, request, address, private_address));
  auto association = AddressAssociationId::generate(scope.ids);
  scope.tx.execute(
      "UPDATE public_address SET interface = ?, private_address = ?, association = ?"
      " WHERE account = ? AND allocation = ?",
      request.interface, private_address, association, scope.account, request.allocation);
  scope.record(request.allocation.str(), {{"public_ip", address.public_ip}},
               {{"public_ip", address.public_ip},
                {"interface", request.interface},
                {"private_ip", to_string(private_address)},
                {"association", association}});
  touch(scope, request.interface);
  return association;
}

Result<void> disassociate(Scope& scope, const AddressAssociationId& id) {
  // An automatic address has an association too, but no caller ever learns its id.
  const auto held = scope.tx.one(
      "SELECT address, allocation, association, interface, private_address FROM public_address"
      " WHERE account = ? AND association = ? AND allocation IS NOT NULL",
      held_of, scope.account, id);
  if (!held) return fail(id.not_found());
  end(scope, *held);
  return {};
}

}  // namespace addresses

Result<void> assign_public_ip(Scope& scope, const Config& config, const NetworkInterfaceId& id) {
  const auto interface = TRY(find_interface(scope, id));
  const bool wants = scope.tx.exists(
      "SELECT 1 FROM network_interface WHERE account = ? AND id = ? AND wants_public_ip = 1", scope.account, id);
  if (!wants || !held_by(scope, id).empty()) return {};
  const auto address = TRY(address_pool::any(scope, config));
  const auto private_address = TRY(private_address_of(interface, {}));
  const Held held{.address = address,
                  .allocation = {},
                  .association = AddressAssociationId::generate(scope.ids),
                  .interface = id,
                  .private_address = private_address};
  scope.tx.execute(
      "INSERT INTO public_address (address, account, interface, private_address, association, created_ms)"
      " VALUES (?, ?, ?, ?, ?, ?)",
      held.address, scope.account, id, held.private_address, held.association, scope.now);
  scope.record(id.str(), nlohmann::json{{"public_ip", nullptr}}, journal_of(held));
  touch(scope, id);
  return {};
}

void release_public_ip(Scope& scope, const NetworkInterfaceId& id) {
  for (const auto& held : held_by(scope, id))
    if (held.allocation.empty()) end(scope, held);
}

void disassociate_all(Scope& scope, const NetworkInterfaceId& id) {
  for (const auto& held : held_by(scope, id)) end(scope, held);
}

std::vector<std::string> mapped_addresses(Scope& scope, const VpcId& vpc) {
  return scope.tx.all(
      "SELECT a.address FROM public_address a JOIN network_interface i ON i.id = a.interface"
      " WHERE a.account = ? AND i.vpc = ? ORDER BY a.address LIMIT 5",
      [](store::Row& row) { return to_string(static_cast<Ipv4>(row.integer(0))); }, scope.account, vpc);
}

void public_names_changed(Scope& scope, const VpcId& vpc) {
  const auto instances = scope.tx.all(
      "SELECT DISTINCT i.instance FROM public_address a JOIN network_interface i ON i.id = a.interface"
      " WHERE a.account = ? AND i.vpc = ? AND i.instance IS NOT NULL",
      [](store::Row& row) { return row.text(0); }, scope.account, vpc);
  for (const auto& instance : instances) scope.touch(DocumentKind::instance, instance);
}

}  // namespace virga::network
