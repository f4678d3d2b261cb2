#include "compute/key_pairs.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

namespace virga::compute::key_pairs {

namespace {

constexpr std::size_t max_name = 255;

KeyPair from_row(store::Row& row) {
  return {row.id<KeyPairId>(0), row.text(1), row.text(2) == "rsa" ? KeyType::rsa : KeyType::ed25519,
          row.text(3),          row.text(4), row.time(5)};
}

}  // namespace

Result<void> check_name(const std::string& name) {
  const auto printable = [](unsigned char c) { return c >= 0x20 && c < 0x7f; };
  const bool good = !name.empty() && name.size() <= max_name && std::ranges::all_of(name, printable) &&
                    name.front() != ' ' && name.back() != ' ';
  if (good) return {};
  return fail(Code::invalid_parameter_value,
              "Invalid value for KeyName: up to 255 ASCII characters, without leading or trailing spaces.");
}

Result<KeyPair> add(Scope& scope, const std::string& name, const PublicKey& key) {
  TRY_VOID(check_name(name));
  if (scope.tx.exists("SELECT 1 FROM key_pair WHERE account = ? AND name = ?", scope.account, name))
    return fail(Code::invalid_key_pair_duplicate, fmt::format("The keypair already exists: '{}'", name));
  TRY_VOID(quota::charge(scope, quota::Name::key_pairs));
  const auto made = scope.create_resource<KeyPairId>();
  scope.tx.execute(
      "INSERT INTO key_pair (id, account, name, type, fingerprint, public_key, created_ms) VALUES (?, ?, ?, ?, ?, ?, "
      "?)",
      made.id, scope.account, name, to_string(key.type), key.fingerprint, key.line, scope.now);
  scope.record(made.id.str(), nullptr, {{"name", name}, {"fingerprint", key.fingerprint}});
  return KeyPair{made.id, name, key.type, key.fingerprint, key.line, scope.now};
}

Result<KeyPair> find(Scope& scope, const std::string& name) {
  auto found = scope.tx.one(
      "SELECT id, name, type, fingerprint, public_key, created_ms FROM key_pair WHERE account = ? AND name = ?",
      from_row, scope.account, name);
  if (!found)
    return fail(Code::invalid_key_pair_not_found,
                fmt::format("The key pair '{}' does not exist", name.substr(0, max_name)));
  return *std::move(found);
}

Result<KeyPair> find(Scope& scope, const KeyPairId& id) {
  auto found = scope.tx.one(
      "SELECT id, name, type, fingerprint, public_key, created_ms FROM key_pair WHERE account = ? AND id = ?", from_row,
      scope.account, id);
  if (!found) return fail(id.not_found());
  return *std::move(found);
}

std::vector<KeyPair> list(Scope& scope) {
  return scope.tx.all(
      "SELECT id, name, type, fingerprint, public_key, created_ms FROM key_pair WHERE account = ? ORDER BY id",
      from_row, scope.account);
}

void remove(Scope& scope, const KeyPair& pair) {
  scope.tx.execute("DELETE FROM key_pair WHERE account = ? AND id = ?", scope.account, pair.id);
  quota::release(scope, quota::Name::key_pairs);
  scope.record(pair.id.str(), {{"name", pair.name}, {"fingerprint", pair.fingerprint}}, nullptr);
  scope.delete_resource(pair.id.str());
}

}  // namespace virga::compute::key_pairs
