#include "api/workflows/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/value.h"
#include "api/workflows/instance_attributes.h"
#include "api/workflows/launch_network.h"
#include "api/workflows/tag_specifications.h"
#include "compute/key_pairs.h"

namespace virga::api {

namespace {

constexpr int max_launch = 1000;  ///< instances of one call

Result<void> read_counts(const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  plan.min_count = request.min_count.value_or(1);
  plan.max_count = request.max_count.value_or(1);
  if (plan.min_count < 1 || plan.max_count < 1)
    return fail(Code::invalid_parameter_value, "MinCount and MaxCount must be at least 1.");
  if (plan.min_count > plan.max_count)
    return fail(
        Code::invalid_parameter_combination,
        fmt::format("Invalid value for MinCount/MaxCount: {} is greater than {}.", plan.min_count, plan.max_count));
  if (plan.max_count > max_launch)
    return fail(Code::invalid_parameter_value, fmt::format("MaxCount may be at most {}.", max_launch));
  return {};
}

Result<void> read_image_and_type(Scope& scope, const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  if (!request.image_id || request.image_id->empty())
    return fail(Code::missing_parameter, "The request must contain the parameter ImageId");
  const auto id = TRY(ImageId::parse(*request.image_id));
  plan.image = TRY(storage::images::find_available(scope, id));
  const auto named = request.instance_type.value_or("");
  plan.spec.type = TRY(compute::find_instance_type(named.empty() ? compute::default_instance_type : named));
  if (plan.spec.type.memory_mib < plan.image.min_memory_mib)
    return fail(
        Code::invalid_parameter_combination,
        fmt::format("The instance type '{}' has {} MiB of memory and the image '{}' needs at least {} MiB. Choose a "
                    "larger type.",
                    plan.spec.type.name, plan.spec.type.memory_mib, id.str(), plan.image.min_memory_mib));
  plan.spec.image = id;
  plan.spec.root_device = plan.image.root_device;
  return {};
}

Result<void> read_user_data(const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  if (!request.user_data || request.user_data->empty()) return {};
  const auto bytes = codec::decode_base64(*request.user_data);
  if (!bytes) return fail(Code::invalid_user_data_malformed, "Invalid BASE64 encoding of user data.");
  plan.spec.user_data = TRY(checked_user_data(*bytes));
  return {};
}

Result<void> read_metadata_options(const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  auto& options = plan.spec.metadata;
  // Such an image decides two defaults, as on EC2: tokens, and a hop more for what runs in containers.
  if (plan.image.imds_support == "v2.0") {
    options.http_tokens = "required";
    options.http_put_response_hop_limit = 2;
  }
  if (!request.metadata_options) return {};
  const auto& wish = *request.metadata_options;
  options.http_tokens = wish.http_tokens.value_or(options.http_tokens);
  options.http_endpoint = wish.http_endpoint.value_or(options.http_endpoint);
  options.http_put_response_hop_limit = wish.http_put_response_hop_limit.value_or(options.http_put_response_hop_limit);
  options.instance_metadata_tags = wish.instance_metadata_tags.value_or(options.instance_metadata_tags);
  return compute::check_metadata_options(options);
}

Result<void> read_credits(const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  plan.spec.cpu_credits = compute::default_cpu_credits(plan.spec.type);
  if (!request.credit_specification) return {};
  const auto wish = request.credit_specification->cpu_credits.value_or("");
  if (!plan.spec.type.burstable)
    return fail(Code::invalid_parameter_combination,
                fmt::format("CreditSpecification is not supported by the instance type '{}'.", plan.spec.type.name));
  if (wish != "standard" && wish != "unlimited")
    return fail(Code::invalid_parameter_value, "CpuCredits must be 'standard' or 'unlimited'.");
  plan.spec.cpu_credits = wish;
  return {};
}

Result<void> read_options(Scope& scope, const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  if (request.key_name && !request.key_name->empty()) {
    const auto pair = TRY(compute::key_pairs::find(scope, *request.key_name));
    plan.spec.key_name = pair.name;
    plan.spec.public_key = pair.public_key;
  }
  if (request.instance_initiated_shutdown_behavior.value_or("stop") == "terminate")
    plan.spec.shutdown_behavior = compute::ShutdownBehavior::terminate;
  plan.spec.protect_termination = request.disable_api_termination.value_or(false);
  plan.spec.protect_stop = request.disable_api_stop.value_or(false);
  plan.spec.client_token = request.client_token.value_or("");
  plan.spec.monitoring = request.monitoring && request.monitoring->enabled.value_or(false);
  plan.spec.ebs_optimized = request.ebs_optimized.value_or(false);
  if (request.maintenance_options && request.maintenance_options->auto_recovery.value_or("") == "disabled")
    plan.spec.auto_recovery = compute::AutoRecovery::disabled;
  TRY_VOID(read_user_data(request, plan));
  TRY_VOID(read_metadata_options(request, plan));
  return read_credits(request, plan);
}

Result<void> read_tags(const ec2::RunInstancesRequest& request, LaunchPlan& plan) {
  const auto read = [&](std::string_view type) {
    return tags_for(request.tag_specifications, type, {"instance", "volume", "network-interface"});
  };
  plan.instance_tags = TRY(read("instance"));
  plan.volume_tags = TRY(read("volume"));
  plan.interface_tags = TRY(read("network-interface"));
  return {};
}

}  // namespace

std::int64_t LaunchPlan::storage_gib() const {
  std::int64_t sum = 0;
  for (const auto& volume : volumes) sum += volume.shape.size_gib;
  return sum;
}

Result<LaunchPlan> plan_launch(Call& call, const ec2::RunInstancesRequest& request) {
  LaunchPlan plan;
  TRY_VOID(read_counts(request, plan));
  TRY_VOID(read_image_and_type(call.scope(), request, plan));
  TRY_VOID(read_options(call.scope(), request, plan));
  TRY_VOID(read_tags(request, plan));
  plan.volumes = TRY(plan_volumes(call.scope(), plan.image, request.block_device_mappings));
  plan.interfaces = TRY(plan_interfaces(call, request, plan.max_count, plan.spec.type));
  const auto place = TRY(network::subnet_place(call.scope(), plan.interfaces.front().subnet));
  plan.spec.subnet = plan.interfaces.front().subnet;
  plan.spec.vpc = place.vpc;
  plan.spec.zone = place.zone;
  return plan;
}

}  // namespace virga::api
