#include "daemon/metadata_listeners.h"

#include <spdlog/spdlog.h>

namespace virga::daemon {

namespace {
constexpr std::string_view metadata_address = "169.254.169.254";
constexpr std::uint16_t metadata_port = 80;
}  // namespace

void MetadataListeners::open(const network::WantedVpc& vpc) {
  const std::lock_guard lock(mutex_);
  if (listeners_.contains(vpc.id)) return;
  auto socket = network_.listen(vpc, metadata_address, metadata_port);
  if (!socket) {
    spdlog::error("metadata of {}: {}", vpc.id.str(), describe(socket.error()));
    return;
  }
  const auto listener = server_.adopt(std::move(*socket), [this, id = vpc.id](const HttpRequest& request) {
    return answer(id, request);
  });
  if (listener) listeners_[vpc.id] = *listener;
  else spdlog::error("metadata of {}: {}", vpc.id.str(), describe(listener.error()));
}

void MetadataListeners::close(const VpcId& vpc) {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(vpc);
  if (found == listeners_.end()) return;
  server_.close(found->second);
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
