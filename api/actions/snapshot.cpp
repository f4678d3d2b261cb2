#include <fmt/format.h>

#include <algorithm>

#include "api/action.h"
#include "api/actions/ids.h"
#include "api/workflows/tag_specifications.h"
#include "ec2/op/CreateSnapshot.h"
#include "ec2/op/DeleteSnapshot.h"
#include "ec2/op/DescribeSnapshots.h"
#include "storage/snapshots.h"
#include "storage/wanted.h"

namespace virga::api {

namespace {

using storage::Snapshot;

constexpr std::size_t max_description = 255;

/// The host's own words may hold its paths: they are for the operator.
std::string message_of(const Snapshot& snapshot) {
  if (snapshot.problem == storage::no_room_problem) return snapshot.problem;
  return snapshot.completed ? "The snapshot's data is missing or cannot be read." : "The volume could not be copied.";
}

ec2::Snapshot to_ec2(const Snapshot& snapshot, const tags::Tags& tags) {
  ec2::Snapshot view;
  view.snapshot_id = snapshot.id.str();
  view.volume_id = snapshot.volume.str();
  view.owner_id = snapshot.account.str();
  view.state = std::string(snapshot.wire_state());
  if (view.state == "error") view.state_message = message_of(snapshot);
  view.progress = fmt::format("{}%", snapshot.progress_percent());
  view.start_time = snapshot.started;
  view.completion_time = snapshot.completed;
  view.volume_size = snapshot.size_gib;
  if (snapshot.completed) view.full_snapshot_size_in_bytes = snapshot.file_bytes;
  view.description = snapshot.description;
  view.encrypted = false;
  view.storage_tier = "standard";
  view.tags = api::to_ec2(tags);
  return view;
}

Result<ec2::Snapshot> create(Call& call, const ec2::CreateSnapshotRequest& request) {
  const auto volume = TRY(VolumeId::parse(request.volume_id.value_or("")));
  const auto description = request.description.value_or("");
  if (description.size() > max_description)
    return fail(Code::invalid_parameter_value,
                fmt::format("The description may have at most {} characters.", max_description));
  const auto tags = TRY(tags_for(request.tag_specifications, SnapshotId::resource_type));
  const auto snapshot = TRY(storage::snapshots::create(call.scope(), {.volume = volume, .description = description}));
  TRY_VOID(tags::put(call.scope(), snapshot.id.str(), tags));
  return to_ec2(snapshot, tags);
}

/// Owner.N and RestorableBy.N. Every snapshot that the caller sees is his own and shared with nobody: what names
/// anybody else leaves none of them.
class Who {
 public:
  Who(const AccountId& caller, const ec2::DescribeSnapshotsRequest& request) : caller_(caller), request_(request) {}

  Result<void> check() const {
    for (const auto& owner : request_.owner_ids)
      if (owner != "self" && owner != "amazon") TRY_VOID(AccountId::parse(owner));
    for (const auto& user : request_.restorable_by_user_ids)
      if (user != "self" && user != "all") TRY_VOID(AccountId::parse(user));
    return {};
  }

  bool shows_own() const { return names_caller(request_.owner_ids) && names_caller(request_.restorable_by_user_ids); }

 private:
  bool names_caller(const std::vector<std::string>& names) const {
    return names.empty() ||
           std::ranges::any_of(names, [&](const std::string& name) { return name == "self" || name == caller_.str(); });
  }

  const AccountId& caller_;
  const ec2::DescribeSnapshotsRequest& request_;
};

/// Those named, each once and in order, or all behind `after`.
Result<std::vector<Snapshot>> selected(Scope& scope, const std::vector<std::string>& texts, const std::string& after) {
  if (texts.empty()) return storage::snapshots::list(scope, after);
  auto ids = TRY(parse_ids<SnapshotId>(texts));
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<Snapshot> snapshots;
  for (const auto& id : ids) {
    auto snapshot = TRY(storage::snapshots::find(scope, id));
    snapshots.push_back(std::move(snapshot));
  }
  return snapshots;
}

Result<ec2::DescribeSnapshotsResult> describe(Call& call, const ec2::DescribeSnapshotsRequest& request) {
  const Who who(call.scope().account, request);
  TRY_VOID(who.check());
  auto page = call.listing<ec2::Snapshot>();
  const auto snapshots = TRY(selected(call.scope(), request.snapshot_ids, page.after()));
  for (const auto& snapshot : snapshots)
    if (who.shows_own() && !page.offer(snapshot.id.str(), to_ec2(snapshot, tags::of(call.scope(), snapshot.id.str()))))
      break;
  ec2::DescribeSnapshotsResult response;
  response.snapshots = page.take();
  return response;
}

Result<ec2::NoOutput> remove(Call& call, const ec2::DeleteSnapshotRequest& request) {
  const auto id = TRY(SnapshotId::parse(request.snapshot_id.value_or("")));
  TRY_VOID(storage::snapshots::remove(call.scope(), id));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> snapshot_actions() {
  return {action("CreateSnapshot", Access::write, &create,
                 {.refused = {"OutpostArn"}, .only = {{"Location", {"regional"}}}}),
          action("DescribeSnapshots", Access::read, &describe), action("DeleteSnapshot", Access::write, &remove)};
}

}  // namespace virga::api
