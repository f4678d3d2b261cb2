#pragma once

#include <chrono>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::hostapi {

/// Connects to the unix socket and asks for `target` with an Upgrade to a raw stream of bytes. The descriptor is
/// blocking and at the first byte of the stream. Errors: `unavailable` within `timeout`; the host's own.
Result<UniqueFd> open_upgraded(const std::string& socket, const std::string& target, std::chrono::milliseconds timeout);

/// What a status other than success, with this body, means.
Error error_of_answer(long status, const std::string& body);

}  // namespace virga::hostapi
