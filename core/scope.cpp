#include "core/scope.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>

#include "core/assert.h"

namespace virga {

namespace {
constexpr std::array<std::string_view, 5> kind_names = {"vpc", "volume", "image", "instance", "snapshot"};

std::optional<std::string> dumped(const nlohmann::json& json) {
  if (json.is_null()) return std::nullopt;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
}  // namespace

std::string_view to_string(DocumentKind kind) { return kind_names.at(static_cast<std::size_t>(kind)); }

std::optional<DocumentKind> parse_document_kind(std::string_view text) {
  for (std::size_t i = 0; i < kind_names.size(); ++i)
    if (kind_names.at(i) == text) return static_cast<DocumentKind>(i);
  return std::nullopt;
}

std::optional<std::uint32_t> Scope::insert_resource(const std::string& id, std::string_view type) {
  const auto inserted =
      tx.execute("INSERT INTO resource (id, account, type, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                 id, account, type, now);
  if (inserted == 0) return std::nullopt;
  const auto number = tx.last_insert_rowid();
  VIRGA_ASSERT(number > 0 && number <= 0xffff'ffff);
  return static_cast<std::uint32_t>(number);
}

void Scope::delete_resource(std::string_view id) {
  tx.execute("DELETE FROM resource WHERE id = ? AND account = ?", id, account);
}

void Scope::record(std::string_view resource_id, const nlohmann::json& before, const nlohmann::json& after) {
  tx.execute(
      "INSERT INTO journal (time_ms, account, actor, action, request_id, resource_id, before, after)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      now, account, actor, action, request_id, resource_id, dumped(before), dumped(after));
}

void Scope::touch(DocumentKind kind, std::string_view id) {
  tx.execute("INSERT INTO outbox (kind, id) VALUES (?, ?) ON CONFLICT DO NOTHING", to_string(kind), id);
  tx.wake_reconcilers();
}

std::optional<std::string> resource_type(Scope& scope, std::string_view id) {
  return scope.tx.one(
      "SELECT type FROM resource WHERE id = ? AND account = ?", [](store::Row& row) { return row.text(0); }, id,
      scope.account);
}

namespace tags {

namespace {
constexpr std::int64_t max_tags = 50;
constexpr std::size_t max_key = 127;
constexpr std::size_t max_value = 256;

/// Length in code points: EC2 counts characters, not bytes.
std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const unsigned char c : text) count += (c & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

Result<void> check(std::string_view key, std::string_view value) {
  if (key.empty() || characters(key) > max_key)
    return fail(Code::invalid_parameter_value, "Tag keys have 1 to 127 characters.");
  if (key.starts_with("aws:"))
    return fail(Code::invalid_parameter_value,
                "Tag keys starting with 'aws:' are reserved for internal use.");
  if (characters(value) > max_value)
    return fail(Code::invalid_parameter_value, "Tag value exceeds the maximum length of 256 characters.");
  return {};
}
}  // namespace

Result<void> put(Scope& scope, std::string_view resource_id, const Tags& tags) {
  for (const auto& [key, value] : tags) {
    TRY_VOID(check(key, value));
    scope.tx.execute(
        "INSERT INTO tag (resource_id, key, value, account) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (resource_id, key) DO UPDATE SET value = excluded.value",
        resource_id, key, value, scope.account);
  }
  if (scope.tx.number("SELECT count(*) FROM tag WHERE resource_id = ?", resource_id) > max_tags)
    return fail(Code::tag_limit_exceeded, "More than 50 tags on one resource are not allowed.");
  return {};
}

void remove(Scope& scope, std::string_view resource_id, std::string_view key, const std::optional<std::string>& value) {
  scope.tx.execute("DELETE FROM tag WHERE account = ? AND resource_id = ? AND key = ? AND value = coalesce(?, value)",
                   scope.account, resource_id, key, value);
}

void remove_all(Scope& scope, std::string_view resource_id) {
  scope.tx.execute("DELETE FROM tag WHERE account = ? AND resource_id = ?", scope.account, resource_id);
}

Tags of(Scope& scope, std::string_view resource_id) {
  Tags tags;
  scope.tx.for_each(
      "SELECT key, value FROM tag WHERE account = ? AND resource_id = ?",
      [&](store::Row& row) { tags.emplace(row.text(0), row.text(1)); }, scope.account, resource_id);
  return tags;
}

std::vector<Attached> list(Scope& scope) {
  return scope.tx.all(
      "SELECT t.resource_id, r.type, t.key, t.value FROM tag t JOIN resource r ON r.id = t.resource_id"
      " WHERE t.account = ? ORDER BY t.resource_id, t.key",
      [](store::Row& row) { return Attached{row.text(0), row.text(1), row.text(2), row.text(3)}; }, scope.account);
}

}  // namespace tags

namespace quota {

namespace {
struct Definition {
  Name name;
  std::string_view text;
  std::int64_t limit;
  Code code;
};
/// Default limits: AWS's own where a private cloud can carry them.
constexpr std::array definitions = {
    Definition{Name::instances, "instances", 1000, Code::instance_limit_exceeded},
    Definition{Name::vcpus, "vcpus", 4000, Code::vcpu_limit_exceeded},
    Definition{Name::images, "images", 1000, Code::resource_limit_exceeded},
    Definition{Name::key_pairs, "key-pairs", 5000, Code::key_pair_limit_exceeded},
    Definition{Name::volumes, "volumes", 5000, Code::volume_limit_exceeded},
    Definition{Name::volume_gib, "volume-gib", 51200, Code::max_storage_exceeded},
    Definition{Name::vpcs, "vpcs", 50, Code::vpc_limit_exceeded},
    Definition{Name::subnets_per_vpc, "subnets-per-vpc", 200, Code::subnet_limit_exceeded},
    Definition{Name::internet_gateways, "internet-gateways", 50, Code::internet_gateway_limit_exceeded},
    Definition{Name::route_tables_per_vpc, "route-tables-per-vpc", 200, Code::route_table_limit_exceeded},
    Definition{Name::routes_per_table, "routes-per-table", 500, Code::route_limit_exceeded},
    Definition{Name::security_groups, "security-groups", 2500, Code::security_group_limit_exceeded},
    Definition{Name::rules_per_security_group, "rules-per-security-group", 60,
               Code::rules_per_security_group_limit_exceeded},
    Definition{Name::security_groups_per_interface, "security-groups-per-interface", 5,
               Code::security_groups_per_interface_limit_exceeded},
    Definition{Name::network_interfaces, "network-interfaces", 5000, Code::resource_limit_exceeded},
    Definition{Name::addresses, "addresses", 50, Code::address_limit_exceeded},
    Definition{Name::snapshots, "snapshots", 10000, Code::snapshot_limit_exceeded},
};

const Definition& definition(Name name) {
  const auto& found = definitions.at(static_cast<std::size_t>(name));
  VIRGA_ASSERT(found.name == name);
  return found;
}
}  // namespace

std::string_view to_string(Name name) { return definition(name).text; }

std::optional<Name> parse(std::string_view text) {
  for (const auto& candidate : definitions)
    if (candidate.text == text) return candidate.name;
  return std::nullopt;
}

std::int64_t limit(Scope& scope, Name name) {
  const auto stored = scope.tx.one(
      "SELECT max_value FROM quota WHERE account = ? AND name = ?",
      [](store::Row& row) { return row.optional_integer(0); }, scope.account, to_string(name));
  return stored.value_or(std::nullopt).value_or(definition(name).limit);
}

std::int64_t used(Scope& scope, Name name) {
  return scope.tx.number("SELECT used FROM quota WHERE account = ? AND name = ?", scope.account, to_string(name));
}

Error exceeded(Name name, std::int64_t limit, std::int64_t used, std::int64_t requested) {
  return {definition(name).code,
          fmt::format("You have requested more {} than your account may have: limit {}, in use {}, requested {}. "
                      "Delete some, or ask the operator for a higher quota.",
                      to_string(name), limit, used, requested),
          {}};
}

Result<void> charge(Scope& scope, Name name, std::int64_t amount) {
  const auto max = limit(scope, name);
  const auto now_used = used(scope, name);
  if (amount > max - now_used) return fail(exceeded(name, max, now_used, amount));
  scope.tx.execute(
      "INSERT INTO quota (account, name, used) VALUES (?, ?, ?)"
      " ON CONFLICT (account, name) DO UPDATE SET used = used + excluded.used",
      scope.account, to_string(name), amount);
  return {};
}

void release(Scope& scope, Name name, std::int64_t amount) {
  scope.tx.execute("UPDATE quota SET used = max(used - ?, 0) WHERE account = ? AND name = ?", amount, scope.account,
                   to_string(name));
}

void set_limit(Scope& scope, Name name, std::int64_t limit) {
  scope.tx.execute(
      "INSERT INTO quota (account, name, max_value) VALUES (?, ?, ?)"
      " ON CONFLICT (account, name) DO UPDATE SET max_value = excluded.max_value",
      scope.account, to_string(name), limit);
}

}  // namespace quota

}  // namespace virga
