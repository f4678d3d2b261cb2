#include "core/identity/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace virga::identity {

namespace {

constexpr std::array<std::string_view, 3> role_names = {"administrator", "operator", "read-only"};
constexpr std::int64_t max_keys_per_user = 2;  // as in IAM

std::string user_arn(const AccountId& account, std::string_view name) {
  return fmt::format("arn:aws:iam::{}:user/{}", account.str(), name);
}

/// `length` characters of `alphabet`, each uniformly drawn.
std::string random_text(IdSource& ids, std::string_view alphabet, std::size_t length) {
  const std::uint64_t usable = ~std::uint64_t{0} - ~std::uint64_t{0} % alphabet.size();
  std::string text;
  while (text.size() < length)
    if (const auto draw = ids.next(); draw < usable) text += alphabet[draw % alphabet.size()];
  return text;
}
constexpr std::string_view base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Result<void> check_name(std::string_view name) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@-_";  // IAM's
  if (name.empty() || name.size() > 64 || name.find_first_not_of(allowed) != std::string_view::npos)
    return fail(Code::validation_error, "A name has 1 to 64 letters, digits or characters of +=,.@-_");
  return {};
}

}  // namespace

std::string_view to_string(Role role) { return role_names.at(static_cast<std::size_t>(role)); }

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::ranges::find(role_names, text);
  if (found == role_names.end()) return std::nullopt;
  return static_cast<Role>(found - role_names.begin());
}

Result<Account> create_account(store::Transaction& tx, IdSource& ids, Time now, const std::string& name) {
  TRY_VOID(check_name(name));
  if (tx.exists("SELECT 1 FROM account WHERE name = ?", name))
    return fail(Code::account_already_exists, fmt::format("An account named '{}' exists already.", name));
  while (true) {
    const auto id = AccountId::trusted(fmt::format("{:012}", ids.next() % 900'000'000'000 + 100'000'000'000));
    if (tx.execute("INSERT INTO account (id, name, created_ms) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", id, name,
                   now) == 1)
      return Account{id, name, now};
  }
}

namespace {
Account to_account(store::Row& row) { return {AccountId::trusted(row.text(0)), row.text(1), row.time(2)}; }
}  // namespace

std::vector<Account> list_accounts(store::Transaction& tx) {
  return tx.all("SELECT id, name, created_ms FROM account ORDER BY created_ms, id", to_account);
}

Result<Account> find_account(store::Transaction& tx, const std::string& id_or_name) {
  auto found = tx.one("SELECT id, name, created_ms FROM account WHERE id = ? OR name = ?", to_account, id_or_name,
                      id_or_name);
  if (!found)
    return fail(Code::account_not_found,
                fmt::format("There is no account '{}'; see 'virga account list'.", id_or_name.substr(0, 64)));
  return *found;
}

Result<User> create_user(Scope& scope, const std::string& name, Role role) {
  TRY_VOID(check_name(name));
  if (scope.tx.exists("SELECT 1 FROM iam_user WHERE account = ? AND name = ?", scope.account, name))
    return fail(Code::account_already_exists, fmt::format("User with name {} already exists.", name));
  User user{name, "AIDA" + random_text(scope.ids, base32, 17), user_arn(scope.account, name), role, scope.now};
  scope.tx.execute("INSERT INTO iam_user (account, name, user_id, role, created_ms) VALUES (?, ?, ?, ?, ?)",
                   scope.account, name, user.user_id, to_string(role), scope.now);
  scope.record(user.arn, nullptr, {{"user", name}, {"role", to_string(role)}});
  return user;
}

std::vector<User> list_users(Scope& scope) {
  return scope.tx.all(
      "SELECT name, user_id, role, created_ms FROM iam_user WHERE account = ? ORDER BY name",
      [&](store::Row& row) {
        return User{row.text(0), row.text(1), user_arn(scope.account, row.text(0)),
                    parse_role(row.text(2)).value_or(Role::read_only), row.time(3)};
      },
      scope.account);
}

