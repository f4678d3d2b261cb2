#include "api/actions/instance_modify.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/actions/ids.h"
#include "api/codec/value.h"
#include "api/workflows/instance_attributes.h"
#include "ec2/op/ModifyInstanceAttribute.h"
#include "ec2/op/ResetInstanceAttribute.h"

namespace virga::api {

namespace {

using compute::attributes::Changes;
using Request = ec2::ModifyInstanceAttributeRequest;

/// The names of the attributes that the request gives in members of their own.
std::vector<std::string_view> given_in(const Request& request) {
  std::vector<std::string_view> names;
  const auto add = [&](bool given, std::string_view name) {
    if (given) names.push_back(name);
  };
  add(request.instance_type.has_value(), "instanceType");
  add(request.user_data.has_value(), "userData");
  add(request.disable_api_termination.has_value(), "disableApiTermination");
  add(request.disable_api_stop.has_value(), "disableApiStop");
  add(request.instance_initiated_shutdown_behavior.has_value(), "instanceInitiatedShutdownBehavior");
  add(!request.block_device_mappings.empty(), "blockDeviceMapping");
  add(request.source_dest_check.has_value(), "sourceDestCheck");
  add(!request.groups.empty(), "groupSet");
  add(request.ebs_optimized.has_value(), "ebsOptimized");
  add(request.ena_support.has_value(), "enaSupport");
  return names;
}

Result<ec2::AttributeBooleanValue> flag(const std::string& text) {
  if (text == "true" || text == "false") return ec2::AttributeBooleanValue{text == "true"};
  return fail(Code::invalid_parameter_value, "The parameter Value must be 'true' or 'false' for this attribute.");
}

/// Attribute + Value, the oldest form: puts the value where the attribute's own member would have it.
Result<void> place_value(Request& request, const std::string& name, const std::string& value) {
  if (name == "instanceType")
    request.instance_type = ec2::AttributeValue{value};
  else if (name == "instanceInitiatedShutdownBehavior")
    request.instance_initiated_shutdown_behavior = ec2::AttributeValue{value};
  else if (name == "disableApiTermination")
    request.disable_api_termination = TRY(flag(value));
  else if (name == "disableApiStop")
    request.disable_api_stop = TRY(flag(value));
  else if (name == "sourceDestCheck")
    request.source_dest_check = TRY(flag(value));
  else if (name == "ebsOptimized")
    request.ebs_optimized = TRY(flag(value));
  else if (name == "enaSupport")
    request.ena_support = TRY(flag(value));
  else if (name == "userData") {
    auto bytes = codec::decode_base64(value);
    if (!bytes) return fail(Code::invalid_user_data_malformed, "Invalid BASE64 encoding of user data.");
    request.user_data.emplace().value = ec2::Blob{std::move(*bytes)};
  } else {
    return fail(Code::invalid_parameter_value,
                fmt::format("The attribute '{}' cannot be set by the parameter Value.", codec::shortened(name)));
  }
  return {};
}

/// The request with its one attribute in that attribute's own member. Errors: none or several are given.
Result<Request> with_one_attribute(const Request& original) {
  auto request = original;
  const auto named = request.attribute.value_or("");
  const auto in_members = given_in(request);
  if (request.value && named.empty())
    return fail(Code::missing_parameter, "The parameter Value requires the parameter Attribute.");
  if (request.value && !in_members.empty())
    return fail(Code::invalid_parameter_combination,
                fmt::format("Fields for multiple attribute types specified: Value, {}", fmt::join(in_members, ", ")));
  if (request.value) {
    TRY_VOID(place_value(request, named, *request.value));
    return request;
  }
  if (in_members.size() > 1)
    return fail(Code::invalid_parameter_combination,
                fmt::format("Fields for multiple attribute types specified: {}", fmt::join(in_members, ", ")));
  if (in_members.empty())
    return fail(Code::invalid_parameter_combination,
                named.empty() ? "No attributes specified." : "The attribute's value is not specified.");
  if (!named.empty() && named != in_members.front())
    return fail(Code::invalid_parameter_combination,
                fmt::format("The attribute '{}' is named, but a value is given for '{}'.", named, in_members.front()));
  return request;
}

template <class T>
Result<T> required(const std::optional<T>& value) {
  if (!value) return fail(Code::missing_parameter, "The attribute's Value is missing.");
  return *value;
}

Result<compute::ShutdownBehavior> shutdown_behavior(const std::string& text) {
  if (text == "stop") return compute::ShutdownBehavior::stop;
  if (text == "terminate") return compute::ShutdownBehavior::terminate;
  return fail(Code::invalid_instance_attribute_value,
              "The instance's shutdown behavior must be 'stop' or 'terminate'.");
}

/// Attributes that stand in the instance's own row.
Result<Changes> changes_of(const Request& request) {
  Changes changes;
  if (request.user_data) {
    const auto data = request.user_data->value.value_or(ec2::Blob{});
    changes.user_data = TRY(checked_user_data(data.bytes));
  }
  if (request.disable_api_termination)
    changes.protect_termination = TRY(required(request.disable_api_termination->value));
  if (request.disable_api_stop) changes.protect_stop = TRY(required(request.disable_api_stop->value));
  if (request.ebs_optimized) changes.ebs_optimized = TRY(required(request.ebs_optimized->value));
  if (request.instance_initiated_shutdown_behavior) {
    const auto text = TRY(required(request.instance_initiated_shutdown_behavior->value));
    changes.shutdown_behavior = TRY(shutdown_behavior(text));
  }
  return changes;
}

Result<std::vector<DeviceChange>> device_changes(const Request& request) {
  std::vector<DeviceChange> changes;
  for (const auto& mapping : request.block_device_mappings) {
    if (!mapping.device_name || mapping.device_name->empty())
      return fail(Code::missing_parameter, "The request must contain the parameter BlockDeviceMapping.DeviceName");
    if (!mapping.ebs || !mapping.ebs->delete_on_termination)
      return fail(Code::missing_parameter,
                  "The request must contain the parameter BlockDeviceMapping.Ebs.DeleteOnTermination");
    DeviceChange change{*mapping.device_name, {}, *mapping.ebs->delete_on_termination};
    if (mapping.ebs->volume_id && !mapping.ebs->volume_id->empty())
      change.volume = TRY(VolumeId::parse(*mapping.ebs->volume_id));
    changes.push_back(std::move(change));
  }
  return changes;
}

/// Every instance here has ENA: only a request to take it away asks for something else.
Result<void> check_ena(const ec2::AttributeBooleanValue& wish) {
  const bool on = TRY(required(wish.value));
  if (on) return {};
  return fail(Code::unsupported_operation, "Instances without enhanced networking (ENA) are not supported.");
}

Result<ec2::NoOutput> modify_instance_attribute(Call& call, const Request& original) {
  const auto id = TRY(InstanceId::parse(original.instance_id.value_or("")));
  const auto request = TRY(with_one_attribute(original));
  const auto instance = TRY(compute::instances::find(call.scope(), id));
  TRY_VOID(compute::attributes::check_changeable(instance));
  if (request.ena_support) {
    TRY_VOID(check_ena(*request.ena_support));
  } else if (request.instance_type) {
    const auto name = TRY(required(request.instance_type->value));
    TRY_VOID(change_type(call.scope(), instance, name));
  } else if (request.source_dest_check) {
    const bool check = TRY(required(request.source_dest_check->value));
    TRY_VOID(change_source_dest_check(call.scope(), instance, check));
  } else if (!request.groups.empty()) {
    const auto groups = TRY(parse_ids<SecurityGroupId>(request.groups));
    TRY_VOID(change_groups(call.scope(), instance, groups));
  } else if (!request.block_device_mappings.empty()) {
    const auto changes = TRY(device_changes(request));
    TRY_VOID(change_devices(call.scope(), instance, changes));
  } else {
    const auto changes = TRY(changes_of(request));
    TRY_VOID(compute::attributes::change(call.scope(), id, changes));
  }
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> reset_instance_attribute(Call& call, const ec2::ResetInstanceAttributeRequest& request) {
  const auto id = TRY(InstanceId::parse(request.instance_id.value_or("")));
  const auto name = request.attribute.value_or("");
  if (name == "kernel" || name == "ramdisk")
    return fail(Code::unsupported_operation, "Instances here have no kernel or RAM disk of their own.");
  if (name != "sourceDestCheck")
    return fail(Code::invalid_parameter_value,
                fmt::format("The attribute '{}' cannot be reset. Only 'sourceDestCheck' can.", codec::shortened(name)));
  const auto instance = TRY(compute::instances::find(call.scope(), id));
  TRY_VOID(compute::attributes::check_changeable(instance));
  TRY_VOID(change_source_dest_check(call.scope(), instance, true));
  return ec2::NoOutput{};
}

}  // namespace

std::vector<Action> instance_modify_actions() {
  return {action("ModifyInstanceAttribute", Access::write, &modify_instance_attribute,
                 {.refused = {"Kernel", "Ramdisk", "SriovNetSupport", "BlockDeviceMappings.NoDevice",
                              "BlockDeviceMappings.VirtualName"}}),
          action("ResetInstanceAttribute", Access::write, &reset_instance_attribute)};
}

}  // namespace virga::api
