#pragma once

// What a handler is given: who calls, the transaction of this request, and the request's filters and page.
//
// Handlers are thin: check what only the caller can get wrong, call service or workflow functions with call.scope(),
// shape the answer. They contain no SQL. Existence, permission, DryRun, ClientToken, filters, paging, journal context
// and error envelopes come from the action's row (api/action.h) and the dispatcher.

#include <any>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec/reflect.h"
#include "core/config.h"
#include "core/identity/identity.h"
#include "core/scope.h"
#include "hostapi/host.h"

namespace virga::api {

using Role = identity::Role;

/// An authenticated caller. Only authentication (api/auth) makes one.
struct Caller {
  AccountId account;
  std::string user_name;
  std::string user_id;
  std::string arn;
  std::string access_key_id;
  Role role = Role::administrator;
  std::string source_ip;
};

/// What filters may look at though the item does not show it: a filter's name and a value, as often as there are values
/// ("network-interface.requester-managed" of an instance, whose interfaces do not tell it).
using Hidden = std::multimap<std::string, std::string, std::less<>>;

/// The filters of one request, compiled, and its place in the list. Made by the dispatcher from the operation's facts.
class Selection {
 public:
  virtual ~Selection() = default;
  /// Whether an item of the answer (a generated structure), with what it does not show, passes all filters.
  virtual bool matches(const ec2::Shape& shape, const void* item, const Hidden& hidden) const = 0;
  /// Items whose key is not greater than this were on earlier pages; empty on the first page.
  virtual const std::string& after() const = 0;
  /// Items that still fit on this page.
  virtual std::size_t room() const = 0;
  /// An item was taken / there is at least one more item than fits: an answer gets a NextToken for `last_key`.
  virtual void took(std::string_view key) = 0;
  virtual void more() = 0;
};

/// Collects the items of a Describe answer. Offer them in ascending order of a unique key (usually the id):
///
///   auto page = call.listing<ec2::Vpc>();
///   for (const auto& vpc : network::vpcs::list(call.scope(), ids))
///     if (!page.offer(vpc.id.str(), to_ec2(vpc))) break;
///   response.vpcs = page.take();
///
/// Filters and MaxResults/NextToken of the request are applied here; nothing else is needed for them.
template <class Item>
class Listing {
 public:
  explicit Listing(Selection& selection) : selection_(selection) {}
  /// Keys up to here were on earlier pages: a query may start behind it.
  const std::string& after() const { return selection_.after(); }
  /// Takes the item if it is on this page and passes the filters. False when the page is full: stop.
  bool offer(std::string_view key, Item&& item, const Hidden& hidden = {}) {
    if (!after().empty() && key <= after()) return true;
    if (!selection_.matches(ec2::describe<Item>(), &item, hidden)) return true;
    if (selection_.room() == 0) {
      selection_.more();
      return false;
    }
    selection_.took(key);
    items_.push_back(std::move(item));
    return true;
  }
  std::vector<Item> take() { return std::move(items_); }

 private:
  Selection& selection_;
  std::vector<Item> items_;
};

/// Hosts by name, for the few reads that are answered by a host (console output). Owned by the composition.
class Hosts {
 public:
  virtual ~Hosts() = default;
  /// nullptr: unknown.
  virtual std::shared_ptr<hostapi::Host> find(const std::string& name) = 0;
};

class Call {
 public:
  Call(Scope& scope, const Caller& caller, const Config& config, Selection& selection, Hosts& hosts,
       std::any prepared = {})
      : scope_(scope),
        caller_(caller),
        config_(config),
        selection_(selection),
        hosts_(hosts),
        prepared_(std::move(prepared)) {}

  Scope& scope() { return scope_; }
  const Caller& caller() const { return caller_; }
  /// Region and zones.
  const Config& config() const { return config_; }
  template <class Item>
  Listing<Item> listing() {
    return Listing<Item>(selection_);
  }
  /// For `Access::host_read` actions only, whose finishing function runs after the transaction (see api/action.h).
  Hosts& hosts() { return hosts_; }
  /// What the row's `prepare` made. nullptr in a DryRun, which makes nothing.
  template <class Product>
  const Product* prepared() const {
    return std::any_cast<Product>(&prepared_);
  }

 private:
  Scope& scope_;
  const Caller& caller_;
  const Config& config_;
  Selection& selection_;
  Hosts& hosts_;
  std::any prepared_;
};

}  // namespace virga::api
