#pragma once

// What a change is made on behalf of: the transaction, the account it belongs to, the time, and who asked.
// Service functions take a Scope&; every query they make is bound to scope.account.

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/store/store.h"
#include "core/time.h"

namespace virga {

/// Things hosts are told about; see table `outbox`.
enum class DocumentKind { vpc, volume, image, instance, snapshot };
std::string_view to_string(DocumentKind kind);
std::optional<DocumentKind> parse_document_kind(std::string_view text);

/// A newly made resource: its id and its dense number, from which kernel names derive.
template <class IdType>
struct NewResource {
  IdType id;
  std::uint32_t number;
};

struct Scope {
  store::Transaction& tx;
  AccountId account;
  Time now;
  IdSource& ids;
  std::string actor = "virga";  ///< ARN of the caller; "virga" for a reconciler
  std::string action;           ///< the API action or the reconciler's name
  std::string request_id;

  /// Registers a new resource of this account and returns its id and number. Every resource with an id is registered.
  template <class IdType>
  NewResource<IdType> create_resource() {
    while (true) {
      auto id = IdType::generate(ids);
      if (auto number = insert_resource(id.str(), IdType::resource_type)) return {id, *number};
    }
  }
  /// Removes a resource's registration and, with it, its tags. Its rows that refer to it must be gone before.
  void delete_resource(std::string_view id);

  /// Writes the journal row of one change; nullptr (JSON null) before: created; after: deleted.
  void record(std::string_view resource_id, const nlohmann::json& before, const nlohmann::json& after);

  /// Marks an object's host document for recomputation, in this transaction. Idempotent.
  void touch(DocumentKind kind, std::string_view id);

 private:
  std::optional<std::uint32_t> insert_resource(const std::string& id, std::string_view type);
};

/// Tags: at most 50 a resource, keys 1-127 characters and not "aws:...", values up to 256 (EC2 "Tag restrictions").
namespace tags {
using Tags = std::map<std::string, std::string>;

/// Adds or replaces tags of a resource the account owns (the caller has checked that it exists).
/// Errors: TagLimitExceeded, InvalidParameterValue.
Result<void> put(Scope& scope, std::string_view resource_id, const Tags& tags);
/// Removes a tag; with a value only if it is equal.
void remove(Scope& scope, std::string_view resource_id, std::string_view key, const std::optional<std::string>& value);
void remove_all(Scope& scope, std::string_view resource_id);
/// The tags of one resource of the account.
Tags of(Scope& scope, std::string_view resource_id);

/// A tag with what it hangs on, for DescribeTags.
struct Attached {
  std::string resource_id;
  std::string resource_type;
  std::string key;
  std::string value;
};
/// All tags of the account, ordered by resource id and key.
std::vector<Attached> list(Scope& scope);
}  // namespace tags

/// The type of a resource of this account ("instance", ...), if the account owns one of that id.
std::optional<std::string> resource_type(Scope& scope, std::string_view id);

/// Quotas: counters per account. The names are rows of `quota`; limits default as listed in core/quota.cpp.
namespace quota {
enum class Name {
  instances, vcpus, images, key_pairs, volumes, volume_gib, vpcs, subnets_per_vpc, internet_gateways, route_tables_per_vpc,
  routes_per_table, security_groups, rules_per_security_group, security_groups_per_interface, network_interfaces,
  addresses, snapshots
};
std::string_view to_string(Name name);
std::optional<Name> parse(std::string_view text);
/// Counts `amount` more as used by the account; over the limit the error is EC2's code for that resource
/// ("InstanceLimitExceeded") with limit, used and requested in the message, and nothing is counted.
Result<void> charge(Scope& scope, Name name, std::int64_t amount = 1);
/// Gives back. Never below zero.
void release(Scope& scope, Name name, std::int64_t amount = 1);
/// The limit in force, for those that are counted per parent ("rules_per_security_group") and checked by the caller.
std::int64_t limit(Scope& scope, Name name);
std::int64_t used(Scope& scope, Name name);
void set_limit(Scope& scope, Name name, std::int64_t limit);
/// EC2's error for going over `name`.
Error exceeded(Name name, std::int64_t limit, std::int64_t used, std::int64_t requested);
}  // namespace quota

}  // namespace virga
