#include "storage/host/simulated_volumes.h"
#include "core/json_values.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "core/durable_file.h"

namespace virga::storage {
namespace {

struct FileFacts {
  std::uint64_t bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::string sha256;
};

/// The disk's size as a qcow2 header states it; else the file's own.
std::uint64_t virtual_size(std::string_view head, std::uint64_t file_bytes) {
  if (head.size() < 32 || !head.starts_with(std::string_view("QFI\xfb", 4))) return file_bytes;
  std::uint64_t size = 0;
  for (std::size_t i = 24; i < 32; ++i) size = size << 8 | static_cast<unsigned char>(head[i]);
  return size;
}

std::string hex(const unsigned char* bytes, unsigned size) {
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

Result<FileFacts> measure(const std::string& path) {
  std::error_code error;
  std::ifstream file(path, std::ios::binary);
  if (!std::filesystem::is_regular_file(path, error) || !file) {
    return fail(Code::invalid_parameter_value, "The image's file cannot be read.", path);
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!hash || EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) != 1) return fail(internal_error("SHA-256"));
  FileFacts facts;
  std::string head;
  std::array<char, 64 << 10> buffer{};
  while (file.read(buffer.data(), buffer.size()), file.gcount() > 0) {
    const auto got = static_cast<std::size_t>(file.gcount());
    if (facts.bytes == 0) head.assign(buffer.data(), std::min<std::size_t>(got, 64));
    facts.bytes += got;
    EVP_DigestUpdate(hash.get(), buffer.data(), got);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(hash.get(), digest.data(), &size);
  if (facts.bytes == 0) return fail(Code::invalid_parameter_value, "The image's file is empty.", path);
  facts.virtual_bytes = virtual_size(head, facts.bytes);
  facts.sha256 = hex(digest.data(), size);
  return facts;
}

}  // namespace

Result<std::unique_ptr<SimulatedVolumes>> SimulatedVolumes::create(std::filesystem::path directory,
                                                                   std::int64_t total_gib, Faults& faults) {
  std::unique_ptr<SimulatedVolumes> volumes(new SimulatedVolumes(std::move(directory), total_gib, faults));
  TRY_VOID(volumes->load());
  faults.subscribe([raw = volumes.get()](FaultKind kind, const std::string& object) {
    if (kind == FaultKind::forget) raw->forget(object);
  });
  return volumes;
}

SimulatedVolumes::SimulatedVolumes(std::filesystem::path directory, std::int64_t total_gib, Faults& faults)
    : directory_(std::move(directory)), total_gib_(total_gib), faults_(faults) {}

Result<void> SimulatedVolumes::load() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return fail(internal_error("create " + directory_.string() + ": " + error.message()));
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().extension() != ".json") continue;
    const auto text = TRY(read_file(entry.path()));
    try {
      const auto json = nlohmann::json::parse(text);
      const auto name = entry.path().filename().string();
      if (name.starts_with("vol-")) {
        nlohmann::json complete = WantedVolume{};  // an earlier version wrote fewer members
        complete.update(json);
        auto volume = complete.get<WantedVolume>();
        volumes_.emplace(volume.id, std::move(volume));
      } else if (name.starts_with("snap-")) {
        const Snapshot snapshot{.made = json.at("made").get<WantedSnapshot>(),
                                .removed = json.at("removed").get<bool>()};
        snapshots_.emplace(snapshot.made.id, snapshot);
      } else {
        auto image = json.get<ObservedImage>();
        images_.emplace(image.id, std::move(image));
      }
    } catch (const nlohmann::json::exception& exception) {
      return fail(internal_error(entry.path().string() + ": " + exception.what()));
    }
  }
  return {};
}

void SimulatedVolumes::forget(const std::string& object) {
  const std::lock_guard lock(mutex_);
  std::erase_if(volumes_, [&](const auto& entry) { return entry.first.str() == object; });
  std::erase_if(snapshots_, [&](const auto& entry) { return entry.first.str() == object; });
  std::erase_if(images_, [&](const auto& entry) { return entry.first.str() == object; });
  if (VolumeId::parse(object) || SnapshotId::parse(object) || ImageId::parse(object)) {
    static_cast<void>(remove_file(directory_ / (object + ".json"), Durability::process_end));
  }
}

std::string SimulatedVolumes::path(const VolumeId& id) const { return (directory_ / (id.str() + ".json")).string(); }
std::string SimulatedVolumes::image_path(const ImageId& id) const {
  return (directory_ / (id.str() + ".json")).string();
}

std::int64_t SimulatedVolumes::promised_gib() const {
  std::int64_t sum = 0;
  for (const auto& [id, volume] : volumes_) sum += static_cast<std::int64_t>(volume.size_gib);
  return sum;
}

Result<void> SimulatedVolumes::check_base(const WantedVolume& volume) const {
  if (!volume.image.empty() && !images_.contains(volume.image))
    return fail(Code::incorrect_state, "The volume's image is not on this host.");
  if (volume.snapshot.empty()) return {};
  const auto base = snapshots_.find(volume.snapshot);
  if (base == snapshots_.end()) return fail(Code::incorrect_state, "The volume's snapshot is not on this host.");
  if (volume.size_gib < base->second.made.size_gib)
    return fail(Code::invalid_parameter_value, "The volume is smaller than its snapshot.");
  return {};
}

