#include "hostapi/agent/documents.h"

#include <spdlog/spdlog.h>
#include "core/json_values.h"

#include "core/durable_file.h"
#include "hostapi/wire.h"

namespace virga::hostapi {
namespace {

constexpr int file_format = 1;

std::string_view folder(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::vpc:
      return "vpcs";
    case DocumentKind::volume:
      return "volumes";
    case DocumentKind::image:
      return "images";
    case DocumentKind::instance:
      return "instances";
    case DocumentKind::snapshot:
      return "snapshots";
  }
  return "";
}

template <class T>
std::string encode(const Entry<T>& entry) {
  const nlohmann::json json = {{"format", file_format},
                               {"removed", entry.removed},
                               {"made", entry.made},
                               {"remnant", entry.remnant},
                               {"document", entry.wanted}};
  return json.dump();
}

/// Members that an earlier version did not write get their defaults; everything else must be as this version writes it.
template <class T>
Result<Entry<T>> decode_file(std::string_view text) {
  const auto json = TRY(parse_json(text));
  try {
    if (json.at("format").get<int>() != file_format) return fail(internal_error("a format of another version"));
    nlohmann::json document = T{};
    document.update(json.at("document"), true);
    return Entry<T>{.wanted = TRY(decode<T>(document, Missing::defaulted)),
                    .removed = json.at("removed").get<bool>(),
                    .made = json.at("made").get<bool>(),
                    .remnant = json.at("remnant").get<bool>()};
  } catch (const nlohmann::json::exception& exception) {
    return fail(internal_error(exception.what()));
  }
}

}  // namespace

Result<std::unique_ptr<Documents>> Documents::open(std::filesystem::path directory) {
  std::unique_ptr<Documents> documents(new Documents(std::move(directory)));
  TRY_VOID(documents->load());
  return documents;
}

Documents::Documents(std::filesystem::path directory) : directory_(std::move(directory)) {}

std::filesystem::path Documents::file_of(DocumentKind kind, const std::string& id) const {
  return directory_ / folder(kind) / (id + ".json");
}

Result<void> Documents::load() {
  auto state = std::make_shared<WantedState>();
  std::error_code error;
  for (const auto kind : {DocumentKind::vpc, DocumentKind::volume, DocumentKind::snapshot, DocumentKind::instance}) {
    std::filesystem::create_directories(directory_ / folder(kind), error);
    if (error) return fail(internal_error("create " + directory_.string() + ": " + error.message()));
  }
  TRY_VOID(load_kind(DocumentKind::vpc, state->vpcs, state->damaged));
  TRY_VOID(load_kind(DocumentKind::volume, state->volumes, state->damaged));
  TRY_VOID(load_kind(DocumentKind::snapshot, state->snapshots, state->damaged));
  TRY_VOID(load_kind(DocumentKind::instance, state->instances, state->damaged));
  for (const auto& [id, why] : state->damaged) spdlog::error("the wanted document of {} is damaged: {}", id, why);
  state_ = std::move(state);
  return {};
}

template <class IdType, class T>
Result<void> Documents::load_kind(DocumentKind kind, Entries<IdType, T>& entries,
                                  std::map<std::string, std::string>& damaged) {
  for (const auto& file : std::filesystem::directory_iterator(directory_ / folder(kind))) {
    if (file.path().extension() == ".tmp") {  // a put that was never answered
      TRY_VOID(remove_file(file.path()));
      continue;
    }
    const auto id = IdType::parse(file.path().stem().string());
    if (file.path().extension() != ".json" || !id) {
      spdlog::warn("{} is not a wanted document: left alone", file.path().string());
      continue;
    }
    const auto text = read_file(file.path(), max_document_bytes);
    auto entry = text ? decode_file<T>(*text) : Result<Entry<T>>(fail(text.error()));
    if (!entry || entry->wanted.id != *id) {
      damaged[id->str()] = entry ? "it is another object's" : describe(entry.error());
    } else {
      entries.emplace(*id, std::make_shared<const Entry<T>>(std::move(*entry)));
    }
  }
  return {};
}

std::shared_ptr<const WantedState> Documents::current() const {
  const std::lock_guard lock(state_mutex_);
  return state_;
}

template <class IdType, class T>
Result<void> Documents::write(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id,
                              std::shared_ptr<const Entry<T>> entry) {
  const auto path = file_of(kind, id.str());
  TRY_VOID(entry ? replace_file(path, encode(*entry)) : remove_file(path));
  auto next = std::make_shared<WantedState>(*current());
  next->damaged.erase(id.str());
  if (entry) {
    ((*next).*member)[id] = std::move(entry);
  } else {
    ((*next).*member).erase(id);
  }
  const std::lock_guard lock(state_mutex_);
  state_ = std::move(next);
  return {};
}

template <class IdType, class T>
Result<PutEffect> Documents::put_entry(DocumentKind kind, Entries<IdType, T> WantedState::*member, const T& wanted) {
  const std::lock_guard lock(write_mutex_);
  const auto state = current();
  const auto found = ((*state).*member).find(wanted.id);
  const bool known = found != ((*state).*member).end();
  if (known && !found->second->remnant && found->second->wanted.generation >= wanted.generation) {
    return PutEffect::unchanged;
  }
  Entry<T> entry{.wanted = wanted};
  // Of a damaged document nobody knows whether its object was ever made; to take it for new could hide a loss.
  entry.made = known ? found->second->made : state->is_damaged(wanted.id.str());
  TRY_VOID(write(kind, member, wanted.id, std::make_shared<const Entry<T>>(std::move(entry))));
  return PutEffect::taken;
}

