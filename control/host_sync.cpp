#include "control/host_sync.h"

#include "core/json_values.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "api/idempotency.h"
#include "api/workflows/create_image.h"
#include "compute/sync.h"
#include "control/documents.h"
#include "network/sync.h"
#include "storage/image_changes.h"
#include "storage/sync.h"

namespace virga::control {

namespace {
using namespace std::chrono_literals;

constexpr auto idle_round = 5s;               // a look around even when nobody wakes us
constexpr std::chrono::milliseconds full_pass = 60s;  // every document recomputed: the repair path
constexpr auto retry_pause = 500ms;           // a host that does not answer is asked again after this
constexpr std::size_t prepare_batch = 256;

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Its guests and volumes are not the ones the store knows: nothing may be told to it, or concluded from what it says.
Error another_host(const std::string& known, const std::string& found) {
  return internal_error("another host answers than before: its identity is " + found + ", not " + known +
                        "; if it is the same machine, write the latter into 'identity' in its state directory");
}
}  // namespace

HostSync::HostSync(store::Store& store, const Clock& clock, IdSource& ids, const Config& config, hostapi::Host& host,
                   std::string endpoint)
    : store_(store), clock_(clock), ids_(ids), config_(config), host_(host), endpoint_(std::move(endpoint)),
      last_contact_(clock.now()) {}

HostSync::~HostSync() { stop(); }

void HostSync::start() {
  worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

void HostSync::stop() {
  worker_.request_stop();
  watcher_.request_stop();
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
  if (watcher_.joinable()) watcher_.join();
}

void HostSync::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

std::string HostSync::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::string HostSync::name() const {
  const std::lock_guard lock(mutex_);
  return name_;
}

Scope HostSync::scope(store::Transaction& tx) const {
  return Scope{.tx = tx, .account = {}, .now = clock_.now(), .ids = ids_, .actor = "virga", .action = "HostSync", .request_id = {}};
}

void HostSync::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, idle_round, [this] { return woken_; });
      woken_ = false;
    }
    if (stop.stop_requested()) return;
    try {
      if (auto done = round(); !done) {
        note_silence(done.error());
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, retry_pause, [] { return false; });
        woken_ = true;
      }
    } catch (const std::exception& error) {  // the reconciler tick's catch-all: one bad round never ends the loop
      note_silence(internal_error(error.what()));
    }
  }
}

/// Waits for the host's changes and wakes the worker; it never touches the store.
void HostSync::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock(mutex_);
      seen = sequence_;
    }
    const auto now = host_.wait_for_change(seen, 2s);
    if (now && *now != seen) {
      {
        const std::lock_guard lock(mutex_);
        sequence_ = *now;
      }
      wake();
    } else if (!now) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, retry_pause, [] { return false; });
    }
  }
}

void HostSync::note_silence(const Error& error) {
  const std::lock_guard lock(mutex_);
  const auto text = describe(error);
  if (problem_ != text) spdlog::warn("host {}: {}", name_.empty() ? endpoint_ : name_, text);
  problem_ = text;
}

Result<void> HostSync::round() {
  auto done = exchange();
  if (done) {
    last_contact_ = clock_.now();
    down_ = false;
  } else if (!down_ && clock_.now() - last_contact_ >= down_after) {
    TRY_VOID(mark_down());
    down_ = true;
  }
  return done;
}

Result<void> HostSync::mark_down() {
  spdlog::error("host {} has not answered for {} s: it is down", name().empty() ? endpoint_ : name(),
                std::chrono::duration_cast<std::chrono::seconds>(down_after).count());
  return store_.write([&](store::Transaction& tx) -> Result<void> {
    // By its endpoint too: it may not have answered since this role began.
    tx.execute("UPDATE host SET state = 'down' WHERE name = ? OR endpoint = ?", name(), endpoint_);
    return {};
  });
}

