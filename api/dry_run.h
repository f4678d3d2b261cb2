#pragma once

// What a request with DryRun is answered. Its handler has run in its transaction like that of any other request, and
// the transaction was rolled back: nothing is changed, and no host hears of it.

#include "core/result.h"

namespace virga::api {

/// Whether an error says that there is no room just now (a quota, a host's capacity, a subnet's addresses), rather than
/// that the request is wrong.
bool is_want_of_room(Code code);

/// DryRunOperation when the handler succeeded; also when there is no room just now, which the message then says with
/// the code that the real request would get. Otherwise the handler's error.
Error dry_run_answer(const Result<void>& outcome);

}  // namespace virga::api
