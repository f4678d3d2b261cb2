#include "daemon/metadata_listeners.h"

#include <spdlog/spdlog.h>

namespace virga::daemon {

namespace {
constexpr std::string_view metadata_address = "169.254.169.254";
constexpr std::uint16_t metadata_port = 80;
}  // namespace

void MetadataListeners::open(const network::WantedVpc& vpc) {
  const std::lock_guard lock(mutex_);
  const auto opened = open_locked(vpc);
  if (!opened) spdlog::error("metadata of {}: {}", vpc.id.str(), describe(opened.error()));
}

Result<void> MetadataListeners::open_locked(const network::WantedVpc& vpc) {
  const auto incarnation = TRY(network_.incarnation(vpc));
  const auto present = listeners_.find(vpc.id);
  if (present != listeners_.end() && present->second.incarnation == incarnation) return {};
  close_locked(vpc.id);
  auto socket = TRY(network_.listen(vpc, metadata_address, metadata_port));
  auto respond = [this, id = vpc.id](const HttpRequest& request) { return answer(id, request); };
  const auto listener = TRY(server_.adopt(std::move(socket), std::move(respond)));
  listeners_[vpc.id] = {listener, incarnation};
  return {};
}

void MetadataListeners::close(const VpcId& vpc) {
  const std::lock_guard lock(mutex_);
  close_locked(vpc);
}

void MetadataListeners::close_locked(const VpcId& vpc) {
  const auto found = listeners_.find(vpc);
  if (found == listeners_.end()) return;
  server_.close(found->second.id);
  listeners_.erase(found);
}

HttpResponse MetadataListeners::answer(const VpcId& vpc, const HttpRequest& request) {
  const auto instance = agent_ == nullptr ? std::nullopt : agent_->instance_by_address(vpc, request.peer.address);
  if (!instance) {
    HttpResponse nobody;
    nobody.status = 404;
    nobody.content_type = "text/plain";
    return nobody;
  }
  return service_.respond(*instance, request);
}

}  // namespace virga::daemon
