#pragma once

// The instance metadata service (169.254.169.254:80): IMDSv1 and IMDSv2 as EC2's. It answers requests; sockets are
// someone else's.
//
// Who asks is decided by the caller from the listening socket (one per VPC) and the peer's address, which the VPC's
// anti-spoofing rules guarantee; no header has a say in it (threat M01). Thread-safe.

#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "compute/host/metadata_tokens.h"
#include "compute/wanted.h"
#include "core/http.h"
#include "core/time.h"

namespace virga::compute {

/// Bounds of what one network interface may ask for (threat M04). The server that owns the sockets applies those it
/// knows of before the service sees a request.
struct MetadataLimits {
  static constexpr std::size_t connections_per_interface = 8;
  static constexpr std::size_t header_bytes = 8 << 10;
  static constexpr std::size_t body_bytes = 1 << 10;  ///< a token request has none
  static constexpr int requests_per_second = 100;     ///< and as many at once after a pause
};

/// The instance behind an address of a VPC; nullptr if no instance of that VPC has it.
const WantedInstance* find_by_address(std::span<const WantedInstance> instances, const VpcId& vpc,
                                      std::string_view address);

/// IP_TTL of the packets that carry a token: with the default of 1 a token does not pass a router, so that a proxy or
/// container that forwards requests of strangers gets none (threat M02). Answers of GETs have the usual TTL.
int hop_limit(const WantedInstance& instance);

class MetadataService {
 public:
  MetadataService(MetadataTokens tokens, const Clock& clock) : tokens_(std::move(tokens)), clock_(clock) {}

  /// Answers a request that came from `instance`; request.peer.address selects its network interface.
  HttpResponse respond(const WantedInstance& instance, const HttpRequest& request);

 private:
  bool admit(const NetworkInterfaceId& interface, Time now);
  HttpResponse give_token(const WantedInstance& instance, const TokenHolder& holder, const HttpRequest& request,
                          Time now) const;
  HttpResponse read(const WantedInstance& instance, const TokenHolder& holder, const HttpRequest& request,
                    Time now) const;

  const MetadataTokens tokens_;
  const Clock& clock_;

  /// What an interface may still ask for: refilled with time.
  struct Budget {
    double requests = MetadataLimits::requests_per_second;
    Time at;
  };
  std::mutex mutex_;  ///< of budgets_
  std::map<NetworkInterfaceId, Budget> budgets_;
};

}  // namespace virga::compute
