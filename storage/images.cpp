#include "storage/images.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

namespace virga::storage::images {

namespace {

#define VIRGA_IMAGE_COLUMNS                                                                                         \
  "SELECT i.id, i.account, a.name, i.name, i.description, i.public, i.state, i.problem, i.root_device, i.root_gib," \
  " i.root_type, i.root_delete, i.min_memory_mib, i.bytes, i.virtual_bytes, i.created_ms"                           \
  " FROM image i JOIN account a ON a.id = i.account "

Image from_row(store::Row& row) {
  Image image;
  image.id = row.id<ImageId>(0);
  image.owner = AccountId::trusted(row.text(1));
  image.owner_name = row.text(2);
  image.name = row.text(3);
  image.description = row.text(4);
  image.is_public = row.boolean(5);
  const auto state = row.text(6);
  image.state = state == "available" ? ImageState::available
                : state == "failed"  ? ImageState::failed
                                     : ImageState::pending;
  image.problem = row.text(7);
  image.root_device = row.text(8);
  image.root_gib = row.int32(9);
  image.root_type = row.text(10);
  image.root_delete_on_termination = row.boolean(11);
  image.min_memory_mib = row.int32(12);
  image.bytes = row.id<ImageId>(13);
  image.virtual_bytes = row.integer(14);
  image.created = row.time(15);
  return image;
}

constexpr std::string_view name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()[] ./-'@_";

Result<void> check_name(Scope& scope, const std::string& name) {
  if (name.size() < 3 || name.size() > 128 || name.find_first_not_of(name_characters) != std::string::npos)
    return fail(Code::invalid_ami_name_malformed,
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '[', "
                "']', ' ', '.', '/', '-', ''', '@' and '_'.");
  const auto same = scope.tx.one(
      "SELECT id FROM image WHERE account = ? AND name = ?", [](store::Row& row) { return row.text(0); }, scope.account,
      name);
  if (same)
    return fail(Code::invalid_ami_name_duplicate, fmt::format("AMI name {} is already in use by AMI {}", name, *same));
  return {};
}

Result<void> check_root_device(std::string_view device) {
  if (device == "/dev/sda1" || device == "/dev/xvda" || device == "/dev/sda") return {};
  return fail(Code::invalid_parameter_value, "The root device name must be one of /dev/sda1, /dev/sda, /dev/xvda.");
}

Result<Image> find_by_location(Scope& scope, const std::string& location) {
  const auto slash = location.find('/');
  auto found = scope.tx.one(
      VIRGA_IMAGE_COLUMNS
      "WHERE i.account = ? AND i.name = ? AND i.deregistered = 0 AND (i.account = ? OR i.public = 1)",
      from_row, location.substr(0, slash), slash == std::string::npos ? "" : location.substr(slash + 1), scope.account);
  if (!found) return fail(ImageId::not_found(location));
  return *std::move(found);
}

Result<Image> find_source(Scope& scope, const std::string& source) {
  if (!source.starts_with(ImageId::prefix)) return find_by_location(scope, source);
  const auto id = TRY(ImageId::parse(source));
  return find(scope, id);
}

Result<Image> require_available(Image image) {
  if (image.state != ImageState::available)
    return fail(Code::invalid_ami_id_unavailable,
                fmt::format("The image ID '{}' is not available{}", image.id.str(),
                            image.state == ImageState::failed ? ": its import failed" : " yet"));
  return image;
}

void record_created(Scope& scope, const ImageId& id, const std::string& name, std::string_view state) {
  scope.record(id.str(), nullptr, {{"name", name}, {"state", state}});
}

}  // namespace

namespace {

nlohmann::json journal_of(const Image& image) {
  return {{"name", image.name},
          {"state", image.state == ImageState::available ? "available"
                    : image.state == ImageState::failed  ? "failed"
                                                         : "pending"}};
}

/// The row goes; nothing refers to it.
void forget(Scope& scope, const ImageId& id) {
  scope.tx.execute("DELETE FROM image WHERE account = ? AND id = ?", scope.account, id);
  scope.delete_resource(id.str());
}

/// The row stays for the sake of its file, out of everybody's sight.
void hide(Scope& scope, const ImageId& id) {
  // No name that check_name lets through has a colon.
  scope.tx.execute(
      "UPDATE image SET deregistered = 1, public = 0, name = 'deregistered:' || id WHERE account = ? AND id = ?",
      scope.account, id);
  tags::remove_all(scope, id.str());
}

/// A name whose import failed is free again: the failed image has no bytes, so nothing can be made of it.
Result<void> forget_failed_import(Scope& scope, const std::string& name) {
  const auto failed = scope.tx.one(
      "SELECT id FROM image WHERE account = ? AND name = ? AND state = 'failed'",
      [](store::Row& row) { return row.id<ImageId>(0); }, scope.account, name);
  if (!failed) return {};
  return deregister(scope, *failed);
}

}  // namespace

Result<void> deregister(Scope& scope, const ImageId& id) {
  const auto image = TRY(find(scope, id));
  if (image.owner != scope.account)
    return fail(Code::auth_failure, fmt::format("Not authorized for image:{}", id.str()));
  const bool has_a_file = image.bytes == id && image.state != ImageState::failed;
  if (has_a_file)
    hide(scope, id);
  else
    forget(scope, id);
  quota::release(scope, quota::Name::images);
  scope.record(id.str(), journal_of(image), nullptr);
  return {};
}

Result<ImageId> create_import(Scope& scope, const ImportRequest& request) {
  TRY_VOID(forget_failed_import(scope, request.name));
  TRY_VOID(check_name(scope, request.name));
  TRY_VOID(check_root_device(request.root_device));
  if (request.min_memory_mib < 1)
    return fail(Code::invalid_parameter_value, "The minimum memory must be at least 1 MiB.");
  TRY_VOID(quota::charge(scope, quota::Name::images));
  const auto made = scope.create_resource<ImageId>();
  scope.tx.execute(
      "INSERT INTO image (id, account, name, description, public, state, root_device, min_memory_mib, bytes, "
      "created_ms)"
      " VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)",
      made.id, scope.account, request.name, request.description, request.visibility == Visibility::everyone,
      request.root_device, request.min_memory_mib, made.id, scope.now);
  record_created(scope, made.id, request.name, "pending");
  return made.id;
}

Result<ImageId> register_copy(Scope& scope, const RegisterRequest& request) {
  auto found = TRY(find_source(scope, request.source));
  const auto source = TRY(require_available(std::move(found)));
  TRY_VOID(check_name(scope, request.name));
  const auto root_device = request.root_device.value_or(source.root_device);
  TRY_VOID(check_root_device(root_device));
  const auto root_gib = request.root_gib.value_or(source.root_gib);
  const auto needed = (source.virtual_bytes + (1 << 30) - 1) >> 30;
  if (root_gib < needed)
    return fail(Code::invalid_block_device_mapping,
                fmt::format("Volume of size {}GB is smaller than the image '{}', expect size >= {}GB", root_gib,
                            source.id.str(), needed));
  TRY_VOID(quota::charge(scope, quota::Name::images));
  const auto made = scope.create_resource<ImageId>();
  scope.tx.execute(
      "INSERT INTO image (id, account, name, description, public, state, root_device, root_gib, root_type, root_delete,"
      " min_memory_mib, bytes, virtual_bytes, file_bytes, sha256, created_ms)"
      " SELECT ?, ?, ?, ?, 0, 'available', ?, ?, ?, ?, min_memory_mib, bytes, virtual_bytes, file_bytes, sha256, ?"
      " FROM image WHERE id = ?",
      made.id, scope.account, request.name, request.description, root_device, root_gib,
      request.root_type.value_or(source.root_type),
      request.root_delete_on_termination.value_or(source.root_delete_on_termination), scope.now, source.id);
  record_created(scope, made.id, request.name, "available");
  return made.id;
}

Result<Image> find(Scope& scope, const ImageId& id) {
  auto found =
      scope.tx.one(VIRGA_IMAGE_COLUMNS "WHERE i.id = ? AND i.deregistered = 0 AND (i.account = ? OR i.public = 1)",
                   from_row, id, scope.account);
  if (!found) return fail(ImageId::not_found("[" + id.str() + "]"));
  return *std::move(found);
}

Result<Image> find_available(Scope& scope, const ImageId& id) {
  auto image = TRY(find(scope, id));
  return require_available(std::move(image));
}

std::vector<Image> list(Scope& scope, const std::string& after) {
  return scope.tx.all(VIRGA_IMAGE_COLUMNS
                      "WHERE (i.account = ? OR i.public = 1) AND i.deregistered = 0 AND i.id > ? ORDER BY i.id",
                      from_row, scope.account, after);
}

}  // namespace virga::storage::images
