#pragma once

// ClientToken: the same token with the same parameters does nothing and is answered with what the first call made, in
// its state now (the row's `refresh`); with other parameters it is refused. Looked up and stored in the transaction of
// the work itself, so of parallel calls with one token exactly one does the work.

#include <chrono>
#include <string>

#include "api/action.h"
#include "core/scope.h"

namespace virga::api {

/// How long a token is remembered; that of a launch is remembered that long after its last instance ended, as EC2's is.
inline constexpr std::chrono::hours client_token_lifetime{24};

/// Runs the invocation unless its token has been used: then its response is the stored one, refreshed.
/// Errors: the handler's; those of the row's refresh (what the first call made may be gone);
/// IdempotentParameterMismatch; InvalidParameterValue (a token longer than 64 characters or not printable ASCII).
Result<void> run_once(const Action& action, Action::Invocation& invocation, Call& call);

/// Forgets tokens older than their lifetime; for the composition's timer, at least hourly. Returns how many.
std::int64_t expire_client_tokens(store::Transaction& tx, Time now);

}  // namespace virga::api
