#pragma once

// ClientToken: the same token with the same parameters gets the first answer again, with others it is refused. Looked
// up and stored in the transaction of the work itself, so of parallel calls with one token exactly one does the work.

#include <chrono>
#include <string>

#include "api/action.h"
#include "core/scope.h"

namespace virga::api {

/// How long a token is remembered.
inline constexpr std::chrono::hours client_token_lifetime{24};

/// Runs the invocation unless its token has been used: then its response is filled with the stored one.
/// Errors: the handler's; IdempotentParameterMismatch; InvalidParameterValue (a token longer than 64 characters or not
/// printable ASCII).
Result<void> run_once(const Action& action, Action::Invocation& invocation, Call& call);

/// Forgets tokens older than their lifetime; for the composition's timer. Returns how many.
std::int64_t expire_client_tokens(store::Transaction& tx, Time now);

}  // namespace virga::api
