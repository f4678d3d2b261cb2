#include "network/route_tables.h"

#include <fmt/format.h>

#include <ranges>

#include "core/json_values.h"

#include "network/cidr.h"
#include "network/lookup.h"
#include "network/subnets.h"
#include "network/vpcs.h"

namespace virga::network::route_tables {

namespace {

#define VIRGA_ROUTE_TABLE_SELECT                                                           \
  "SELECT t.id, r.number, t.vpc, v.cidr FROM route_table t JOIN resource r ON r.id = t.id" \
  " JOIN vpc v ON v.id = t.vpc WHERE t.account = ?"

RouteTable table_of(store::Row& row) {
  return {.id = row.id<RouteTableId>(0),
          .number = static_cast<std::uint32_t>(row.integer(1)),
          .vpc = row.id<VpcId>(2),
          .vpc_cidr = row.text(3),
          .associations = {},
          .routes = {}};
}

nlohmann::json journal_of(const VpcId& vpc, bool main) { return {{"vpc", vpc}, {"main", main}}; }

/// A target counts as there while the gateway is attached to this VPC, or the interface exists and is attached.
std::vector<Route> routes_of(Scope& scope, const RouteTable& table) {
  return scope.tx.all(
      "SELECT o.destination, o.gateway, o.interface, i.instance, i.address, g.id"
      " FROM route o LEFT JOIN network_interface i ON i.id = o.interface AND i.account = o.account"
      " LEFT JOIN internet_gateway g ON g.id = o.gateway AND g.account = o.account AND g.vpc = ?"
      " WHERE o.account = ? AND o.route_table = ? ORDER BY o.destination",
      [](store::Row& row) {
        const bool gateway_there = !row.is_null(5);
        return Route{.destination = row.text(0),
                     .local = false,
                     .gateway = row.id<InternetGatewayId>(1),
                     .interface = row.id<NetworkInterfaceId>(2),
                     .instance = row.id<InstanceId>(3),
                     .private_ip = row.is_null(4) ? "" : to_string(static_cast<Ipv4>(row.integer(4))),
                     .active = gateway_there || !row.is_null(3)};
      },
      table.vpc, scope.account, table.id);
}

RouteTable complete(Scope& scope, RouteTable table) {
  table.associations = scope.tx.all(
      "SELECT id, subnet FROM route_table_association WHERE account = ? AND route_table = ? ORDER BY subnet",
      [](store::Row& row) {
        return RouteTable::Association{row.id<RouteTableAssociationId>(0), row.id<SubnetId>(1)};
      },
      scope.account, table.id);
  table.routes = routes_of(scope, table);
  table.routes.insert(table.routes.begin(), Route{.destination = table.vpc_cidr,
                                                  .local = true,
                                                  .gateway = {},
                                                  .interface = {},
                                                  .instance = {},
                                                  .private_ip = {},
                                                  .active = true});
  return table;
}

struct AssociationRow {
  RouteTableAssociationId id;
  VpcId vpc;
  RouteTableId table;
  SubnetId subnet;
};

nlohmann::json journal_of(const AssociationRow& association) {
  return {{"route_table", association.table}, {"subnet", association.subnet}, {"main", association.subnet.empty()}};
}

Result<AssociationRow> find_association(Scope& scope, const RouteTableAssociationId& id) {
  auto found = scope.tx.one(
      "SELECT id, vpc, route_table, subnet FROM route_table_association WHERE account = ? AND id = ?",
      [](store::Row& row) {
        return AssociationRow{row.id<RouteTableAssociationId>(0), row.id<VpcId>(1), row.id<RouteTableId>(2),
                              row.id<SubnetId>(3)};
      },
      scope.account, id);
  if (!found) return fail(id.not_found());
  return std::move(*found);
}

RouteTableAssociationId insert_association(Scope& scope, AssociationRow association) {
  association.id = RouteTableAssociationId::generate(scope.ids);
  scope.tx.execute("INSERT INTO route_table_association (id, account, vpc, route_table, subnet) VALUES (?, ?, ?, ?, ?)",
                   association.id, scope.account, association.vpc, association.table, association.subnet);
  scope.record(association.id.str(), nullptr, journal_of(association));
  scope.touch(DocumentKind::vpc, association.vpc.str());
  return association.id;
}

void delete_association(Scope& scope, const AssociationRow& association) {
  scope.tx.execute("DELETE FROM route_table_association WHERE account = ? AND id = ?", scope.account, association.id);
  scope.record(association.id.str(), journal_of(association), nullptr);
  scope.touch(DocumentKind::vpc, association.vpc.str());
}

NewResource<RouteTableId> insert_table(Scope& scope, const VpcId& vpc, bool main) {
  const auto created = scope.create_resource<RouteTableId>();
  scope.tx.execute("INSERT INTO route_table (id, account, vpc, created_ms) VALUES (?, ?, ?, ?)", created.id,
                   scope.account, vpc, scope.now);
  scope.record(created.id.str(), nullptr, journal_of(vpc, main));
  scope.touch(DocumentKind::vpc, vpc.str());
  return created;
}

void delete_table(Scope& scope, const RouteTableId& id, const VpcId& vpc, bool main) {
  scope.tx.execute("DELETE FROM route WHERE account = ? AND route_table = ?", scope.account, id);
  scope.tx.execute("DELETE FROM route_table WHERE account = ? AND id = ?", scope.account, id);
  scope.delete_resource(id.str());
  scope.record(id.str(), journal_of(vpc, main), nullptr);
  scope.touch(DocumentKind::vpc, vpc.str());
}

}  // namespace

Result<RouteTable> create(Scope& scope, const VpcId& vpc) {
  TRY_VOID(vpcs::find(scope, vpc));
  const auto limit = quota::limit(scope, quota::Name::route_tables_per_vpc);
  const auto count =
      scope.tx.number("SELECT count(*) FROM route_table WHERE account = ? AND vpc = ?", scope.account, vpc);
  if (count >= limit) return fail(quota::exceeded(quota::Name::route_tables_per_vpc, limit, count, 1));
  return find(scope, insert_table(scope, vpc, false).id);
}

Result<RouteTable> find(Scope& scope, const RouteTableId& id) {
  auto table = scope.tx.one(VIRGA_ROUTE_TABLE_SELECT " AND t.id = ?", table_of, scope.account, id);
  if (!table) return fail(id.not_found());
  return complete(scope, std::move(*table));
}

Result<RouteTable> find_main(Scope& scope, const VpcId& vpc) {
  auto table = scope.tx.one(VIRGA_ROUTE_TABLE_SELECT
                            " AND t.id = (SELECT route_table FROM route_table_association"
                            "  WHERE vpc = ? AND subnet IS NULL)",
                            table_of, scope.account, vpc);
  if (!table) return fail(vpc.not_found());
  return complete(scope, std::move(*table));
}

Result<std::vector<RouteTable>> list(Scope& scope, const std::vector<RouteTableId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const RouteTableId& id) { return find(scope, id); });
  auto tables = scope.tx.all(VIRGA_ROUTE_TABLE_SELECT " ORDER BY t.id", table_of, scope.account);
  for (auto& table : tables) table = complete(scope, std::move(table));
  return tables;
}

