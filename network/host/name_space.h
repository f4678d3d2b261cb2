#pragma once

// Network namespaces pinned under /run/netns, where `ip netns` shows them too.
//
// A namespace belongs to a thread: whatever must happen inside one runs in a thread of its own that enters, works and
// ends, so that no other thread of the process ever finds itself in a tenant's network.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace virga::network {

/// Makes the namespace. Success if it exists.
Result<void> create_name_space(const std::string& name);
/// Takes its name away; the kernel frees it when the last process and socket in it are gone. Success if there is none.
Result<void> remove_name_space(const std::string& name);
bool name_space_exists(const std::string& name);
/// Names that begin with `prefix`.
std::vector<std::string> list_name_spaces(std::string_view prefix);
/// The kernel's number for the namespace behind the name; unique among those that exist.
Result<std::uint64_t> name_space_identity(const std::string& name);
/// A descriptor that stands for the namespace.
Result<UniqueFd> open_name_space(const std::string& name);

/// The same for the calling thread's own.
Result<UniqueFd> open_own_name_space();

/// Runs `work` in a thread inside the namespace and waits for it. Children started by the work live in the namespace.
Result<void> in_name_space(const std::string& name, const std::function<Result<void>()>& work);
/// The same inside a new namespace without a name, which ends with the work.
Result<void> in_scratch_name_space(const std::function<Result<void>()>& work);

}  // namespace virga::network