Result<void> HostSync::exchange() {
  if (name().empty()) TRY_VOID(learn_identity());
  if (clock_.now() - last_full_pass_ >= full_pass) {
    TRY_VOID(store_.write([&](store::Transaction& tx) -> Result<void> {
      touch_all(tx);
      auto reconciler = scope(tx);
      api::expire_client_tokens(tx, clock_.now());
      return compute::expire(reconciler);
    }));
    last_full_pass_ = clock_.now();
  }
  while (TRY(store_.read([](store::Transaction& tx) -> Result<bool> { return tx.exists("SELECT 1 FROM outbox"); })))
    TRY_VOID(store_.write([&](store::Transaction& tx) { return prepare(tx, config_, prepare_batch); }));
  TRY_VOID(push());
  auto state = TRY(host_.state());
  TRY_VOID(check_identity(state));
  label_ = std::exchange(state.name, name());  // from here on the host goes by its key
  TRY_VOID(take_in(state));
  TRY_VOID(confirm(state));
  const std::lock_guard lock(mutex_);
  problem_.clear();
  return {};
}

Result<void> HostSync::learn_identity() {
  const auto state = TRY(host_.state());
  const auto key = TRY(store_.write([&](store::Transaction& tx) -> Result<std::string> {
    auto known = key_of(tx, state);
    if (known)
      tx.execute("UPDATE host SET identity = ?, label = ?, endpoint = ?, zones = ?, state = 'up' WHERE name = ?",
                 state.identity, state.name, endpoint_, dump(config_.zone_names()), *known);
    return known;
  }));
  identity_ = state.identity;
  const std::lock_guard lock(mutex_);
  name_ = key;
  return {};
}

Result<std::string> HostSync::key_of(store::Transaction& tx, const hostapi::HostState& state) const {
  const auto key = [](store::Row& row) { return row.text(0); };
  if (auto known = tx.one("SELECT name FROM host WHERE identity = ?", key, state.identity)) return *std::move(known);
  // A host from before hosts had identities.
  if (auto known = tx.one("SELECT name FROM host WHERE identity = '' AND (name = ? OR endpoint = ?) ORDER BY name <> ?",
                          key, state.name, endpoint_, state.name))
    return *std::move(known);
  const auto other = tx.one("SELECT identity FROM host WHERE endpoint = ?", key, endpoint_);
  if (other) return fail(another_host(*other, state.identity));
  tx.execute("INSERT INTO host (name, endpoint, zones) VALUES (?, ?, '[]')", state.identity, endpoint_);
  return state.identity;
}

Result<void> HostSync::check_identity(const hostapi::HostState& state) const {
  if (state.identity != identity_) return fail(another_host(identity_, state.identity));
  return {};
}

Result<void> HostSync::push() {
  const auto host = name();
  const auto todo =
      TRY(store_.read([&](store::Transaction& tx) -> Result<std::vector<Pending>> { return pending(tx, host); }));
  if (todo.empty()) return {};
  // Another host may have come since the last round. What it takes, the one it is meant for would never be told.
  const auto state = TRY(host_.state());
  TRY_VOID(check_identity(state));
  for (const auto& item : todo) {
    auto done = put(host, item);
    // A document the host refuses must not hold up the others; one it cannot take now ends the round.
    if (!done && done.error().code == Code::unavailable) return fail(std::move(done.error()));
    if (!done) {
      spdlog::error("host {}: {} {}: {}", host, to_string(item.kind), item.id, describe(done.error()));
      continue;
    }
    if (!*done) continue;
    TRY_VOID(store_.write([&](store::Transaction& tx) -> Result<void> {
      mark_pushed(tx, host, item);
      return {};
    }));
  }
  return {};
}

