#pragma once

// What changes of an image after it was made: who may launch from it, its words, when it is deprecated, and, while it
// is pending, what becomes of its snapshots. Only its owner changes it.

#include <vector>

#include "storage/images.h"

namespace virga::storage::images {

/// Errors of all: InvalidAMIID.NotFound, AuthFailure (of another account).
Result<void> set_description(Scope& scope, const ImageId& id, const std::string& description);
/// Launches from it get instances whose metadata service wants a token. There is no way back, as on EC2.
Result<void> require_imds_v2(Scope& scope, const ImageId& id);
Result<void> set_visibility(Scope& scope, const ImageId& id, Visibility visibility);
/// Errors: InvalidAMIAttributeItemValue (there is no such account).
Result<void> share(Scope& scope, const ImageId& id, const AccountId& with);
Result<void> unshare(Scope& scope, const ImageId& id, const AccountId& with);
/// The owner's alone again.
Result<void> reset_permissions(Scope& scope, const ImageId& id);
/// The accounts that it is shared with one by one, to its owner.
std::vector<AccountId> shared_with(Scope& scope, const ImageId& id);
/// Whether its owner shares it with this account by name.
bool is_shared_with_me(Scope& scope, const ImageId& id);
/// Nothing: not deprecated.
Result<void> set_deprecation(Scope& scope, const ImageId& id, const std::optional<Time>& at);
void note_launch(Scope& scope, const ImageId& id);

/// Ends `pending` of those whose snapshots are all settled. `scope.account` is not used.
void settle(Scope& scope);
/// Whether a snapshot of a volume that the instance has is still being made.
bool is_copying(Scope& scope, const InstanceId& instance);
/// The instance is gone before its snapshots could begin: they never will, and their images fail.
void give_up(Scope& scope, const InstanceId& instance);

}  // namespace virga::storage::images
