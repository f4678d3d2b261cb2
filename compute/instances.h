#pragma once

// Instance rows. Every query is bound to scope.account; another account's id and an unknown one look the same.

#include <optional>
#include <string>
#include <vector>

#include "compute/instance_types.h"
#include "compute/state.h"
#include "compute/wanted.h"
#include "core/scope.h"

namespace virga::compute {

enum class ShutdownBehavior { stop, terminate };
constexpr std::string_view to_string(ShutdownBehavior behavior) {
  return behavior == ShutdownBehavior::terminate ? "terminate" : "stop";
}
/// What is to happen when the instance's host fails. Kept and shown: guests do not move between hosts yet.
enum class AutoRecovery { by_default, disabled };
constexpr std::string_view to_string(AutoRecovery recovery) {
  return recovery == AutoRecovery::disabled ? "disabled" : "default";
}

/// What a launch decides; what of it may change later stands in compute/attributes.h.
struct InstanceSpec {
  ReservationId reservation;
  int launch_index = 0;
  ImageId image;
  std::string root_device;
  InstanceType type;
  std::string zone;
  std::string host;
  VpcId vpc;
  SubnetId subnet;
  std::string key_name;
  std::string public_key;
  std::optional<std::string> user_data;  ///< base64
  ShutdownBehavior shutdown_behavior = ShutdownBehavior::stop;
  bool protect_termination = false;
  bool protect_stop = false;
  std::string cpu_credits;
  MetadataOptions metadata;
  bool monitoring = false;  ///< detailed monitoring was asked for
  bool ebs_optimized = false;
  AutoRecovery auto_recovery = AutoRecovery::by_default;
  std::string client_token;
};

struct Instance {
  InstanceId id;
  std::uint32_t number = 0;
  AccountId account;
  InstanceSpec spec;  ///< of `type` only vcpus and memory_mib
  std::string type_name;
  InstanceState state = InstanceState::pending;
  Power power = Power::running;
  std::uint64_t start_number = 1;
  std::uint64_t reboot_number = 0;
  int shutdown_timeout_s = 0;
  bool holds_capacity = false;
  ImageId image_hold;  ///< for which its guest is kept off now (api/workflows/create_image.h); empty: none
  std::string reason_code;
  std::string reason_message;
  std::string transition_reason;
  Time launched;
  Time created;
};

namespace instances {

/// Errors: InvalidInstanceID.NotFound.
Result<Instance> find(Scope& scope, const InstanceId& id);
/// All of them exist, in the order asked for, or the first missing one's error.
Result<std::vector<Instance>> find_all(Scope& scope, const std::vector<InstanceId>& ids);
/// All of the account, ascending by id, behind `after`.
std::vector<Instance> list(Scope& scope, const std::string& after = {});
/// Whatever account they belong to: for reconcilers only.
std::optional<Instance> find_anywhere(store::Transaction& tx, const InstanceId& id);
/// Those whose guest is kept off for an image.
std::vector<Instance> list_held(store::Transaction& tx);

/// Writes the row of an instance in state pending; its id was made by the caller (scope.create_resource), its quota
/// charged before. Takes the host's capacity, journals, and touches its document.
void insert(Scope& scope, const NewResource<InstanceId>& resource, const InstanceSpec& spec);

}  // namespace instances

/// Errors: InvalidParameterValue (a value that the option does not have).
Result<void> check_metadata_options(const MetadataOptions& options);

/// What the journal keeps of an instance.
nlohmann::json journal_of(const Instance& instance);

}  // namespace virga::compute