Result<bool> HostSync::put(const std::string& host, const Pending& item) {
  if (item.removed) {
    TRY_VOID(host_.remove(item.kind, item.id));
    return true;
  }
  const auto wanted = TRY(store_.read(
      [&](store::Transaction& tx) -> Result<Document> { return document(tx, config_, host, item); }));
  if (std::holds_alternative<std::monostate>(wanted)) return false;
  if (const auto* vpc = std::get_if<network::WantedVpc>(&wanted)) TRY_VOID(host_.put_vpc(*vpc));
  if (const auto* volume = std::get_if<storage::WantedVolume>(&wanted)) TRY_VOID(host_.put_volume(*volume));
  if (const auto* snapshot = std::get_if<storage::WantedSnapshot>(&wanted)) TRY_VOID(host_.put_snapshot(*snapshot));
  if (const auto* instance = std::get_if<compute::WantedInstance>(&wanted)) TRY_VOID(host_.put_instance(*instance));
  return true;
}

Result<void> HostSync::take_in(const hostapi::HostState& state) {
  return store_.write([&](store::Transaction& tx) -> Result<void> {
    tx.execute(
        "UPDATE host SET state = 'up', label = ?, vcpus = ?, memory_mib = ?, storage_gib = ?, seen_ms = ?, details = ?"
        " WHERE name = ?",
        label_, state.capacity.vcpus, state.capacity.memory_mib, state.capacity.storage_gib, clock_.now(),
        dump({{"accelerator", state.accelerator}, {"version", state.version}, {"problems", state.problems}}), state.name);
    observe_all(tx, state);
    take_in_removals(tx, state);
    push_again_what_was_forgotten(tx, state);
    return {};
  });
}

void HostSync::observe_all(store::Transaction& tx, const hostapi::HostState& state) {
  auto reconciler = scope(tx);
  // One object's failure is logged and never keeps the others from being seen.
  const auto log = [](const auto& observed, const Result<void>& done) {
    if (!done) spdlog::error("observing {}: {}", observed.id.str(), describe(done.error()));
  };
  for (const auto& image : state.images) log(image, storage::observe_image(reconciler, state.name, image));
  fail_lost_imports(reconciler, state);
  for (const auto& id : storage::unneeded_images(tx, state.name)) want_removed(tx, state.name, DocumentKind::image, id.str());
  for (const auto& volume : state.volumes) log(volume, storage::observe_volume(reconciler, state.name, volume));
  for (const auto& snapshot : state.snapshots) log(snapshot, storage::observe_snapshot(reconciler, state.name, snapshot));
  for (const auto& instance : state.instances) log(instance, compute::observe_instance(reconciler, state.name, instance));
  storage::images::settle(reconciler);
  api::end_holds(reconciler);
}

/// An import lives in the host's memory: one that a restart of the host has cut off would be pending for ever.
void HostSync::fail_lost_imports(Scope& reconciler, const hostapi::HostState& state) {
  constexpr std::chrono::milliseconds time_to_begin = 60s;  // between the row and the host's first word of it
  const auto pending_images = reconciler.tx.all(
      "SELECT id FROM image WHERE state = 'pending' AND created_ms < ?",
      [](store::Row& row) { return row.id<ImageId>(0); }, clock_.now() + -time_to_begin);
  for (const auto& id : pending_images) {
    if (std::ranges::find(state.images, id, &storage::ObservedImage::id) != state.images.end()) continue;
    storage::ObservedImage lost;
    lost.id = id;
    lost.problem = "The import was interrupted. Import the file again.";
    if (auto done = storage::observe_image(reconciler, state.name, lost); !done)
      spdlog::error("image {}: {}", id.str(), describe(done.error()));
  }
}

namespace {
/// Ids the host still has, with the generation it knows.
std::map<std::pair<std::string, std::string>, std::uint64_t> known_to(const hostapi::HostState& state) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> known;
  for (const auto& vpc : state.vpcs) known[{"vpc", vpc.id.str()}] = vpc.generation;
  for (const auto& volume : state.volumes) known[{"volume", volume.id.str()}] = volume.generation;
  for (const auto& snapshot : state.snapshots) known[{"snapshot", snapshot.id.str()}] = snapshot.generation;
  for (const auto& instance : state.instances) known[{"instance", instance.id.str()}] = instance.generation;
  return known;
}
struct Told {
  std::string kind;
  std::string id;
  bool taken = false;
};
}  // namespace

