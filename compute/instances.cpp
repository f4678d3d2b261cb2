#include "compute/instances.h"

#include "core/json_values.h"

#include "compute/placement.h"
#include "core/assert.h"

namespace virga::compute {

namespace {

/// The columns that `from_row` reads, in its order. SQL is literals only, hence a macro and not a string.
#define VIRGA_INSTANCE_COLUMNS                                                                                   \
  "SELECT id, number, account, reservation, launch_index, image, root_device, instance_type, vcpus, memory_mib," \
  " zone, host, vpc, subnet, key_name, public_key, user_data, shutdown_behavior, protect_termination,"           \
  " protect_stop, cpu_credits, http_tokens, http_endpoint, http_hop_limit,"                                      \
  " metadata_tags, client_token, state, power, start_number, reboot_number, shutdown_timeout_s, holds_capacity," \
  " reason_code, reason_message, transition_reason, launched_ms, created_ms,"                                    \
  " monitoring, ebs_optimized, auto_recovery, image_hold FROM instance "

InstanceSpec spec_from_row(store::Row& row) {
  InstanceSpec spec;
  spec.reservation = row.id<ReservationId>(3);
  spec.launch_index = row.int32(4);
  spec.image = row.id<ImageId>(5);
  spec.root_device = row.text(6);
  spec.type.vcpus = row.int32(8);
  spec.type.memory_mib = row.int32(9);
  spec.zone = row.text(10);
  spec.host = row.text(11);
  spec.vpc = row.id<VpcId>(12);
  spec.subnet = row.id<SubnetId>(13);
  spec.key_name = row.text(14);
  spec.public_key = row.text(15);
  spec.user_data = row.optional_text(16);
  spec.shutdown_behavior = row.text(17) == "terminate" ? ShutdownBehavior::terminate : ShutdownBehavior::stop;
  spec.protect_termination = row.boolean(18);
  spec.protect_stop = row.boolean(19);
  spec.cpu_credits = row.text(20);
  spec.metadata = {row.text(21), row.text(22), row.int32(23), row.text(24)};
  spec.client_token = row.text(25);
  spec.monitoring = row.boolean(37);
  spec.ebs_optimized = row.boolean(38);
  spec.auto_recovery = row.text(39) == "disabled" ? AutoRecovery::disabled : AutoRecovery::by_default;
  return spec;
}

Instance from_row(store::Row& row) {
  Instance instance;
  instance.id = row.id<InstanceId>(0);
  instance.number = static_cast<std::uint32_t>(row.integer(1));
  instance.account = AccountId::trusted(row.text(2));
  instance.spec = spec_from_row(row);
  instance.type_name = row.text(7);
  const auto state = parse_instance_state(row.text(26));
  VIRGA_ASSERT(state.has_value());
  instance.state = *state;
  instance.power = row.text(27) == "running" ? Power::running : Power::stopped;
  instance.start_number = static_cast<std::uint64_t>(row.integer(28));
  instance.reboot_number = static_cast<std::uint64_t>(row.integer(29));
  instance.shutdown_timeout_s = row.int32(30);
  instance.holds_capacity = row.boolean(31);
  instance.reason_code = row.text(32);
  instance.reason_message = row.text(33);
  instance.transition_reason = row.text(34);
  instance.launched = row.time(35);
  instance.created = row.time(36);
  instance.image_hold = row.id<ImageId>(40);
  return instance;
}

}  // namespace

Result<void> check_metadata_options(const MetadataOptions& options) {
  const auto is_switch = [](const std::string& text) { return text == "enabled" || text == "disabled"; };
  if (options.http_tokens != "optional" && options.http_tokens != "required")
    return fail(Code::invalid_parameter_value, "HttpTokens must be 'optional' or 'required'.");
  if (!is_switch(options.http_endpoint) || !is_switch(options.instance_metadata_tags))
    return fail(Code::invalid_parameter_value,
                "HttpEndpoint and InstanceMetadataTags must be 'enabled' or 'disabled'.");
  if (options.http_put_response_hop_limit < 1 || options.http_put_response_hop_limit > 64)
    return fail(Code::invalid_parameter_value, "HttpPutResponseHopLimit must be between 1 and 64.");
  return {};
}

nlohmann::json journal_of(const Instance& instance) {
  return {
      {"state", to_string(instance.state)},      {"power", instance.power},    {"start_number", instance.start_number},
      {"reboot_number", instance.reboot_number}, {"host", instance.spec.host}, {"reason", instance.reason_code},
      {"image_hold", instance.image_hold}};
}

namespace instances {

Result<Instance> find(Scope& scope, const InstanceId& id) {
  auto found = scope.tx.one(VIRGA_INSTANCE_COLUMNS "WHERE account = ? AND id = ?", from_row, scope.account, id);
  if (!found) return fail(id.not_found());
  return *std::move(found);
}

Result<std::vector<Instance>> find_all(Scope& scope, const std::vector<InstanceId>& ids) {
  std::vector<Instance> all;
  for (const auto& id : ids) all.push_back(TRY(find(scope, id)));
  return all;
}

std::vector<Instance> list(Scope& scope, const std::string& after) {
  return scope.tx.all(VIRGA_INSTANCE_COLUMNS "WHERE account = ? AND id > ? ORDER BY id", from_row, scope.account,
                      after);
}

std::optional<Instance> find_anywhere(store::Transaction& tx, const InstanceId& id) {
  return tx.one(VIRGA_INSTANCE_COLUMNS "WHERE id = ?", from_row, id);
}

std::vector<Instance> list_held(store::Transaction& tx) {
  return tx.all(VIRGA_INSTANCE_COLUMNS "WHERE image_hold IS NOT NULL ORDER BY id", from_row);
}

void insert(Scope& scope, const NewResource<InstanceId>& resource, const InstanceSpec& spec) {
  scope.tx.execute(
      "INSERT INTO instance (id, number, account, reservation, launch_index, image, root_device, instance_type, vcpus,"
      " memory_mib, zone, host, holds_capacity, vpc, subnet, key_name, public_key, user_data, state, power,"
      " shutdown_timeout_s, shutdown_behavior, protect_termination, protect_stop,"
      " cpu_credits, http_tokens, http_endpoint, http_hop_limit, metadata_tags, client_token, launched_ms, created_ms,"
      " monitoring, ebs_optimized, auto_recovery)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, 'pending', 'running',"
      " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      resource.id, resource.number, scope.account, spec.reservation, spec.launch_index, spec.image, spec.root_device,
      spec.type.name, spec.type.vcpus, spec.type.memory_mib, spec.zone, spec.host, spec.vpc, spec.subnet, spec.key_name,
      spec.public_key, spec.user_data, WantedInstance{}.shutdown_timeout_s, to_string(spec.shutdown_behavior),
      spec.protect_termination, spec.protect_stop, spec.cpu_credits, spec.metadata.http_tokens,
      spec.metadata.http_endpoint, spec.metadata.http_put_response_hop_limit, spec.metadata.instance_metadata_tags,
      spec.client_token, scope.now, scope.now, spec.monitoring, spec.ebs_optimized, to_string(spec.auto_recovery));
  take_capacity(scope, spec.host, {spec.type.vcpus, spec.type.memory_mib, 0});
  const auto made = find_anywhere(scope.tx, resource.id);
  VIRGA_ASSERT(made.has_value());
  scope.record(resource.id.str(), nullptr, journal_of(*made));
  scope.touch(DocumentKind::instance, resource.id.str());
}

}  // namespace instances
}  // namespace virga::compute
