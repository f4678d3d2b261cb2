#include <fmt/format.h>

#include "storage/host/qcow2_backend.h"

#include "core/durable_file.h"
#include "core/json_values.h"

// The image side of the qcow2 backend.

namespace virga::storage {

namespace {

std::string disk_name(const ImageId& id) { return id.str() + ".qcow2"; }
std::string record_name(const ImageId& id) { return id.str() + ".json"; }

Error busy(const ImageId& id) {
  return {Code::incorrect_state,
          fmt::format("The image '{}' is being imported. Wait until it is available.", id.str()),
          {}};
}

/// Marks an image as being imported for as long as it lives.
class ImportMark {
 public:
  ImportMark(std::mutex& mutex, std::set<ImageId>& importing, const ImageId& id)
      : mutex_(mutex), importing_(importing), id_(id) {
    const std::lock_guard lock(mutex_);
    ours_ = importing_.insert(id).second;
  }
  ~ImportMark() {
    const std::lock_guard lock(mutex_);
    if (ours_) importing_.erase(id_);
  }
  ImportMark(const ImportMark&) = delete;
  ImportMark& operator=(const ImportMark&) = delete;
  bool ours() const { return ours_; }

 private:
  std::mutex& mutex_;
  std::set<ImageId>& importing_;
  const ImageId id_;
  bool ours_ = false;
};

}  // namespace

std::vector<std::string> Qcow2Backend::backing(const WantedVolume& volume) const {
  if (!volume.snapshot.empty()) return {snapshots_.path(volume.snapshot)};
  if (volume.image.empty()) return {};
  return {images_.path_of(disk_name(volume.image))};
}

Result<ObservedImage> Qcow2Backend::observe(const ImageId& id) const {
  constexpr std::size_t max_record_bytes = 4096;
  if (!TRY(images_.find(record_name(id))))
    return fail(Code::incorrect_state, fmt::format("The image '{}' is not on this host. Import it first.", id.str()));
  ObservedImage image;
  image.id = id;
  const auto text = read_file(images_.path_of(record_name(id)), max_record_bytes);
  const auto record = nlohmann::json::parse(text.value_or(""), nullptr, false);
  const auto has = [&](const char* key, auto is) {
    return record.is_object() && record.contains(key) && (record[key].*is)();
  };
  if (!has("virtual_bytes", &nlohmann::json::is_number_unsigned) ||
      !has("file_bytes", &nlohmann::json::is_number_unsigned) || !has("sha256", &nlohmann::json::is_string)) {
    image.problem = "The record of the image's import is damaged. Delete the image and import it again.";
    return image;
  }
  image.virtual_bytes = record["virtual_bytes"];
  image.file_bytes = record["file_bytes"];
  image.sha256 = record["sha256"];
  const auto status = TRY(images_.find(disk_name(id)));
  const std::lock_guard lock(images_mutex_);
  const auto checked = intact_.find(id);
  const bool damaged = checked != intact_.end() && !checked->second;
  image.ready = status && static_cast<std::uint64_t>(status->st_size) == image.file_bytes && !damaged;
  if (!image.ready) image.problem = "The image's bytes are damaged. Delete the image and import it again.";
  return image;
}

Result<ObservedImage> Qcow2Backend::verified_image(const ImageId& id) {
  auto image = TRY(observe(id));
  bool known = false;
  {
    const std::lock_guard lock(images_mutex_);
    known = intact_.contains(id);
  }
  if (image.ready && !known) {
    const auto file = TRY(images_.open_file(disk_name(id)));
    const bool intact = TRY(sha256_of(file.get())) == image.sha256;
    const std::lock_guard lock(images_mutex_);
    intact_[id] = intact;
    image.ready = intact;
  }
  if (!image.ready)
    return fail(Code::incorrect_state,
                fmt::format("The bytes of image '{}' are damaged. Delete the image and import it again.", id.str()));
  return image;
}

Result<ObservedImage> Qcow2Backend::import_image(const ImageId& id, const std::string& source_path) {
  const ImportMark mark(images_mutex_, importing_, id);
  if (!mark.ours()) return fail(busy(id));
  if (TRY(images_.find(record_name(id)))) return observe(id);
  ImageImport import(spool_, runner_, limits_);
  auto imported = import.run(source_path, id.str(), images_, disk_name(id));
  if (!imported) return fail(within("import " + id.str(), std::move(imported.error())));
  const nlohmann::json record = {
      {"virtual_bytes", imported->virtual_bytes}, {"file_bytes", imported->file_bytes}, {"sha256", imported->sha256}};
  TRY_VOID(replace_file(images_.path_of(record_name(id)), record.dump()));
  {
    const std::lock_guard lock(images_mutex_);
    intact_[id] = true;
  }
  return observe(id);
}

Result<bool> Qcow2Backend::is_base_of_a_volume(const ImageId& id) const {
  const auto base = images_.path_of(disk_name(id));
  for (const auto& name : TRY(volumes_.names())) {
    if (!name.ends_with(".qcow2")) continue;
    const auto file = TRY(volumes_.open_file(name));
    // A file that cannot be read counts as one that needs the image: deleting is not undone.
    const auto bytes = TRY(ImageBytes::open(file.get()));
    const auto backing = backing_file(bytes);
    if (!backing || *backing == base) return true;
  }
  return false;
}

Result<void> Qcow2Backend::remove_image(const ImageId& id) {
  const std::lock_guard lock(volumes_mutex_);
  const ImportMark mark(images_mutex_, importing_, id);
  if (!mark.ours()) return fail(busy(id));
  if (TRY(is_base_of_a_volume(id)))
    return fail(Code::incorrect_state,
                fmt::format("The image '{}' is in use by a volume. Delete the volumes made from it first.", id.str()));
  // The record goes first: without it the bytes are a leftover, whatever happens next.
  TRY_VOID(images_.remove(record_name(id)));
  TRY_VOID(images_.remove(disk_name(id)));
  {
    const std::lock_guard images_lock(images_mutex_);
    intact_.erase(id);
  }
  return images_.sync();
}

Result<std::vector<ObservedImage>> Qcow2Backend::list_images() {
  std::vector<ObservedImage> found;
  for (const auto& name : TRY(images_.names())) {
    if (!name.ends_with(".json")) continue;
    const auto id = ImageId::parse(name.substr(0, name.size() - std::string_view(".json").size()));
    if (!id) continue;
    auto image = observe(*id);
    if (!image && image.error().code == Code::incorrect_state) continue;  // gone meanwhile
    if (!image) {  // one that cannot be looked at is no reason to see none
      image = ObservedImage();
      image->id = *id;
      image->problem = "The image's files cannot be read. Delete the image and import it again.";
    }
    found.push_back(std::move(*image));
  }
  return found;
}

}  // namespace virga::storage
