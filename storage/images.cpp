#include "storage/images.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <algorithm>

namespace virga::storage::images {

namespace {

#define VIRGA_IMAGE_COLUMNS                                                                                         \
  "SELECT i.id, i.account, a.name, i.name, i.description, i.public, i.state, i.problem, i.root_device, i.root_gib," \
  " i.root_type, i.root_delete, i.min_memory_mib, i.bytes, i.virtual_bytes, i.created_ms, i.source_instance,"       \
  " i.imds_support, i.deprecated_ms, i.launched_ms, i.provided, i.ena_support,"                                     \
  " i.sriov_net_support, i.boot_mode FROM image i JOIN account a ON a.id = i.account "
#define VIRGA_IMAGE_SEEN                                     \
  "i.deregistered = 0 AND (i.account = ? OR i.public = 1 OR" \
  " EXISTS (SELECT 1 FROM image_launch_permission p WHERE p.image = i.id AND p.account = ?)) "

std::optional<Time> optional_time(store::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.time(column));
}
std::optional<int> optional_int(store::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.int32(column));
}

ImageState parse_state(const std::string& text) {
  if (text == "available") return ImageState::available;
  return text == "failed" ? ImageState::failed : ImageState::pending;
}

std::string_view state_name(ImageState state) {
  switch (state) {
    case ImageState::pending:
      return "pending";
    case ImageState::available:
      return "available";
    case ImageState::failed:
      return "failed";
  }
  return "";
}

/// The root device of an image with a file has its mapping in the image's own row.
Image from_row(store::Row& row) {
  Image image;
  image.id = row.id<ImageId>(0);
  image.owner = AccountId::trusted(row.text(1));
  image.owner_name = row.text(2);
  image.name = row.text(3);
  image.description = row.text(4);
  image.is_public = row.boolean(5);
  image.state = parse_state(row.text(6));
  image.problem = row.text(7);
  image.root_device = row.text(8);
  image.min_memory_mib = row.int32(12);
  image.bytes = row.id<ImageId>(13);
  image.created = row.time(15);
  image.source_instance = row.id<InstanceId>(16);
  image.imds_support = row.text(17);
  image.deprecated = optional_time(row, 18);
  image.launched = optional_time(row, 19);
  image.provided = image.is_public && row.boolean(20);
  image.claims = {row.boolean(21), row.text(22), row.text(23)};
  if (!image.bytes.empty())
    image.mappings.push_back({.device = image.root_device,
                              .snapshot = {},
                              .least_gib = gib_of(row.integer(14)),
                              .shape = {.size_gib = row.int32(9), .type = row.text(10), .iops = {}, .throughput = {}},
                              .delete_on_termination = row.boolean(11)});
  return image;
}

/// The mappings that are rows: of the root device first, the others by device.
void add_mappings(Scope& scope, Image& image) {
  scope.tx.for_each(
      "SELECT m.device, m.snapshot, coalesce(s.size_gib, 1), m.size_gib, m.type, m.iops, m.throughput,"
      " m.delete_on_termination FROM image_mapping m LEFT JOIN snapshot s ON s.id = m.snapshot"
      " WHERE m.image = ? ORDER BY m.device <> ?, m.device",
      [&](store::Row& row) {
        image.mappings.push_back({.device = row.text(0),
                                  .snapshot = row.id<SnapshotId>(1),
                                  .least_gib = row.int32(2),
                                  .shape = {.size_gib = row.int32(3),
                                            .type = row.text(4),
                                            .iops = optional_int(row, 5),
                                            .throughput = optional_int(row, 6)},
                                  .delete_on_termination = row.boolean(7)});
      },
      image.id, image.root_device);
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

Result<Image> completed(Scope& scope, std::optional<Image> found, const std::string& named) {
  if (!found) return fail(ImageId::not_found(named));
  add_mappings(scope, *found);
  return *std::move(found);
}

Result<Image> find_by_location(Scope& scope, const std::string& location) {
  const auto slash = location.find('/');
  return completed(
      scope,
      scope.tx.one(VIRGA_IMAGE_COLUMNS "WHERE i.account = ? AND i.name = ? AND " VIRGA_IMAGE_SEEN, from_row,
                   location.substr(0, slash), slash == std::string::npos ? "" : location.substr(slash + 1),
                   scope.account, scope.account),
      location.substr(0, 160));
}

std::string_view why_unavailable(const Image& image) {
  if (image.state == ImageState::pending) return " yet";
  return image.source_instance.empty() ? ": its import failed" : ": it could not be made";
}

Result<Image> require_available(Image image) {
  if (image.state != ImageState::available)
    return fail(Code::invalid_ami_id_unavailable,
                fmt::format("The image ID '{}' is not available{}", image.id.str(), why_unavailable(image)));
  return image;
}

void record_created(Scope& scope, const ImageId& id, const std::string& name, std::string_view state) {
  scope.record(id.str(), nullptr, {{"name", name}, {"state", state}});
}

}  // namespace

