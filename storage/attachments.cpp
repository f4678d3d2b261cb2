#include <fmt/format.h>
#include "core/json_values.h"

#include <array>

#include "storage/volumes.h"

namespace virga::storage {

std::string_view to_string(AttachmentState state) {
  switch (state) {
    case AttachmentState::attaching:
      return "attaching";
    case AttachmentState::attached:
      return "attached";
    case AttachmentState::detaching:
      return "detaching";
  }
  return "";
}

AttachmentState parse_attachment_state(std::string_view text) {
  if (text == "attached") return AttachmentState::attached;
  return text == "detaching" ? AttachmentState::detaching : AttachmentState::attaching;
}

namespace attachments {

namespace {

Attachment from_row(store::Row& row) {
  return {row.id<VolumeId>(0),
          row.id<InstanceId>(1),
          row.text(2),
          row.int32(3),
          row.boolean(4),
          row.boolean(5),
          parse_attachment_state(row.text(6)),
          row.time(7)};
}

constexpr int max_slot = 25;

nlohmann::json journal_of(const Attachment& attachment, std::string_view state) {
  return {{"attachment", {{"instance", attachment.instance}, {"device", attachment.device}, {"state", state}}}};
}

/// One change of an attachment: journalled with the volume, and both documents computed anew.
void changed(Scope& scope, const Attachment& attachment, const nlohmann::json& before, const nlohmann::json& after) {
  scope.record(attachment.volume.str(), before, after);
  scope.touch(DocumentKind::instance, attachment.instance.str());
}

Result<int> free_slot(Scope& scope, const InstanceId& instance) {
  std::array<bool, max_slot + 1> taken{};
  scope.tx.for_each(
      "SELECT slot FROM volume_attachment WHERE account = ? AND instance = ?",
      [&](store::Row& row) { taken.at(static_cast<std::size_t>(row.integer(0))) = true; }, scope.account, instance);
  for (int slot = 1; slot <= max_slot; ++slot)
    if (!taken.at(static_cast<std::size_t>(slot))) return slot;
  return fail(Code::attachment_limit_exceeded,
              fmt::format("The maximum number of volumes ({}) is already attached to {}.", max_slot, instance.str()));
}

}  // namespace

Result<Attachment> attach(Scope& scope, const AttachRequest& request) {
  if (scope.tx.exists("SELECT 1 FROM volume_attachment WHERE account = ? AND instance = ? AND device = ?",
                      scope.account, request.instance, request.device))
    return fail(Code::invalid_parameter_value,
                fmt::format("Invalid value '{}' for unixDevice. Attachment point {} is already in use", request.device,
                            request.device));
  int slot = 0;
  if (!request.root) slot = TRY(free_slot(scope, request.instance));
  const Attachment made{request.volume, request.instance, request.device,
                        slot,           request.root,     request.delete_on_termination,
                        request.state,  scope.now};
  scope.tx.execute(
      "INSERT INTO volume_attachment (volume, instance, account, device, slot, root, delete_on_termination, state,"
      " attached_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      made.volume, made.instance, scope.account, made.device, made.slot, made.root, made.delete_on_termination,
      to_string(made.state), made.attached);
  changed(scope, made, nlohmann::json{{"attachment", nullptr}}, journal_of(made, to_string(made.state)));
  return made;
}

namespace {
void set_state(Scope& scope, const Attachment& attachment, AttachmentState state) {
  scope.tx.execute("UPDATE volume_attachment SET state = ?, problem = '' WHERE account = ? AND volume = ?",
                   to_string(state), scope.account, attachment.volume);
  changed(scope, attachment, journal_of(attachment, to_string(attachment.state)),
          journal_of(attachment, to_string(state)));
}
}  // namespace

void begin_detach(Scope& scope, const Attachment& attachment) {
  set_state(scope, attachment, AttachmentState::detaching);
}

void completed(Scope& scope, const Attachment& attachment) { set_state(scope, attachment, AttachmentState::attached); }

void end(Scope& scope, const Attachment& attachment) {
  scope.tx.execute("DELETE FROM volume_attachment WHERE account = ? AND volume = ?", scope.account, attachment.volume);
  changed(scope, attachment, journal_of(attachment, to_string(attachment.state)),
          nlohmann::json{{"attachment", nullptr}});
}

void set_delete_on_termination(Scope& scope, const Attachment& attachment, bool delete_on_termination) {
  scope.tx.execute("UPDATE volume_attachment SET delete_on_termination = ? WHERE account = ? AND volume = ?",
                   delete_on_termination, scope.account, attachment.volume);
  const auto told = [&](bool value) {
    return nlohmann::json{{"attachment", {{"instance", attachment.instance}, {"delete_on_termination", value}}}};
  };
  changed(scope, attachment, told(attachment.delete_on_termination), told(delete_on_termination));
}

void note_problem(Scope& scope, const Attachment& attachment, const std::string& problem) {
  scope.tx.execute("UPDATE volume_attachment SET problem = ? WHERE account = ? AND volume = ? AND problem <> ?",
                   problem, scope.account, attachment.volume, problem);
}

std::vector<Attachment> of_instance(Scope& scope, const InstanceId& instance) {
  return scope.tx.all(
      "SELECT volume, instance, device, slot, root, delete_on_termination, state, attached_ms FROM volume_attachment"
      " WHERE account = ? AND instance = ? ORDER BY slot",
      from_row, scope.account, instance);
}

std::vector<Attachment> list(Scope& scope) {
  return scope.tx.all(
      "SELECT volume, instance, device, slot, root, delete_on_termination, state, attached_ms FROM volume_attachment"
      " WHERE account = ? ORDER BY instance, slot",
      from_row, scope.account);
}

}  // namespace attachments

}  // namespace virga::storage