Result<void> remove(Scope& scope, const RouteTableId& id) {
  const auto table = TRY(find(scope, id));
  std::vector<std::string> uses;
  for (const auto& association : table.associations | std::views::take(5))
    uses.push_back(association.subnet.empty() ? "the main route table of " + table.vpc.str()
                                              : "associated with " + association.subnet.str());
  if (!uses.empty())
    return fail(Code::dependency_violation,
                fmt::format("The routeTable '{}' has dependencies and cannot be deleted: it is {}.", id.str(),
                            fmt::join(uses, ", ")));
  delete_table(scope, id, table.vpc, false);
  return {};
}

Result<RouteTableAssociationId> associate(Scope& scope, const RouteTableId& id, const SubnetId& subnet) {
  const auto table = TRY(find(scope, id));
  const auto target = TRY(subnets::find(scope, subnet));
  if (table.vpc != target.vpc)
    return fail(Code::invalid_parameter_value,
                fmt::format("Route table {} and subnet {} belong to different networks", id.str(), subnet.str()));
  if (scope.tx.exists("SELECT 1 FROM route_table_association WHERE account = ? AND subnet = ?", scope.account, subnet))
    return fail(
        Code::resource_already_associated,
        fmt::format("the specified association for route table {} conflicts with an existing association", id.str()));
  return insert_association(scope, {{}, table.vpc, id, subnet});
}

Result<void> disassociate(Scope& scope, const RouteTableAssociationId& id) {
  const auto association = TRY(find_association(scope, id));
  if (association.subnet.empty())
    return fail(Code::invalid_parameter_value,
                fmt::format("cannot disassociate the main route table association {}", id.str()));
  delete_association(scope, association);
  return {};
}

Result<RouteTableAssociationId> replace_association(Scope& scope, const RouteTableAssociationId& id,
                                                    const RouteTableId& table) {
  const auto association = TRY(find_association(scope, id));
  const auto target = TRY(find(scope, table));
  if (target.vpc != association.vpc)
    return fail(Code::invalid_parameter_value,
                fmt::format("Route table {} and association {} belong to different networks", table.str(), id.str()));
  delete_association(scope, association);
  return insert_association(scope, {{}, association.vpc, table, association.subnet});
}

void create_main(Scope& scope, const VpcId& vpc) {
  insert_association(scope, {{}, vpc, insert_table(scope, vpc, true).id, {}});
}

void remove_main(Scope& scope, const VpcId& vpc) {
  const auto id = scope.tx.one(
      "SELECT id FROM route_table_association WHERE account = ? AND vpc = ? AND subnet IS NULL",
      [](store::Row& row) { return row.id<RouteTableAssociationId>(0); }, scope.account, vpc);
  if (!id) return;
  const auto association = find_association(scope, *id);
  if (!association) return;
  delete_association(scope, *association);
  delete_table(scope, association->table, vpc, true);
}

void forget_subnet(Scope& scope, const SubnetId& subnet) {
  const auto id = scope.tx.one(
      "SELECT id FROM route_table_association WHERE account = ? AND subnet = ?",
      [](store::Row& row) { return row.id<RouteTableAssociationId>(0); }, scope.account, subnet);
  if (!id) return;
  if (const auto association = find_association(scope, *id)) delete_association(scope, *association);
}

}  // namespace virga::network::route_tables
