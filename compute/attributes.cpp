#include "compute/attributes.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include "core/assert.h"

namespace virga::compute::attributes {

namespace {

bool needs_stopped(const Changes& changes) {
  return changes.type.has_value() || changes.user_data.has_value() || changes.ebs_optimized.has_value();
}

/// User data may hold secrets: the journal keeps its size only.
nlohmann::json attributes_of(const Instance& instance) {
  const auto& spec = instance.spec;
  return {{"instance_type", instance.type_name}, {"user_data_size", spec.user_data ? spec.user_data->size() : 0},
          {"ebs_optimized", spec.ebs_optimized}, {"protect_termination", spec.protect_termination},
          {"protect_stop", spec.protect_stop},   {"shutdown_behavior", to_string(spec.shutdown_behavior)},
          {"monitoring", spec.monitoring},       {"metadata", spec.metadata},
          {"cpu_credits", spec.cpu_credits},     {"auto_recovery", to_string(spec.auto_recovery)}};
}

/// Between burstable types the choice of credits stays; a type that has none loses it.
void take_type(Instance& instance, const InstanceType& type) {
  instance.type_name = type.name;
  instance.spec.type = type;
  auto& credits = instance.spec.cpu_credits;
  if (!type.burstable)
    credits.clear();
  else if (credits.empty())
    credits = default_cpu_credits(type);
}

Instance applied(Instance instance, const Changes& changes) {
  auto& spec = instance.spec;
  if (changes.type) take_type(instance, *changes.type);
  if (changes.user_data) spec.user_data = changes.user_data->empty() ? std::nullopt : changes.user_data;
  spec.ebs_optimized = changes.ebs_optimized.value_or(spec.ebs_optimized);
  spec.protect_termination = changes.protect_termination.value_or(spec.protect_termination);
  spec.protect_stop = changes.protect_stop.value_or(spec.protect_stop);
  spec.shutdown_behavior = changes.shutdown_behavior.value_or(spec.shutdown_behavior);
  spec.monitoring = changes.monitoring.value_or(spec.monitoring);
  spec.metadata = changes.metadata.value_or(spec.metadata);
  spec.cpu_credits = changes.cpu_credits.value_or(spec.cpu_credits);
  spec.auto_recovery = changes.auto_recovery.value_or(spec.auto_recovery);
  return instance;
}

void write(Scope& scope, const Instance& instance) {
  const auto& spec = instance.spec;
  scope.tx.execute(
      "UPDATE instance SET instance_type = ?, vcpus = ?, memory_mib = ?, user_data = ?, ebs_optimized = ?,"
      " protect_termination = ?, protect_stop = ?, shutdown_behavior = ?, monitoring = ?, cpu_credits = ?,"
      " auto_recovery = ?, http_tokens = ?, http_endpoint = ?, http_hop_limit = ?, metadata_tags = ?"
      " WHERE account = ? AND id = ?",
      instance.type_name, spec.type.vcpus, spec.type.memory_mib, spec.user_data, spec.ebs_optimized,
      spec.protect_termination, spec.protect_stop, to_string(spec.shutdown_behavior), spec.monitoring, spec.cpu_credits,
      to_string(spec.auto_recovery), spec.metadata.http_tokens, spec.metadata.http_endpoint,
      spec.metadata.http_put_response_hop_limit, spec.metadata.instance_metadata_tags, scope.account, instance.id);
}

}  // namespace

Result<void> check_changeable(const Instance& instance) {
  if (is_alive(instance.state)) return {};
  return fail(Code::incorrect_instance_state,
              fmt::format("The instance '{}' is not in a state in which it can be modified (it is {}).",
                          instance.id.str(), to_string(instance.state)));
}

Result<Instance> change(Scope& scope, const InstanceId& id, const Changes& changes) {
  const auto before = TRY(instances::find(scope, id));
  TRY_VOID(check_changeable(before));
  if (needs_stopped(changes) && before.state != InstanceState::stopped)
    return fail(
        Code::incorrect_instance_state,
        fmt::format("The instance '{}' is not in the 'stopped' state (it is {}).", id.str(), to_string(before.state)));
  // A stopped instance holds neither vCPUs of the quota nor room on its host: its next start takes what the type needs.
  VIRGA_ASSERT(!changes.type || !before.holds_capacity);
  const auto after = applied(before, changes);
  write(scope, after);
  scope.record(id.str(), attributes_of(before), attributes_of(after));
  scope.touch(DocumentKind::instance, id.str());
  return after;
}

}  // namespace virga::compute::attributes
