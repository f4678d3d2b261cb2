#include "api/actions/instance_options.h"

#include <fmt/format.h>

#include <set>

#include "api/actions/ids.h"
#include "api/errors.h"
#include "compute/attributes.h"
#include "ec2/op/ModifyInstanceCreditSpecification.h"
#include "ec2/op/ModifyInstanceMaintenanceOptions.h"
#include "ec2/op/ModifyInstanceMetadataOptions.h"
#include "ec2/op/MonitorInstances.h"
#include "ec2/op/UnmonitorInstances.h"

namespace virga::api {

namespace {

namespace attributes = compute::attributes;

/// The instance's own options, with those that the request gives in their place.
Result<compute::MetadataOptions> merged(compute::MetadataOptions options,
                                        const ec2::ModifyInstanceMetadataOptionsRequest& request) {
  if (!request.http_tokens && !request.http_endpoint && !request.http_put_response_hop_limit &&
      !request.instance_metadata_tags && !request.http_protocol_ipv6)
    return fail(Code::missing_parameter, "The request must contain one of the metadata options.");
  options.http_tokens = request.http_tokens.value_or(options.http_tokens);
  options.http_endpoint = request.http_endpoint.value_or(options.http_endpoint);
  options.http_put_response_hop_limit =
      request.http_put_response_hop_limit.value_or(options.http_put_response_hop_limit);
  options.instance_metadata_tags = request.instance_metadata_tags.value_or(options.instance_metadata_tags);
  TRY_VOID(compute::check_metadata_options(options));
  return options;
}

/// The answer says `pending`, as EC2's does: the metadata service follows within a moment.
Result<ec2::ModifyInstanceMetadataOptionsResult> modify_metadata_options(
    Call& call, const ec2::ModifyInstanceMetadataOptionsRequest& request) {
  const auto id = TRY(InstanceId::parse(request.instance_id.value_or("")));
  const auto before = TRY(compute::instances::find(call.scope(), id));
  const auto options = TRY(merged(before.spec.metadata, request));
  TRY_VOID(attributes::change(call.scope(), id, {.metadata = options}));
  ec2::ModifyInstanceMetadataOptionsResult response;
  response.instance_id = id.str();
  auto& shown = response.instance_metadata_options.emplace();
  shown.state = "pending";
  shown.http_tokens = options.http_tokens;
  shown.http_endpoint = options.http_endpoint;
  shown.http_put_response_hop_limit = options.http_put_response_hop_limit;
  shown.http_protocol_ipv6 = "disabled";
  shown.instance_metadata_tags = options.instance_metadata_tags;
  return response;
}

/// What was changed is said to be on its way, as on EC2; what was so already is said as it is.
Result<std::vector<ec2::InstanceMonitoring>> set_monitoring(Call& call, const std::vector<std::string>& texts,
                                                            bool wanted) {
  const auto ids = TRY(parse_ids<InstanceId>(texts));
  std::vector<ec2::InstanceMonitoring> views;
  for (const auto& id : std::set<InstanceId>(ids.begin(), ids.end())) {
    const auto before = TRY(compute::instances::find(call.scope(), id));
    TRY_VOID(attributes::change(call.scope(), id, {.monitoring = wanted}));
    ec2::InstanceMonitoring view;
    view.instance_id = id.str();
    const bool changed = before.spec.monitoring != wanted;
    view.monitoring.emplace().state = wanted ? (changed ? "pending" : "enabled") : (changed ? "disabling" : "disabled");
    views.push_back(std::move(view));
  }
  return views;
}

Result<ec2::MonitorInstancesResult> monitor(Call& call, const ec2::MonitorInstancesRequest& request) {
  ec2::MonitorInstancesResult response;
  response.instance_monitorings = TRY(set_monitoring(call, request.instance_ids, true));
  return response;
}

Result<ec2::UnmonitorInstancesResult> unmonitor(Call& call, const ec2::UnmonitorInstancesRequest& request) {
  ec2::UnmonitorInstancesResult response;
  response.instance_monitorings = TRY(set_monitoring(call, request.instance_ids, false));
  return response;
}

Result<void> set_credits(Call& call, const std::string& text, const std::string& credits) {
  const auto id = TRY(InstanceId::parse(text));
  const auto instance = TRY(compute::instances::find(call.scope(), id));
  if (instance.spec.cpu_credits.empty())
    return fail(
        Code::instance_credit_specification_not_supported,
        fmt::format("The instance '{}' is of the type '{}', which has no CPU credits.", id.str(), instance.type_name));
  TRY_VOID(attributes::change(call.scope(), id, {.cpu_credits = credits}));
  return {};
}

/// One instance's failure is told beside the others' success.
Result<ec2::ModifyInstanceCreditSpecificationResult> modify_credits(
    Call& call, const ec2::ModifyInstanceCreditSpecificationRequest& request) {
  for (const auto& wish : request.instance_credit_specifications)
    if (const auto credits = wish.cpu_credits.value_or(""); credits != "standard" && credits != "unlimited")
      return fail(Code::invalid_parameter_value, "CpuCredits must be 'standard' or 'unlimited'.");
  ec2::ModifyInstanceCreditSpecificationResult response;
  for (const auto& wish : request.instance_credit_specifications) {
    const auto text = wish.instance_id.value_or("");
    const auto done = set_credits(call, text, *wish.cpu_credits);
    if (done) {
      response.successful_instance_credit_specifications.push_back({text});
      continue;
    }
    ec2::UnsuccessfulInstanceCreditSpecificationItem failed;
    failed.instance_id = text;
    auto& error = failed.error.emplace();
    error.code = std::string(wire_error(done.error().code).code);
    error.message = done.error().message;
    response.unsuccessful_instance_credit_specifications.push_back(std::move(failed));
  }
  return response;
}

/// What was done when the token was first given; none of it can have become something else to show.
Result<ec2::ModifyInstanceCreditSpecificationResult> as_first_answered(
    Call&, const ec2::ModifyInstanceCreditSpecificationResult& first) {
  return first;
}

Result<ec2::ModifyInstanceMaintenanceOptionsResult> modify_maintenance_options(
    Call& call, const ec2::ModifyInstanceMaintenanceOptionsRequest& request) {
  const auto id = TRY(InstanceId::parse(request.instance_id.value_or("")));
  if (!request.auto_recovery && !request.reboot_migration)
    return fail(Code::missing_parameter, "The request must contain AutoRecovery or RebootMigration.");
  attributes::Changes changes;
  if (request.auto_recovery) {
    const bool disabled = *request.auto_recovery == "disabled";
    changes.auto_recovery = disabled ? compute::AutoRecovery::disabled : compute::AutoRecovery::by_default;
  }
  const auto instance = TRY(attributes::change(call.scope(), id, changes));
  ec2::ModifyInstanceMaintenanceOptionsResult response;
  response.instance_id = id.str();
  response.auto_recovery = std::string(to_string(instance.spec.auto_recovery));
  response.reboot_migration = "default";
  return response;
}

}  // namespace

std::vector<Action> instance_options_actions() {
  return {action("ModifyInstanceMetadataOptions", Access::write, &modify_metadata_options,
                 {.only = {{"HttpProtocolIpv6", {"disabled"}}}}),
          action("MonitorInstances", Access::write, &monitor), action("UnmonitorInstances", Access::write, &unmonitor),
          action("ModifyInstanceCreditSpecification", Access::write, &modify_credits,
                 {.refresh = refresh_with(&as_first_answered)}),
          action("ModifyInstanceMaintenanceOptions", Access::write, &modify_maintenance_options,
                 {.only = {{"RebootMigration", {"default"}}}})};
}

}  // namespace virga::api