/// Tells a host that has begun anew, once it has every document meant for it, that there are no others. It leaves what
/// has no document alone until then: its documents may have been lost, and its guests be somebody's.
Result<void> HostSync::confirm(const hostapi::HostState& state) {
  if (state.boot_id == confirmed_boot_) return {};
  const auto all = TRY(store_.read([&](store::Transaction& tx) -> Result<std::vector<Told>> {
    return tx.all(
        "SELECT kind, id, pushed = generation FROM wanted WHERE host = ? AND removed = 0",
        [](store::Row& row) { return Told{row.text(0), row.text(1), row.boolean(2)}; }, state.name);
  }));
  hostapi::Inventory inventory{.boot_id = state.boot_id, .instances = {}, .vpcs = {}};
  for (const auto& told : all) {
    if (!told.taken) return {};  // a later round, when the host has it
    if (told.kind == "instance") inventory.instances.push_back(InstanceId::trusted(told.id));
    if (told.kind == "vpc") inventory.vpcs.push_back(VpcId::trusted(told.id));
  }
  const auto done = host_.confirm(inventory);
  if (!done && done.error().code == Code::incorrect_state) return {};  // it has changed meanwhile: likewise
  if (!done) return fail(done.error());
  confirmed_boot_ = state.boot_id;
  return {};
}

/// What was to be removed, and is neither waiting to be told nor any longer there, is gone for good. The state was asked
/// for after the removals were pushed, so "not there" cannot mean "not yet there".
void HostSync::take_in_removals(store::Transaction& tx, const hostapi::HostState& state) {
  const auto known = known_to(state);
  const auto removed = tx.all(
      "SELECT kind, id FROM wanted WHERE host = ? AND removed = 1 AND pushed = generation",
      [](store::Row& row) { return std::pair(row.text(0), row.text(1)); }, state.name);
  auto reconciler = scope(tx);
  for (const auto& [kind, id] : removed) {
    if (known.contains({kind, id})) continue;
    Result<void> done;
    if (kind == "instance") done = compute::instance_removed(reconciler, state.name, InstanceId::trusted(id));
    if (kind == "volume") done = storage::volume_removed(reconciler, state.name, VolumeId::trusted(id));
    if (kind == "snapshot") done = storage::snapshot_removed(reconciler, state.name, SnapshotId::trusted(id));
    if (kind == "image") done = storage::image_removed(reconciler, state.name, ImageId::trusted(id));
    if (!done) {
      spdlog::error("removal of {} {}: {}", kind, id, describe(done.error()));
      continue;
    }
    tx.execute("DELETE FROM wanted WHERE host = ? AND kind = ? AND id = ?", state.name, kind, id);
  }
}

void HostSync::push_again_what_was_forgotten(store::Transaction& tx, const hostapi::HostState& state) {
  // A removal too is said again of an object whose document the host can no longer read.
  for (const auto& id : state.damaged) tx.execute("UPDATE wanted SET pushed = 0 WHERE host = ? AND id = ?", state.name, id);
  const auto known = known_to(state);
  // After a restore of an older database the host knows generations that the store has yet to reach.
  for (const auto& [object, generation] : known)
    tx.execute(
        "UPDATE wanted SET generation = ? + 1, pushed = 0 WHERE host = ? AND kind = ? AND id = ? AND generation < ?",
        generation, state.name, object.first, object.second, generation);
  const auto told = tx.all(
      "SELECT kind, id FROM wanted WHERE host = ? AND removed = 0 AND pushed = generation",
      [](store::Row& row) { return std::pair(row.text(0), row.text(1)); }, state.name);
  for (const auto& object : told) {
    if (known.contains(object)) continue;
    spdlog::warn("host {} no longer knows {} {}: it is told again", state.name, object.first, object.second);
    tx.execute("UPDATE wanted SET pushed = 0 WHERE host = ? AND kind = ? AND id = ?", state.name, object.first,
               object.second);
  }
}

}  // namespace virga::control
