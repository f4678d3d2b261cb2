#include "network/internet_gateways.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/json_values.h"

#include "network/addresses.h"
#include "network/lookup.h"
#include "network/vpcs.h"

namespace virga::network::internet_gateways {

namespace {

InternetGateway gateway_of(store::Row& row) { return {row.id<InternetGatewayId>(0), row.id<VpcId>(1), row.time(2)}; }

nlohmann::json journal_of(const InternetGateway& gateway) { return {{"vpc", gateway.vpc}}; }

void set_vpc(Scope& scope, const InternetGateway& before, const VpcId& vpc) {
  auto after = before;
  after.vpc = vpc;
  scope.tx.execute("UPDATE internet_gateway SET vpc = ? WHERE account = ? AND id = ?", vpc, scope.account, before.id);
  scope.record(before.id.str(), journal_of(before), journal_of(after));
  scope.touch(DocumentKind::vpc, (vpc.empty() ? before.vpc : vpc).str());
}

}  // namespace

Result<InternetGateway> create(Scope& scope) {
  TRY_VOID(quota::charge(scope, quota::Name::internet_gateways));
  InternetGateway gateway{scope.create_resource<InternetGatewayId>().id, {}, scope.now};
  scope.tx.execute("INSERT INTO internet_gateway (id, account, created_ms) VALUES (?, ?, ?)", gateway.id, scope.account,
                   gateway.created);
  scope.record(gateway.id.str(), nullptr, journal_of(gateway));
  return gateway;
}

Result<InternetGateway> find(Scope& scope, const InternetGatewayId& id) {
  auto gateway = scope.tx.one("SELECT id, vpc, created_ms FROM internet_gateway WHERE account = ? AND id = ?",
                              gateway_of, scope.account, id);
  if (!gateway) return fail(id.not_found());
  return std::move(*gateway);
}

Result<std::vector<InternetGateway>> list(Scope& scope, const std::vector<InternetGatewayId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const InternetGatewayId& id) { return find(scope, id); });
  return scope.tx.all("SELECT id, vpc, created_ms FROM internet_gateway WHERE account = ? ORDER BY id", gateway_of,
                      scope.account);
}

Result<void> attach(Scope& scope, const InternetGatewayId& id, const VpcId& vpc) {
  const auto gateway = TRY(find(scope, id));
  TRY_VOID(vpcs::find(scope, vpc));
  if (!gateway.vpc.empty())
    return fail(Code::resource_already_associated,
                fmt::format("resource {} is already attached to network {}", id.str(), gateway.vpc.str()));
  if (scope.tx.exists("SELECT 1 FROM internet_gateway WHERE account = ? AND vpc = ?", scope.account, vpc))
    return fail(Code::invalid_parameter_value,
                fmt::format("Network {} already has an internet gateway attached", vpc.str()));
  set_vpc(scope, gateway, vpc);
  return {};
}

Result<void> detach(Scope& scope, const InternetGatewayId& id, const VpcId& vpc) {
  const auto gateway = TRY(find(scope, id));
  TRY_VOID(vpcs::find(scope, vpc));
  if (gateway.vpc != vpc)
    return fail(Code::gateway_not_attached,
                fmt::format("resource {} is not attached to network {}", id.str(), vpc.str()));
  if (const auto mapped = mapped_addresses(scope, vpc); !mapped.empty())
    return fail(
        Code::dependency_violation,
        fmt::format("Network {} has some mapped public address(es). Please unmap those public address(es) before "
                    "detaching the gateway: {}.",
                    vpc.str(), fmt::join(mapped, ", ")));
  set_vpc(scope, gateway, VpcId());
  return {};
}

Result<void> remove(Scope& scope, const InternetGatewayId& id) {
  const auto gateway = TRY(find(scope, id));
  if (!gateway.vpc.empty())
    return fail(Code::dependency_violation,
                fmt::format("The internetGateway '{}' has dependencies and cannot be deleted: it is attached to {}.",
                            id.str(), gateway.vpc.str()));
  scope.tx.execute("DELETE FROM internet_gateway WHERE account = ? AND id = ?", scope.account, id);
  scope.delete_resource(id.str());
  quota::release(scope, quota::Name::internet_gateways);
  scope.record(id.str(), journal_of(gateway), nullptr);
  return {};
}

}  // namespace virga::network::internet_gateways
