#include "hostapi/agent/images.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "hostapi/agent/parts.h"

namespace virga::hostapi {

Result<void> ImageImports::enqueue(const ImageId& id, const std::string& path) {
  constexpr std::size_t max_path = 4096;
  if (path.empty() || path.front() != '/' || path.size() >= max_path || path.find('\0') != std::string::npos) {
    return fail(Code::invalid_parameter_value, "The image's file must be named by its absolute path.");
  }
  const std::lock_guard lock(mutex_);
  const bool queued =
      std::any_of(waiting_.begin(), waiting_.end(), [&](const Import& import) { return import.id == id; });
  if (queued) return {};
  if (waiting_.size() >= max_waiting) return fail(Code::request_limit_exceeded, "Too many images wait to be imported.");
  waiting_.push_back({id, path});
  problems_.erase(id);
  return {};
}

Pass ImageImports::pass() {
  Import import;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return {.progressed = false, .next = clock_.now() + look_interval};
    import = waiting_.front();
  }
  const auto image = volumes_.import_image(import.id, import.path);
  {
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();
    if (!image) problems_[import.id] = image.error().message;
  }
  if (!image) spdlog::warn("import of {}: {}", import.id.str(), describe(image.error()));
  done_();
  return {.progressed = true, .next = clock_.now()};
}

std::vector<storage::ObservedImage> ImageImports::merged_with(std::vector<storage::ObservedImage> images) const {
  const std::lock_guard lock(mutex_);
  const auto listed = [&](const ImageId& id) {
    return std::any_of(images.begin(), images.end(),
                       [&](const storage::ObservedImage& image) { return image.id == id; });
  };
  std::vector<storage::ObservedImage> more;
  const auto add = [&](const ImageId& id, const std::string& problem) {
    if (listed(id)) return;
    storage::ObservedImage image;
    image.id = id;
    image.problem = problem;
    more.push_back(std::move(image));
  };
  for (const auto& import : waiting_) add(import.id, {});
  for (const auto& [id, problem] : problems_) add(id, problem);
  images.insert(images.end(), more.begin(), more.end());
  return images;
}

void ImageImports::forget(const ImageId& id) {
  const std::lock_guard lock(mutex_);
  problems_.erase(id);
}

}  // namespace virga::hostapi