namespace {

nlohmann::json journal_of(const Image& image) { return {{"name", image.name}, {"state", state_name(image.state)}}; }

/// The row goes, and what belongs to it; nothing else refers to it.
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
  scope.tx.execute("DELETE FROM image_mapping WHERE image = ?", id);
  scope.tx.execute("DELETE FROM image_launch_permission WHERE image = ?", id);
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
  const auto image = TRY(find_own(scope, id));
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
      "INSERT INTO image (id, account, name, description, public, state, root_device, min_memory_mib, bytes,"
      " created_ms, provided) VALUES (?, ?, ?, ?, ?5, 'pending', ?, ?, ?, ?, ?5)",
      made.id, scope.account, request.name, request.description, request.visibility == Visibility::everyone,
      request.root_device, request.min_memory_mib, made.id, scope.now);
  record_created(scope, made.id, request.name, "pending");
  return made.id;
}

namespace {

void insert_mappings(Scope& scope, const ImageId& id, const NewImage& image) {
  for (const auto& mapping : image.mappings) {
    if (!image.bytes_of.empty() && mapping.device == image.root_device) continue;  // in the image's own row
    scope.tx.execute(
        "INSERT INTO image_mapping (image, device, snapshot, size_gib, type, iops, throughput, delete_on_termination)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        id, mapping.device, mapping.snapshot, mapping.shape.size_gib, mapping.shape.type, mapping.shape.iops,
        mapping.shape.throughput, mapping.delete_on_termination);
  }
}

}  // namespace

Result<ImageId> create(Scope& scope, const NewImage& image) {
  TRY_VOID(check_name(scope, image.name));
  TRY_VOID(check_root_device(image.root_device));
  TRY_VOID(quota::charge(scope, quota::Name::images));
  const auto& root = image.mappings.front();
  const auto id = image.id.empty() ? scope.create_resource<ImageId>().id : image.id;
  scope.tx.execute(
      "INSERT INTO image (id, account, name, description, public, state, root_device, root_gib, root_type, root_delete,"
      " min_memory_mib, bytes, source_instance, imds_support, ena_support, sriov_net_support, boot_mode, created_ms)"
      " VALUES (?, ?, ?, ?, 0, 'available', ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)",
      id, scope.account, image.name, image.description, image.root_device, root.shape.size_gib, root.shape.type,
      root.delete_on_termination, image.min_memory_mib, image.source_instance, image.imds_support,
      image.claims.ena_support, image.claims.sriov_net_support, image.claims.boot_mode, scope.now);
  if (!image.bytes_of.empty())
    scope.tx.execute(
        "UPDATE image SET (bytes, virtual_bytes, file_bytes, sha256) ="
        " (SELECT o.bytes, o.virtual_bytes, o.file_bytes, o.sha256 FROM image o WHERE o.id = ?) WHERE id = ?",
        image.bytes_of, id);
  insert_mappings(scope, id, image);
  scope.tx.execute(
      "UPDATE image SET state = 'pending' WHERE id = ? AND EXISTS (SELECT 1 FROM image_mapping m"
      " JOIN snapshot s ON s.id = m.snapshot WHERE m.image = image.id AND s.state = 'pending')",
      id);
  const auto row = TRY(find(scope, id));
  record_created(scope, id, image.name, state_name(row.state));
  return id;
}

Result<Image> find(Scope& scope, const ImageId& id) {
  return completed(scope,
                   scope.tx.one(VIRGA_IMAGE_COLUMNS "WHERE i.id = ? AND " VIRGA_IMAGE_SEEN, from_row, id, scope.account,
                                scope.account),
                   "[" + id.str() + "]");
}

Result<Image> find_available(Scope& scope, const ImageId& id) {
  auto image = TRY(find(scope, id));
  return require_available(std::move(image));
}

Result<Image> find_own(Scope& scope, const ImageId& id) {
  auto image = TRY(find(scope, id));
  if (image.owner != scope.account)
    return fail(Code::auth_failure, fmt::format("Not authorized for image:{}", id.str()));
  return image;
}

Result<Image> find_source(Scope& scope, const std::string& source) {
  if (!source.starts_with(ImageId::prefix)) {
    auto image = TRY(find_by_location(scope, source));
    return require_available(std::move(image));
  }
  const auto id = TRY(ImageId::parse(source));
  return find_available(scope, id);
}

std::vector<Image> list(Scope& scope, const std::string& after) {
  auto all = scope.tx.all(VIRGA_IMAGE_COLUMNS "WHERE i.id > ? AND " VIRGA_IMAGE_SEEN "ORDER BY i.id", from_row, after,
                          scope.account, scope.account);
  for (auto& image : all) add_mappings(scope, image);
  return all;
}

int min_memory_mib(Scope& scope, const ImageId& id) {
  const auto found = scope.tx.one(
      "SELECT min_memory_mib FROM image WHERE id = ?", [](store::Row& row) { return row.int32(0); }, id);
  return found.value_or(ImportRequest{}.min_memory_mib);
}

int gib_of(std::int64_t bytes) { return static_cast<int>((bytes + (1LL << 30) - 1) >> 30); }

}  // namespace virga::storage::images