template <class IdType, class T>
Result<PutEffect> Documents::remove_entry(DocumentKind kind, Entries<IdType, T> WantedState::*member,
                                          const IdType& id) {
  const std::lock_guard lock(write_mutex_);
  const auto state = current();
  const auto found = ((*state).*member).find(id);
  Entry<T> entry;
  if (found != ((*state).*member).end()) {
    if (found->second->removed) return PutEffect::unchanged;
    entry = *found->second;
  } else if (state->is_damaged(id.str())) {
    entry.wanted.id = id;
    entry.remnant = true;
  } else {
    return PutEffect::unchanged;
  }
  entry.removed = true;
  TRY_VOID(write(kind, member, id, std::make_shared<const Entry<T>>(std::move(entry))));
  return PutEffect::taken;
}

template <class IdType, class T>
Result<void> Documents::forget_entry(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id) {
  const std::lock_guard lock(write_mutex_);
  const auto state = current();
  const auto found = ((*state).*member).find(id);
  if (found == ((*state).*member).end()) return {};
  if (found->second->removed) return write<IdType, T>(kind, member, id, nullptr);
  auto entry = *found->second;  // put again meanwhile: wanted, and to be made anew
  entry.made = false;
  return write(kind, member, id, std::make_shared<const Entry<T>>(std::move(entry)));
}

Result<PutEffect> Documents::put(const network::WantedVpc& vpc) {
  return put_entry(DocumentKind::vpc, &WantedState::vpcs, vpc);
}
Result<PutEffect> Documents::put(const storage::WantedVolume& volume) {
  return put_entry(DocumentKind::volume, &WantedState::volumes, volume);
}
Result<PutEffect> Documents::put(const storage::WantedSnapshot& snapshot) {
  return put_entry(DocumentKind::snapshot, &WantedState::snapshots, snapshot);
}
Result<PutEffect> Documents::put(const compute::WantedInstance& instance) {
  return put_entry(DocumentKind::instance, &WantedState::instances, instance);
}

Result<PutEffect> Documents::remove(DocumentKind kind, const std::string& id) {
  switch (kind) {
    case DocumentKind::vpc:
      return remove_entry(kind, &WantedState::vpcs, TRY(VpcId::parse(id)));
    case DocumentKind::volume:
      return remove_entry(kind, &WantedState::volumes, TRY(VolumeId::parse(id)));
    case DocumentKind::instance:
      return remove_entry(kind, &WantedState::instances, TRY(InstanceId::parse(id)));
    case DocumentKind::snapshot:
      return remove_entry(kind, &WantedState::snapshots, TRY(SnapshotId::parse(id)));
    case DocumentKind::image:
      break;
  }
  return fail(internal_error("images have no documents"));
}

Result<void> Documents::confirm(const std::vector<InstanceId>& instances, const std::vector<VpcId>& vpcs) {
  const std::lock_guard lock(write_mutex_);
  auto next = std::make_shared<WantedState>(*current());
  const auto check = [](const auto& entries, const auto& id) -> Result<void> {
    const auto found = entries.find(id);
    if (found != entries.end() && !found->second->removed) return {};
    return fail(Code::incorrect_state, "The host has no document of " + id.str() + ".");
  };
  for (const auto& id : instances) TRY_VOID(check(next->instances, id));
  for (const auto& id : vpcs) TRY_VOID(check(next->vpcs, id));
  next->confirmed = true;
  const std::lock_guard state_lock(state_mutex_);
  state_ = std::move(next);
  return {};
}

template <class IdType, class T>
Result<void> Documents::mark_entry_made(DocumentKind kind, Entries<IdType, T> WantedState::*member, const IdType& id) {
  const std::lock_guard lock(write_mutex_);
  const auto state = current();
  const auto found = ((*state).*member).find(id);
  if (found == ((*state).*member).end() || found->second->made) return {};
  auto entry = *found->second;
  entry.made = true;
  return write(kind, member, id, std::make_shared<const Entry<T>>(std::move(entry)));
}

Result<void> Documents::mark_made(const VolumeId& id) {
  return mark_entry_made(DocumentKind::volume, &WantedState::volumes, id);
}

Result<void> Documents::mark_made(const SnapshotId& id) {
  return mark_entry_made(DocumentKind::snapshot, &WantedState::snapshots, id);
}

Result<void> Documents::forget(DocumentKind kind, const std::string& id) {
  switch (kind) {
    case DocumentKind::vpc:
      return forget_entry(kind, &WantedState::vpcs, TRY(VpcId::parse(id)));
    case DocumentKind::volume:
      return forget_entry(kind, &WantedState::volumes, TRY(VolumeId::parse(id)));
    case DocumentKind::instance:
      return forget_entry(kind, &WantedState::instances, TRY(InstanceId::parse(id)));
    case DocumentKind::snapshot:
      return forget_entry(kind, &WantedState::snapshots, TRY(SnapshotId::parse(id)));
    case DocumentKind::image:
      break;
  }
  return fail(internal_error("images have no documents"));
}

}  // namespace virga::hostapi
