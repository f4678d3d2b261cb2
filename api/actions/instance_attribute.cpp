#include "api/actions/instance_attribute.h"

#include <algorithm>

#include "api/actions/ids.h"
#include "api/actions/instance_view.h"
#include "ec2/op/DescribeInstanceAttribute.h"
#include "ec2/op/DescribeInstanceCreditSpecifications.h"

namespace virga::api {

namespace {

using compute::Instance;

ec2::AttributeValue text(std::string_view value) { return {std::string(value)}; }

/// Attributes that stand in the instance's own row. False: not one of them.
bool show_own(const Instance& instance, std::string_view name, ec2::InstanceAttribute& view) {
  if (name == "instanceType") return view.instance_type = text(instance.type_name), true;
  if (name == "instanceInitiatedShutdownBehavior")
    return view.instance_initiated_shutdown_behavior = text(to_string(instance.spec.shutdown_behavior)), true;
  if (name == "disableApiTermination")
    return view.disable_api_termination = ec2::AttributeBooleanValue{instance.spec.protect_termination}, true;
  if (name == "disableApiStop")
    return view.disable_api_stop = ec2::AttributeBooleanValue{instance.spec.protect_stop}, true;
  if (name == "rootDeviceName") return view.root_device_name = text(instance.spec.root_device), true;
  if (name == "userData") {
    view.user_data.emplace().value = instance.spec.user_data;
    return true;
  }
  return false;
}

/// Attributes of what hangs on it, and those that are the same for every instance.
void show_other(const ec2::Instance& shown, std::string_view name, ec2::InstanceAttribute& view) {
  if (name == "blockDeviceMapping") view.block_device_mappings = shown.block_device_mappings;
  if (name == "groupSet") view.groups = shown.security_groups;
  if (name == "sourceDestCheck")
    view.source_dest_check = ec2::AttributeBooleanValue{shown.source_dest_check.value_or(true)};
  if (name == "ebsOptimized") view.ebs_optimized = ec2::AttributeBooleanValue{shown.ebs_optimized};
  if (name == "enaSupport") view.ena_support = ec2::AttributeBooleanValue{shown.ena_support};
  if (name == "enclaveOptions") view.enclave_options = shown.enclave_options;
  if (name == "kernel") view.kernel_id.emplace();
  if (name == "ramdisk") view.ramdisk_id.emplace();
  if (name == "sriovNetSupport") view.sriov_net_support.emplace();
}

Result<ec2::InstanceAttribute> describe_attribute(Call& call, const ec2::DescribeInstanceAttributeRequest& request) {
  const auto id = TRY(InstanceId::parse(request.instance_id.value_or("")));
  const auto instance = TRY(compute::instances::find(call.scope(), id));
  const auto name = request.attribute.value_or("");
  ec2::InstanceAttribute view;
  view.instance_id = id.str();
  if (show_own(instance, name, view)) return view;
  show_other(to_ec2(instance, InstanceSurroundings(call.scope(), {instance}), call.config()), name, view);
  return view;
}

Result<ec2::DescribeInstanceCreditSpecificationsResult> describe_credits(
    Call& call, const ec2::DescribeInstanceCreditSpecificationsRequest& request) {
  auto page = call.listing<ec2::InstanceCreditSpecification>();
  auto ids = TRY(parse_ids<InstanceId>(request.instance_ids));
  std::ranges::sort(ids);
  const auto instances = ids.empty() ? compute::instances::list(call.scope(), page.after())
                                     : TRY(compute::instances::find_all(call.scope(), ids));
  for (const auto& instance : instances) {
    if (instance.spec.cpu_credits.empty()) {
      if (ids.empty()) continue;
      return fail(Code::unsupported_operation,
                  "The instance '" + instance.id.str() + "' is not of a burstable type and has no CPU credits.");
    }
    if (!page.offer(instance.id.str(), {instance.id.str(), instance.spec.cpu_credits})) break;
  }
  ec2::DescribeInstanceCreditSpecificationsResult response;
  response.instance_credit_specifications = page.take();
  return response;
}

}  // namespace

std::vector<Action> instance_attribute_actions() {
  return {action("DescribeInstanceAttribute", Access::read, &describe_attribute),
          action("DescribeInstanceCreditSpecifications", Access::read, &describe_credits)};
}

}  // namespace virga::api
