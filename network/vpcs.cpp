#include "network/vpcs.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <array>

#include "network/addresses.h"
#include "network/cidr.h"
#include "network/dhcp_options.h"
#include "network/internet_gateways.h"
#include "network/lookup.h"
#include "network/network_acls.h"
#include "network/route_tables.h"
#include "network/security_groups.h"
#include "network/subnets.h"
#include "network/zones.h"

namespace virga::network {

namespace {

constexpr int largest_vpc = 16;  // prefix lengths
constexpr int smallest_vpc = 28;

/// Blocks no VPC may touch: they mean something else to every guest (this host, loopback, link-local with the metadata
/// service, multicast and beyond).
constexpr std::array reserved_blocks = {Cidr4{0x00000000, 8}, Cidr4{0x7f000000, 8}, Cidr4{0xa9fe0000, 16},
                                        Cidr4{0xe0000000, 3}};

nlohmann::json journal_of(const Vpc& vpc) {
  return {{"cidr", vpc.cidr},
          {"default", vpc.is_default},
          {"dns_support", vpc.dns_support},
          {"dns_hostnames", vpc.dns_hostnames},
          {"usage_metrics", vpc.usage_metrics},
          {"dhcp_options", vpc.dhcp_options}};
}

Result<Cidr4> checked_block(const std::string& text) {
  const auto block = Cidr4::parse(text);
  if (!block)
    return fail(
        Code::invalid_parameter_value,
        fmt::format("Value ({}) for parameter cidrBlock is invalid. This is not a valid CIDR block.", shown(text)));
  if (block->prefix < largest_vpc || block->prefix > smallest_vpc ||
      std::ranges::any_of(reserved_blocks, [&](const Cidr4& reserved) { return reserved.overlaps(*block); }))
    return fail(Code::invalid_vpc_range, fmt::format("The CIDR '{}' is invalid.", block->str()));
  return *block;
}

#define VIRGA_VPC_SELECT                                                                                          \
  "SELECT v.id, r.number, v.cidr, v.is_default, v.dns_support, v.dns_hostnames, v.usage_metrics, v.dhcp_options," \
  " v.cidr_association, d.domain, v.created_ms"                                                                   \
  " FROM vpc v JOIN resource r ON r.id = v.id JOIN dhcp_options d ON d.id = v.dhcp_options WHERE v.account = ?"

Vpc vpc_of(store::Row& row) {
  return {.id = row.id<VpcId>(0),
          .number = static_cast<std::uint32_t>(row.integer(1)),
          .cidr = row.text(2),
          .is_default = row.boolean(3),
          .dns_support = row.boolean(4),
          .dns_hostnames = row.boolean(5),
          .usage_metrics = row.boolean(6),
          .dhcp_options = row.id<DhcpOptionsId>(7),
          .cidr_association = row.id<VpcCidrAssociationId>(8),
          .domain = row.text(9),
          .created = row.time(10)};
}

/// What keeps a VPC from being deleted: everything in it that did not come with it. A few of them, for the message.
std::vector<std::string> dependents(Scope& scope, const VpcId& vpc) {
  return scope.tx.all(
      "SELECT id FROM (SELECT id, vpc, account FROM network_interface"
      " UNION ALL SELECT id, vpc, account FROM subnet"
      " UNION ALL SELECT id, vpc, account FROM internet_gateway"
      " UNION ALL SELECT id, vpc, account FROM security_group WHERE name <> 'default'"
      " UNION ALL SELECT id, vpc, account FROM route_table t WHERE NOT EXISTS"
      "  (SELECT 1 FROM route_table_association a WHERE a.route_table = t.id AND a.subnet IS NULL))"
      " WHERE vpc = ? AND account = ? LIMIT 5",
      [](store::Row& row) { return row.text(0); }, vpc, scope.account);
}

}  // namespace

namespace vpcs {

Result<Vpc> create(Scope& scope, const Config& config, const VpcRequest& request) {
  const auto block = TRY(checked_block(request.cidr));
  TRY_VOID(quota::charge(scope, quota::Name::vpcs));
  const auto options = dhcp_options::of_account(scope, config);
  const auto created = scope.create_resource<VpcId>();
  Vpc vpc{.id = created.id,
          .number = created.number,
          .cidr = block.str(),
          .is_default = request.is_default,
          .dns_support = true,
          .dns_hostnames = request.dns_hostnames,
          .usage_metrics = false,
          .dhcp_options = options.id,
          .cidr_association = VpcCidrAssociationId::generate(scope.ids),
          .domain = options.domain,
          .created = scope.now};
  scope.tx.execute(
      "INSERT INTO vpc (id, account, cidr, is_default, dns_support, dns_hostnames, usage_metrics, dhcp_options,"
      " cidr_association, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      vpc.id, scope.account, vpc.cidr, vpc.is_default, vpc.dns_support, vpc.dns_hostnames, vpc.usage_metrics,
      vpc.dhcp_options, vpc.cidr_association, vpc.created);
  scope.record(vpc.id.str(), nullptr, journal_of(vpc));
  network_acls::create_default(scope, vpc.id);
  route_tables::create_main(scope, vpc.id);
  TRY_VOID(security_groups::create_default(scope, vpc.id));
  scope.touch(DocumentKind::vpc, vpc.id.str());
  return vpc;
}

Result<Vpc> find(Scope& scope, const VpcId& id) {
  auto vpc = scope.tx.one(VIRGA_VPC_SELECT " AND v.id = ?", vpc_of, scope.account, id);
  if (!vpc) return fail(id.not_found());
  return std::move(*vpc);
}

std::optional<Vpc> find_default(Scope& scope) {
  return scope.tx.one(VIRGA_VPC_SELECT " AND v.is_default = 1", vpc_of, scope.account);
}

Result<std::vector<Vpc>> list(Scope& scope, const std::vector<VpcId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const VpcId& id) { return find(scope, id); });
  return scope.tx.all(VIRGA_VPC_SELECT " ORDER BY v.id", vpc_of, scope.account);
}

