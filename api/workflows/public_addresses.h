#pragma once

// Where elastic addresses meet instances: what one may be associated with, and what takes its place when it goes.

#include <string>

#include "api/call.h"
#include "core/ids.h"

namespace virga::api {

/// The network interface that a caller names by itself or by its instance, which must have no other one. An instance
/// may be starting, but not ending. Errors: MissingParameter, InvalidParameterCombination, ...Malformed and ...NotFound
/// of either, InvalidInstanceID (several interfaces), IncorrectInstanceState.
Result<NetworkInterfaceId> association_target(Call& call, const std::string& instance, const std::string& interface);

/// As on EC2, a guest whose elastic address was taken away gets an automatic one again, if it had one before: while it
/// runs, on its only interface. None being free is no error. Errors: InvalidNetworkInterfaceID.NotFound.
Result<void> renew_public_ip(Call& call, const NetworkInterfaceId& interface);

}  // namespace virga::api
