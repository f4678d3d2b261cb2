#include "network/subnets.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include "core/assert.h"
#include "network/cidr.h"
#include "network/interfaces.h"
#include "network/lookup.h"
#include "network/route_tables.h"
#include "network/vpcs.h"
#include "network/zones.h"

namespace virga::network {

namespace {

constexpr int largest_subnet = 16;  // prefix lengths
constexpr int smallest_subnet = 28;

nlohmann::json journal_of(const Subnet& subnet) {
  return {{"vpc", subnet.vpc},
          {"cidr", subnet.cidr},
          {"zone", subnet.zone},
          {"default", subnet.is_default},
          {"map_public_ip", subnet.map_public_ip}};
}

#define VIRGA_SUBNET_SELECT                                                                                 \
  "SELECT s.id, r.number, s.vpc, s.cidr, s.zone, s.zone_id, s.is_default, s.acl_association, s.created_ms," \
  " (SELECT count(*) FROM network_interface i WHERE i.subnet = s.id), s.map_public_ip"                      \
  " FROM subnet s JOIN resource r ON r.id = s.id WHERE s.account = ?"

Subnet subnet_of(store::Row& row) {
  return {.id = row.id<SubnetId>(0),
          .number = static_cast<std::uint32_t>(row.integer(1)),
          .vpc = row.id<VpcId>(2),
          .cidr = row.text(3),
          .zone = row.text(4),
          .zone_id = row.text(5),
          .is_default = row.boolean(6),
          .acl_association = row.id<NetworkAclAssociationId>(7),
          .map_public_ip = row.boolean(10),
          .used = row.integer(9),
          .created = row.time(8)};
}

Result<Zone> checked_zone(const Config& config, const std::string& name) {
  if (name.empty()) return zones(config).front();
  if (auto zone = zone_by_name(config, name)) return std::move(*zone);
  return fail(Code::invalid_parameter_value,
              fmt::format("Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be created "
                          "in the following availability zones: {}.",
                          shown(name), fmt::join(config.zone_names(), ", ")));
}

Result<Cidr4> checked_block(Scope& scope, const Vpc& vpc, const std::string& text) {
  const auto block = Cidr4::parse(text);
  if (!block)
    return fail(
        Code::invalid_parameter_value,
        fmt::format("Value ({}) for parameter cidrBlock is invalid. This is not a valid CIDR block.", shown(text)));
  if (block->prefix < largest_subnet || block->prefix > smallest_subnet ||
      !Cidr4::parse(vpc.cidr).value_or(Cidr4{}).contains(*block))
    return fail(Code::invalid_subnet_range, fmt::format("The CIDR '{}' is invalid.", block->str()));
  const auto others = scope.tx.all(
      "SELECT cidr FROM subnet WHERE account = ? AND vpc = ?",
      [](store::Row& row) { return Cidr4::parse(row.text(0)); }, scope.account, vpc.id);
  for (const auto& other : others)
    if (other && other->overlaps(*block))
      return fail(Code::invalid_subnet_conflict,
                  fmt::format("The CIDR '{}' conflicts with another subnet", block->str()));
  const auto limit = quota::limit(scope, quota::Name::subnets_per_vpc);
  const auto count = static_cast<std::int64_t>(others.size());
  if (count >= limit) return fail(quota::exceeded(quota::Name::subnets_per_vpc, limit, count, 1));
  return *block;
}

}  // namespace

std::int64_t Subnet::available() const {
  const auto block = Cidr4::parse(cidr);
  VIRGA_ASSERT(block.has_value());
  return static_cast<std::int64_t>(block->size()) - reserved_at_start - reserved_at_end - used;
}

namespace subnets {

Result<Subnet> create(Scope& scope, const Config& config, const SubnetRequest& request) {
  const auto vpc = TRY(vpcs::find(scope, request.vpc));
  const auto zone = TRY(checked_zone(config, request.zone));
  const auto block = TRY(checked_block(scope, vpc, request.cidr));
  const auto created = scope.create_resource<SubnetId>();
  Subnet subnet{.id = created.id,
                .number = created.number,
                .vpc = vpc.id,
                .cidr = block.str(),
                .zone = zone.name,
                .zone_id = zone.id,
                .is_default = request.is_default,
                .acl_association = NetworkAclAssociationId::generate(scope.ids),
                .map_public_ip = request.is_default,
                .used = 0,
                .created = scope.now};
  scope.tx.execute(
      "INSERT INTO subnet (id, account, vpc, cidr, zone, zone_id, is_default, acl_association,"
      " created_ms, map_public_ip) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      subnet.id, scope.account, subnet.vpc, subnet.cidr, subnet.zone, subnet.zone_id, subnet.is_default,
      subnet.acl_association, subnet.created, subnet.map_public_ip);
  scope.record(subnet.id.str(), nullptr, journal_of(subnet));
  scope.touch(DocumentKind::vpc, vpc.id.str());
  return subnet;
}

Result<Subnet> find(Scope& scope, const SubnetId& id) {
  auto subnet = scope.tx.one(VIRGA_SUBNET_SELECT " AND s.id = ?", subnet_of, scope.account, id);
  if (!subnet) return fail(id.not_found());
  return std::move(*subnet);
}

Result<std::vector<Subnet>> list(Scope& scope, const std::vector<SubnetId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const SubnetId& id) { return find(scope, id); });
  return scope.tx.all(VIRGA_SUBNET_SELECT " ORDER BY s.id", subnet_of, scope.account);
}

