#pragma once

// The metadata service's doors: one listening socket in each VPC's namespace. Which VPC a request came from follows
// from the socket, which instance from the peer's address there.

#include <map>
#include <mutex>

#include "api/http/server.h"
#include "compute/host/metadata_service.h"
#include "hostapi/agent/agent.h"
#include "network/host/host_network.h"

namespace virga::daemon {

class MetadataListeners {
 public:
  MetadataListeners(network::HostNetwork& network, http::Server& server, compute::MetadataService& service)
      : network_(network), server_(server), service_(service) {}
  /// Where instances are looked up; set once, before the first request.
  void serve_for(const hostapi::Agent& agent) { agent_ = &agent; }

  /// Opens the VPC's door, unless it is open; anew when the namespace it leads to was deleted and made again. A failure
  /// is logged and tried again with the next application.
  void open(const network::WantedVpc& vpc);
  void close(const VpcId& vpc);

 private:
  struct Listener {
    http::ListenerId id;
    std::uint64_t incarnation;  ///< of the namespace that it is in
  };
  Result<void> open_locked(const network::WantedVpc& vpc);
  void close_locked(const VpcId& vpc);
  HttpResponse answer(const VpcId& vpc, const HttpRequest& request);

  network::HostNetwork& network_;
  http::Server& server_;
  compute::MetadataService& service_;
  const hostapi::Agent* agent_ = nullptr;
  std::mutex mutex_;
  std::map<VpcId, Listener> listeners_;
};

}  // namespace virga::daemon
