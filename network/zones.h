#pragma once

// Names of zones, their ids, and the names DNS gives to private addresses.

#include <optional>
#include <string>
#include <string_view>

#include "core/config.h"

namespace virga::network {

struct Zone {
  std::string name;  ///< us-east-1a
  std::string id;    ///< use1-az1; in regions other than us-east-1 "<region>-az<N>"
};

/// The configured zones in their order.
std::vector<Zone> zones(const Config& config);
std::optional<Zone> zone_by_name(const Config& config, std::string_view name);
std::optional<Zone> zone_by_id(const Config& config, std::string_view id);

/// "ec2.internal" in us-east-1, else "<region>.compute.internal", as on EC2.
std::string internal_domain(std::string_view region);
/// "ip-172-31-0-10".
std::string host_name_of(std::string_view private_ip);

}  // namespace virga::network