Result<void> set_map_public_ip(Scope& scope, const SubnetId& id, bool map) {
  const auto before = TRY(find(scope, id));
  auto after = before;
  after.map_public_ip = map;
  scope.tx.execute("UPDATE subnet SET map_public_ip = ? WHERE account = ? AND id = ?", map, scope.account, id);
  scope.record(id.str(), journal_of(before), journal_of(after));
  return {};
}

Result<void> remove(Scope& scope, const SubnetId& id) {
  const auto subnet = TRY(find(scope, id));
  const auto left = scope.tx.all(
      "SELECT id FROM network_interface WHERE account = ? AND subnet = ? ORDER BY id LIMIT 5",
      [](store::Row& row) { return row.text(0); }, scope.account, id);
  if (!left.empty())
    return fail(Code::dependency_violation, fmt::format("The subnet '{}' has dependencies and cannot be deleted: {}.",
                                                        id.str(), fmt::join(left, ", ")));
  route_tables::forget_subnet(scope, id);
  scope.tx.execute("DELETE FROM subnet WHERE account = ? AND id = ?", scope.account, id);
  scope.delete_resource(id.str());
  scope.record(id.str(), journal_of(subnet), nullptr);
  scope.touch(DocumentKind::vpc, subnet.vpc.str());
  return {};
}

}  // namespace subnets

Result<SubnetPlace> subnet_place(Scope& scope, const SubnetId& subnet) {
  const auto found = TRY(subnets::find(scope, subnet));
  return SubnetPlace{found.vpc, found.zone, found.map_public_ip};
}

Result<SubnetId> default_subnet(Scope& scope, std::string_view zone) {
  const auto vpc = vpcs::find_default(scope);
  if (!vpc)
    return fail(Code::missing_input,
                "No default VPC for this user: create one with CreateDefaultVpc, or name a subnet.");
  auto defaults = scope.tx.all(VIRGA_SUBNET_SELECT " AND s.vpc = ? AND s.is_default = 1 ORDER BY s.zone", subnet_of,
                               scope.account, vpc->id);
  if (defaults.empty())
    return fail(Code::missing_input,
                fmt::format("No subnets found for the default VPC '{}'. Please specify a subnet.", vpc->id.str()));
  if (!zone.empty()) {
    for (const auto& subnet : defaults)
      if (subnet.zone == zone) return subnet.id;
    return fail(Code::invalid_parameter_value,
                fmt::format("Invalid availability zone, or one without a default subnet: [{}]", shown(zone)));
  }
  // A full zone is passed over while another one has room; when all are full, the address allocation says so.
  for (const auto& subnet : defaults)
    if (subnet.available() > 0) return subnet.id;
  return defaults.front().id;
}

}  // namespace virga::network
