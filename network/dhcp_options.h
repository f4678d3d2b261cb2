#pragma once

// DHCP options: one set for each account, made with its first VPC and kept.

#include <string>
#include <vector>

#include "core/config.h"
#include "core/scope.h"

namespace virga::network {

struct DhcpOptions {
  DhcpOptionsId id;
  std::string domain;
};

namespace dhcp_options {
/// The account's set, made now if there is none.
DhcpOptions of_account(Scope& scope, const Config& config);
/// Errors: InvalidDhcpOptionID.NotFound.
Result<DhcpOptions> find(Scope& scope, const DhcpOptionsId& id);
Result<std::vector<DhcpOptions>> list(Scope& scope, const std::vector<DhcpOptionsId>& ids = {});
}  // namespace dhcp_options

}  // namespace virga::network