Result<void> modify(Scope& scope, const VpcId& id, const VpcAttributes& attributes) {
  const auto before = TRY(find(scope, id));
  auto after = before;
  after.dns_support = attributes.dns_support.value_or(before.dns_support);
  after.dns_hostnames = attributes.dns_hostnames.value_or(before.dns_hostnames);
  after.usage_metrics = attributes.usage_metrics.value_or(before.usage_metrics);
  scope.tx.execute("UPDATE vpc SET dns_support = ?, dns_hostnames = ?, usage_metrics = ? WHERE account = ? AND id = ?",
                   after.dns_support, after.dns_hostnames, after.usage_metrics, scope.account, id);
  scope.record(id.str(), journal_of(before), journal_of(after));
  scope.touch(DocumentKind::vpc, id.str());
  if (after.dns_hostnames != before.dns_hostnames) public_names_changed(scope, id);
  return {};
}

Result<void> remove(Scope& scope, const VpcId& id) {
  const auto vpc = TRY(find(scope, id));
  if (const auto left = dependents(scope, id); !left.empty())
    return fail(Code::dependency_violation, fmt::format("The vpc '{}' has dependencies and cannot be deleted: {}.",
                                                        id.str(), fmt::join(left, ", ")));
  security_groups::remove_default(scope, id);
  route_tables::remove_main(scope, id);
  network_acls::remove_default(scope, id);
  scope.tx.execute("DELETE FROM vpc WHERE account = ? AND id = ?", scope.account, id);
  scope.delete_resource(id.str());
  quota::release(scope, quota::Name::vpcs);
  scope.record(id.str(), journal_of(vpc), nullptr);
  scope.touch(DocumentKind::vpc, id.str());
  return {};
}

}  // namespace vpcs

Result<Vpc> create_default_vpc(Scope& scope, const Config& config) {
  constexpr Cidr4 block{0xac1f0000, 16};
  constexpr int subnet_prefix = 20;
  constexpr std::size_t most_subnets = 1 << (subnet_prefix - block.prefix);
  if (vpcs::find_default(scope))
    return fail(Code::default_vpc_already_exists, "A Default VPC already exists for this account in this region.");
  auto vpc = TRY(vpcs::create(scope, config, {.cidr = block.str(), .is_default = true, .dns_hostnames = true}));
  Cidr4 part{block.base, subnet_prefix};
  std::size_t made = 0;
  for (const auto& zone : zones(config)) {
    if (made++ == most_subnets) break;
    TRY_VOID(
        subnets::create(scope, config, {.vpc = vpc.id, .cidr = part.str(), .zone = zone.name, .is_default = true}));
    part.base += static_cast<Ipv4>(part.size());
  }
  const auto gateway = TRY(internet_gateways::create(scope));
  TRY_VOID(internet_gateways::attach(scope, gateway.id, vpc.id));
  const auto main = TRY(route_tables::find_main(scope, vpc.id));
  TRY_VOID(routes::create(scope, main.id, "0.0.0.0/0", {.gateway = gateway.id.str()}));
  return vpc;
}

}  // namespace virga::network
