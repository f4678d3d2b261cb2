#pragma once

// How the network service meets its hosts: the documents they are put, and what they say back. Called by core/engine's
// host synchronisation (composed in daemon/), inside its transactions.

#include <optional>
#include <string>
#include <vector>

#include "core/scope.h"
#include "network/wanted.h"

namespace virga::network {

/// Names of the hosts that must have this VPC now (those with an attached interface of it), whoever owns it.
std::vector<std::string> hosts_of_vpc(store::Transaction& tx, const VpcId& vpc);
/// The document for one host, generation 0; nothing when the VPC no longer exists.
std::optional<WantedVpc> wanted_vpc(store::Transaction& tx, const VpcId& vpc, const std::string& host);
/// Every VPC that some host must have.
std::vector<VpcId> placed_vpcs(store::Transaction& tx);

}  // namespace virga::network
