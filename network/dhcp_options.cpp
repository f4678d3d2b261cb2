#include "network/dhcp_options.h"

#include "core/json_values.h"

#include "network/lookup.h"
#include "network/zones.h"

namespace virga::network::dhcp_options {

namespace {
DhcpOptions options_of(store::Row& row) { return {row.id<DhcpOptionsId>(0), row.text(1)}; }
}  // namespace

DhcpOptions of_account(Scope& scope, const Config& config) {
  if (auto existing = scope.tx.one("SELECT id, domain FROM dhcp_options WHERE account = ?", options_of, scope.account))
    return std::move(*existing);
  const auto created = scope.create_resource<DhcpOptionsId>();
  DhcpOptions options{created.id, internal_domain(config.region)};
  scope.tx.execute("INSERT INTO dhcp_options (id, account, domain, created_ms) VALUES (?, ?, ?, ?)", options.id,
                   scope.account, options.domain, scope.now);
  scope.record(options.id.str(), nullptr, {{"domain_name", options.domain}});
  return options;
}

Result<DhcpOptions> find(Scope& scope, const DhcpOptionsId& id) {
  auto found =
      scope.tx.one("SELECT id, domain FROM dhcp_options WHERE account = ? AND id = ?", options_of, scope.account, id);
  if (!found) return fail(id.not_found());
  return std::move(*found);
}

Result<std::vector<DhcpOptions>> list(Scope& scope, const std::vector<DhcpOptionsId>& ids) {
  if (!ids.empty()) return find_each(ids, [&](const DhcpOptionsId& id) { return find(scope, id); });
  return scope.tx.all("SELECT id, domain FROM dhcp_options WHERE account = ? ORDER BY id", options_of, scope.account);
}

}  // namespace virga::network::dhcp_options
