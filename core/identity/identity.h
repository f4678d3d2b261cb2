#pragma once

// Accounts, users and access keys. Secrets are sealed at rest with the master key file (0600) next to the database.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"

namespace virga::identity {

enum class Role { administrator, operator_, read_only };
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view text);

/// A key with all that authentication needs to know of its owner.
struct AccessKey {
  std::string id;       ///< AKIA...
  std::string secret;   ///< plain; never logged, never stored so
  std::int64_t version = 1;
  bool active = true;
  AccountId account;
  std::string user_name;
  std::string user_id;  ///< AIDA...
  std::string arn;      ///< arn:aws:iam::123456789012:user/NAME
  Role role = Role::administrator;
};

/// Port: where authentication finds keys. Read per request, so that a disabled key stops working at once.
class KeySource {
 public:
  virtual ~KeySource() = default;
  /// Nothing: no such key.
  virtual Result<std::optional<AccessKey>> find_access_key(const std::string& id) = 0;
};

/// Seals secrets with a key file that is made on first use.
class Sealer {
 public:
  static Result<std::unique_ptr<Sealer>> open(const std::string& key_file);
  virtual ~Sealer() = default;
  virtual std::string seal(std::string_view secret) = 0;
  /// Errors: internal (wrong master key, damaged).
  virtual Result<std::string> unseal(std::string_view sealed) = 0;
};

struct Account {
  AccountId id;
  std::string name;
  Time created;
};

/// Makes an account with a random twelve-digit id. Errors: EntityAlreadyExists (name).
Result<Account> create_account(store::Transaction& tx, IdSource& ids, Time now, const std::string& name);
std::vector<Account> list_accounts(store::Transaction& tx);
/// By id or by name.
Result<Account> find_account(store::Transaction& tx, const std::string& id_or_name);

struct User {
  std::string name;
  std::string user_id;
  std::string arn;
  Role role = Role::administrator;
  Time created;
};
/// Errors: EntityAlreadyExists, ValidationError (name).
Result<User> create_user(Scope& scope, const std::string& name, Role role);
std::vector<User> list_users(Scope& scope);

/// The secret is in the result and nowhere else. At most two keys a user (LimitExceeded as ResourceLimitExceeded).
Result<AccessKey> create_access_key(Scope& scope, Sealer& sealer, const std::string& user_name);
/// Keys without their secrets.
std::vector<AccessKey> list_access_keys(Scope& scope, const std::string& user_name);
Result<void> set_access_key_active(Scope& scope, const std::string& key_id, bool active);
Result<void> delete_access_key(Scope& scope, const std::string& key_id);

/// The KeySource over the store.
std::unique_ptr<KeySource> make_key_source(store::Store& store, Sealer& sealer);

}  // namespace virga::identity