Result<void> SimulatedVolumes::create(const WantedVolume& volume) {
  TRY_VOID(faults_.enter("storage.create", volume.id.str()));
  {
    const std::lock_guard lock(mutex_);
    if (!volumes_.contains(volume.id)) {
      TRY_VOID(check_base(volume));
      const auto free_gib = total_gib_ - promised_gib();
      if (static_cast<std::int64_t>(volume.size_gib) > free_gib) {
        return fail(
            Code::insufficient_volume_capacity,
            fmt::format("The host has not enough storage: needed {} GiB, free {} GiB.", volume.size_gib, free_gib));
      }
      TRY_VOID(replace_file(path(volume.id), nlohmann::json(volume).dump(), Durability::process_end));
      volumes_.emplace(volume.id, volume);
    }
  }
  faults_.leave("storage.create");
  return {};
}

Result<void> SimulatedVolumes::resize(const VolumeId& id, std::uint64_t size_gib) {
  TRY_VOID(faults_.enter("storage.resize", id.str()));
  {
    const std::lock_guard lock(mutex_);
    const auto found = volumes_.find(id);
    if (found == volumes_.end()) return fail(Code::incorrect_state, "The volume is not on this host.");
    auto grown = found->second;
    if (grown.size_gib < size_gib) {
      const auto needed = static_cast<std::int64_t>(size_gib - grown.size_gib);
      const auto free_gib = total_gib_ - promised_gib();
      if (needed > free_gib) {
        return fail(Code::insufficient_volume_capacity,
                    fmt::format("The host has not enough storage: needed {} GiB, free {} GiB.", needed, free_gib));
      }
      grown.size_gib = size_gib;
      TRY_VOID(replace_file(path(id), nlohmann::json(grown).dump(), Durability::process_end));
      found->second = std::move(grown);
    }
  }
  faults_.leave("storage.resize");
  return {};
}

Result<void> SimulatedVolumes::remove(const VolumeId& id) {
  TRY_VOID(faults_.enter("storage.remove", id.str()));
  {
    const std::lock_guard lock(mutex_);
    TRY_VOID(remove_file(path(id), Durability::process_end));
    volumes_.erase(id);
    for (auto entry = snapshots_.begin(); entry != snapshots_.end();) {
      const bool unneeded = entry->second.removed && !is_base_of_a_volume(entry->first);
      if (unneeded) TRY_VOID(remove_file(snapshot_path(entry->first), Durability::process_end));
      entry = unneeded ? snapshots_.erase(entry) : std::next(entry);
    }
  }
  faults_.leave("storage.remove");
  return {};
}

Result<std::vector<ObservedVolume>> SimulatedVolumes::list() {
  TRY_VOID(faults_.enter("storage.list", "@storage"));
  const std::lock_guard lock(mutex_);
  std::vector<ObservedVolume> all;
  for (const auto& [id, volume] : volumes_) {
    all.push_back({.id = id,
                   .generation = volume.generation,
                   .ready = true,
                   .allocated_bytes = 0,
                   .size_gib = volume.size_gib,
                   .problem = {}});
  }
  return all;
}

Result<ObservedImage> SimulatedVolumes::import_image(const ImageId& id, const std::string& source_path) {
  TRY_VOID(faults_.enter("storage.import_image", id.str()));
  const auto facts = TRY(measure(source_path));
  ObservedImage image{.id = id,
                      .ready = true,
                      .virtual_bytes = facts.virtual_bytes,
                      .file_bytes = facts.bytes,
                      .sha256 = facts.sha256,
                      .problem = {}};
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = images_.find(id); found != images_.end()) return found->second;
    TRY_VOID(replace_file(image_path(id), nlohmann::json(image).dump(), Durability::process_end));
    images_.emplace(id, image);
  }
  faults_.leave("storage.import_image");
  return image;
}

Result<void> SimulatedVolumes::remove_image(const ImageId& id) {
  TRY_VOID(faults_.enter("storage.remove_image", id.str()));
  const std::lock_guard lock(mutex_);
  const bool in_use =
      std::any_of(volumes_.begin(), volumes_.end(), [&](const auto& entry) { return entry.second.image == id; });
  if (in_use) return fail(Code::incorrect_state, "A volume is based on the image.");
  TRY_VOID(remove_file(image_path(id), Durability::process_end));
  images_.erase(id);
  return {};
}

Result<std::vector<ObservedImage>> SimulatedVolumes::list_images() {
  TRY_VOID(faults_.enter("storage.list_images", "@storage"));
  const std::lock_guard lock(mutex_);
  std::vector<ObservedImage> all;
  for (const auto& [id, image] : images_) all.push_back(image);
  return all;
}

Result<VolumeBackend::Space> SimulatedVolumes::space() {
  return Space{.total_gib = total_gib_, .free_gib = total_gib_};
}

Result<std::vector<std::string>> SimulatedVolumes::remove_leftovers() {
  std::vector<std::string> removed;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().extension() != ".tmp" && entry.path().extension() != ".backup") continue;
    removed.push_back(entry.path().filename().string());
    TRY_VOID(remove_file(entry.path(), Durability::process_end));
  }
  return removed;
}

}  // namespace virga::storage