Result<AccessKey> create_access_key(Scope& scope, Sealer& sealer, const std::string& user_name) {
  const auto user = scope.tx.one(
      "SELECT user_id, role FROM iam_user WHERE account = ? AND name = ?",
      [](store::Row& row) { return std::pair(row.text(0), row.text(1)); }, scope.account, user_name);
  if (!user) return fail(Code::account_not_found, fmt::format("The user with name {} cannot be found.", user_name));
  if (scope.tx.number("SELECT count(*) FROM access_key WHERE account = ? AND user_name = ?", scope.account, user_name) >=
      max_keys_per_user)
    return fail(Code::resource_limit_exceeded, "A user has at most two access keys; delete one first.");
  AccessKey key;
  key.id = "AKIA" + random_text(scope.ids, base32, 16);
  key.secret = random_text(scope.ids, base64, 40);
  key.account = scope.account;
  key.user_name = user_name;
  key.user_id = user->first;
  key.arn = user_arn(scope.account, user_name);
  key.role = parse_role(user->second).value_or(Role::read_only);
  scope.tx.execute(
      "INSERT INTO access_key (id, account, user_name, sealed_secret, created_ms) VALUES (?, ?, ?, ?, ?)", key.id,
      scope.account, user_name, sealer.seal(key.secret), scope.now);
  scope.record(key.id, nullptr, {{"user", user_name}, {"active", true}});
  return key;
}

std::vector<AccessKey> list_access_keys(Scope& scope, const std::string& user_name) {
  return scope.tx.all(
      "SELECT k.id, k.version, k.active, u.user_id, u.role FROM access_key k"
      " JOIN iam_user u ON u.account = k.account AND u.name = k.user_name"
      " WHERE k.account = ? AND k.user_name = ? ORDER BY k.created_ms, k.id",
      [&](store::Row& row) {
        return AccessKey{row.text(0),   {},        row.integer(1), row.boolean(2), scope.account, user_name,
                         row.text(3), user_arn(scope.account, user_name), parse_role(row.text(4)).value_or(Role::read_only)};
      },
      scope.account, user_name);
}

Result<void> set_access_key_active(Scope& scope, const std::string& key_id, bool active) {
  // The version makes cached signing keys of before the change unusable.
  if (scope.tx.execute("UPDATE access_key SET active = ?, version = version + 1 WHERE account = ? AND id = ?", active,
                       scope.account, key_id) == 0)
    return fail(Code::account_not_found, fmt::format("The Access Key with id {} cannot be found.", key_id.substr(0, 64)));
  scope.record(key_id, {{"active", !active}}, {{"active", active}});
  return {};
}

Result<void> delete_access_key(Scope& scope, const std::string& key_id) {
  if (scope.tx.execute("DELETE FROM access_key WHERE account = ? AND id = ?", scope.account, key_id) == 0)
    return fail(Code::account_not_found, fmt::format("The Access Key with id {} cannot be found.", key_id.substr(0, 64)));
  scope.record(key_id, {{"deleted", false}}, nullptr);
  return {};
}

namespace {

class StoreKeySource final : public KeySource {
 public:
  StoreKeySource(store::Store& store, Sealer& sealer) : store_(store), sealer_(sealer) {}

  Result<std::optional<AccessKey>> find_access_key(const std::string& id) override {
    std::string sealed;
    auto key = TRY(store_.read([&](store::Transaction& tx) -> Result<std::optional<AccessKey>> {
      return tx.one(
          "SELECT k.id, k.version, k.active, k.account, k.user_name, u.user_id, u.role, k.sealed_secret"
          " FROM access_key k JOIN iam_user u ON u.account = k.account AND u.name = k.user_name WHERE k.id = ?",
          [&](store::Row& row) {
            sealed = row.text(7);
            const auto account = AccountId::trusted(row.text(3));
            return AccessKey{row.text(0), {},          row.integer(1),
                             row.boolean(2), account,  row.text(4),
                             row.text(5), user_arn(account, row.text(4)), parse_role(row.text(6)).value_or(Role::read_only)};
          },
          id);
    }));
    if (key) key->secret = TRY(sealer_.unseal(sealed));
    return key;
  }

 private:
  store::Store& store_;
  Sealer& sealer_;
};

}  // namespace

std::unique_ptr<KeySource> make_key_source(store::Store& store, Sealer& sealer) {
  return std::make_unique<StoreKeySource>(store, sealer);
}

}  // namespace virga::identity
