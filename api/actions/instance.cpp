#include <algorithm>

#include <semaphore>

#include "api/action.h"
#include "api/actions/ids.h"
#include "api/actions/instance_attribute.h"
#include "api/actions/instance_modify.h"
#include "api/actions/instance_options.h"
#include "api/actions/instance_view.h"
#include "api/actions/run_instances_row.h"
#include "api/codec/value.h"
#include "api/workflows/run_instances.h"
#include "api/workflows/start_instances.h"
#include "api/workflows/terminate_instances.h"
#include "ec2/op/DescribeInstanceStatus.h"
#include "ec2/op/DescribeInstances.h"
#include "ec2/op/GetConsoleOutput.h"
#include "ec2/op/RebootInstances.h"
#include "ec2/op/RunInstances.h"
#include "ec2/op/StartInstances.h"
#include "ec2/op/StopInstances.h"
#include "ec2/op/TerminateInstances.h"
#include "network/zones.h"

namespace virga::api {

namespace {

using compute::InstanceState;
namespace lifecycle = compute::lifecycle;

Result<ec2::Reservation> run_instances_action(Call& call, const ec2::RunInstancesRequest& request) {
  const auto plan = TRY(plan_launch(call, request));
  const auto launched = TRY(run_instances(call.scope(), call.config(), plan));
  const auto instances = TRY(compute::instances::find_all(call.scope(), launched.instances));
  const InstanceSurroundings around(call.scope(), instances);
  ec2::Reservation reservation;
  reservation.reservation_id = launched.reservation.str();
  reservation.owner_id = call.scope().account.str();
  for (const auto& instance : instances) reservation.instances.push_back(to_ec2(instance, around, call.config()));
  return reservation;
}

/// A launch repeated with its token: the same instances as they are now. Those that ended an hour ago are forgotten.
Result<ec2::Reservation> current_reservation(Call& call, const ec2::Reservation& first) {
  std::vector<compute::Instance> instances;
  for (const auto& launched : first.instances) {
    auto found = compute::instances::find(call.scope(), InstanceId::trusted(launched.instance_id.value_or("")));
    if (found) instances.push_back(std::move(*found));
  }
  if (std::ranges::all_of(instances, [](const auto& each) { return each.state == InstanceState::terminated; }))
    return fail(
        Code::idempotent_instance_terminated,
        "The instances launched by the first request with this client token are terminated. Use another token.");
  const InstanceSurroundings around(call.scope(), instances);
  auto reservation = first;
  reservation.instances.clear();
  for (const auto& instance : instances) reservation.instances.push_back(to_ec2(instance, around, call.config()));
  return reservation;
}

/// The instances asked for by id, each once and ascending; or all behind the page's start.
Result<std::vector<compute::Instance>> selected(Call& call, const std::vector<std::string>& texts,
                                                const std::string& after) {
  if (texts.empty()) return compute::instances::list(call.scope(), after);
  auto ids = TRY(parse_ids<InstanceId>(texts));
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return compute::instances::find_all(call.scope(), ids);
}

Result<ec2::DescribeInstancesResult> describe_instances(Call& call, const ec2::DescribeInstancesRequest& request) {
  auto page = call.listing<ec2::Reservation>();
  const auto instances = TRY(selected(call, request.instance_ids, page.after()));
  const InstanceSurroundings around(call.scope(), instances);
  for (const auto& instance : instances)
    if (!page.offer(instance.id.str(), reservation_of(instance, around, call.config()), hidden_of(instance, around)))
      break;
  ec2::DescribeInstancesResult response;
  response.reservations = merge_reservations(page.take());
  return response;
}

/// Whether the attached volumes can be reached, which they can while the guest runs: its host would stop it otherwise.
ec2::EbsStatusSummary volumes_summary(InstanceState state) {
  ec2::EbsStatusSummary view;
  view.status = state == InstanceState::running ? "ok" : "not-applicable";
  if (state == InstanceState::running) view.details.push_back({std::nullopt, "reachability", "passed"});
  return view;
}

ec2::InstanceStatusSummary summary(InstanceState state) {
  ec2::InstanceStatusSummary view;
  if (state == InstanceState::running) {
    view.status = "ok";
    view.details.push_back({std::nullopt, "reachability", "passed"});
  } else {
    view.status = "not-applicable";
  }
  return view;
}

Result<ec2::DescribeInstanceStatusResult> describe_instance_status(Call& call,
                                                                   const ec2::DescribeInstanceStatusRequest& request) {
  auto page = call.listing<ec2::InstanceStatus>();
  for (const auto& instance : TRY(selected(call, request.instance_ids, page.after()))) {
    if (instance.state != InstanceState::running && !request.include_all_instances.value_or(false)) continue;
    ec2::InstanceStatus status;
    status.instance_id = instance.id.str();
    status.availability_zone = instance.spec.zone;
    if (const auto zone = network::zone_by_name(call.config(), instance.spec.zone))
      status.availability_zone_id = zone->id;
    status.operator_.emplace().managed = false;
    status.instance_state = to_ec2(instance.state);
    status.instance_status = summary(instance.state);
    status.system_status = summary(instance.state);
    status.attached_ebs_status = volumes_summary(instance.state);
    if (!page.offer(instance.id.str(), std::move(status))) break;
  }
  ec2::DescribeInstanceStatusResult response;
  response.instance_statuses = page.take();
  return response;
}

std::vector<ec2::InstanceStateChange> to_ec2(const std::vector<lifecycle::StateChange>& changes) {
  std::vector<ec2::InstanceStateChange> views;
  for (const auto& change : changes)
    views.push_back({change.id.str(), api::to_ec2(change.current), api::to_ec2(change.previous)});
  return views;
}

Result<ec2::StartInstancesResult> start_instances_action(Call& call, const ec2::StartInstancesRequest& request) {
  const auto ids = TRY(parse_ids<InstanceId>(request.instance_ids));
  const auto changes = TRY(start_instances(call.scope(), call.config(), ids));
  return ec2::StartInstancesResult{to_ec2(changes)};
}

Result<ec2::StopInstancesResult> stop_instances(Call& call, const ec2::StopInstancesRequest& request) {
  const auto ids = TRY(parse_ids<InstanceId>(request.instance_ids));
  const bool forced = request.force.value_or(false) || request.skip_os_shutdown.value_or(false);
  const auto changes =
      TRY(lifecycle::stop(call.scope(), ids, forced ? lifecycle::Stop::forced : lifecycle::Stop::orderly));
  return ec2::StopInstancesResult{to_ec2(changes)};
}

Result<ec2::NoOutput> reboot_instances(Call& call, const ec2::RebootInstancesRequest& request) {
  const auto ids = TRY(parse_ids<InstanceId>(request.instance_ids));
  TRY_VOID(lifecycle::reboot(call.scope(), ids));
  return ec2::NoOutput{};
}

Result<ec2::TerminateInstancesResult> terminate_instances_action(Call& call,
                                                                 const ec2::TerminateInstancesRequest& request) {
  const auto ids = TRY(parse_ids<InstanceId>(request.instance_ids));
  const auto changes = TRY(terminate_instances(call.scope(), ids));
  return ec2::TerminateInstancesResult{to_ec2(changes)};
}

/// Leaves the host's name in `output` for finish_console_output, which puts the console's text in its place.
Result<ec2::GetConsoleOutputResult> get_console_output(Call& call, const ec2::GetConsoleOutputRequest& request) {
  const auto id = TRY(InstanceId::parse(request.instance_id.value_or("")));
  const auto instance = TRY(compute::instances::find(call.scope(), id));
  ec2::GetConsoleOutputResult response;
  response.instance_id = id.str();
  response.timestamp = call.scope().now;
  if (compute::is_alive(instance.state)) response.output = instance.spec.host;
  return response;
}

Result<void> finish_console_output(Call& call, const void*, void* raw) {
  auto& response = *static_cast<ec2::GetConsoleOutputResult*>(raw);
  if (!response.output) return {};
  const auto host = call.hosts().find(*response.output);
  if (!host)
    return fail(Code::unavailable, "The instance's host cannot be reached now. Try again later.",
                "no host " + *response.output);
  // A host that hangs must not take all threads of the API with it.
  static std::counting_semaphore<2> host_calls(2);
  if (!host_calls.try_acquire())
    return fail(Code::unavailable, "The instance's host is busy now. Try again later.", "console calls under way");
  const auto text = host->console_output(InstanceId::trusted(*response.instance_id));
  host_calls.release();
  // The host learns of an instance shortly after the launch was answered: until then it has no console.
  if (!text && text.error().code == Code::invalid_instance_id_not_found) {
    response.output.reset();
    return {};
  }
  if (!text) return fail(text.error());
  response.output = codec::encode_base64(*text);
  return {};
}

}  // namespace

std::vector<Action> instance_actions() {
  auto launch = run_instances_options();
  launch.refresh = refresh_with(&current_reservation);
  std::vector<Action> actions = {
      action("RunInstances", Access::write, &run_instances_action, std::move(launch)),
      // IncludeManagedResources adds what another service manages for the account, and none does.
      action("DescribeInstances", Access::read, &describe_instances),
      action("DescribeInstanceStatus", Access::read, &describe_instance_status),
      action("StartInstances", Access::write, &start_instances_action, {.refused = {"AdditionalInfo"}}),
      action("StopInstances", Access::write, &stop_instances, {.only = {{"Hibernate", {"false"}}}}),
      action("RebootInstances", Access::write, &reboot_instances),
      // Force asks for the power to be cut where the guest does not end in time: what is done anyway.
      action("TerminateInstances", Access::write, &terminate_instances_action,
             {.only = {{"SkipOsShutdown", {"false"}}}}),
      // The console is always read from the running guest: `Latest` asks for what is done anyway.
      action("GetConsoleOutput", Access::read, &get_console_output, {.finish = &finish_console_output})};
  for (const auto family : {instance_attribute_actions, instance_modify_actions, instance_options_actions})
    for (auto& row : family()) actions.push_back(std::move(row));
  return actions;
}

}  // namespace virga::api
