#pragma once

// Which host must be told what. `prepare` turns the outbox into rows of `wanted`; `pending` and `document` say what is
// still to be pushed to a host. All of it is state in the store, so a crash between any two steps loses nothing.

#include <string>
#include <variant>
#include <vector>

#include "compute/wanted.h"
#include "core/config.h"
#include "core/scope.h"
#include "network/wanted.h"
#include "storage/wanted.h"

namespace virga::control {

/// Recomputes the documents of at most `limit` objects of the outbox. Returns how many it took.
Result<std::size_t> prepare(store::Transaction& tx, const Config& config, std::size_t limit);

/// The host is to let go of an object that it never was sent a document of (an image). Idempotent.
void want_removed(store::Transaction& tx, const std::string& host, DocumentKind kind, const std::string& id);

/// Puts every placed object into the outbox: the repair path, should a change ever have been forgotten.
void touch_all(store::Transaction& tx);

struct Pending {
  DocumentKind kind;
  std::string id;
  std::uint64_t generation = 0;
  bool removed = false;
  std::string digest = {};
};
/// What the host has not taken yet: volumes, then snapshots, networks, instances; then, the other way round, what goes.
std::vector<Pending> pending(store::Transaction& tx, const std::string& host);
void mark_pushed(store::Transaction& tx, const std::string& host, const Pending& pushed);

/// monostate: the object is gone, or is no longer what this generation stands for; the outbox has it, and the next
/// generation will be pushed. (Were newer rows sent under this generation, and then changed back before they get one of
/// their own, the host would keep them for ever.)
using Document =
    std::variant<std::monostate, network::WantedVpc, storage::WantedVolume, storage::WantedSnapshot, compute::WantedInstance>;
Document document(store::Transaction& tx, const Config& config, const std::string& host, const Pending& pending);

}  // namespace virga::control
