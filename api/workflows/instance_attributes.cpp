#include "api/workflows/instance_attributes.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/value.h"
#include "network/interfaces.h"
#include "storage/images.h"
#include "storage/volumes.h"

namespace virga::api {

namespace {

constexpr std::size_t max_user_data_bytes = 16 * 1024;

Result<network::Interface> only_interface(Scope& scope, const compute::Instance& instance) {
  auto interfaces = network::interfaces_of(scope, instance.id);
  if (interfaces.size() != 1)
    return fail(Code::invalid_instance_id,
                fmt::format("There are multiple interfaces attached to instance '{}'. Please specify an interface ID "
                            "for the operation instead.",
                            instance.id.str()));
  return std::move(interfaces.front());
}

/// The image's needs are known as long as the image is.
Result<void> check_memory(Scope& scope, const compute::Instance& instance, const compute::InstanceType& type) {
  const auto image = storage::images::find(scope, instance.spec.image);
  if (!image || type.memory_mib >= image->min_memory_mib) return {};
  return fail(Code::invalid_parameter_combination,
              fmt::format("The instance type '{}' has {} MiB of memory and the image '{}' needs at least {} MiB.",
                          type.name, type.memory_mib, instance.spec.image.str(), image->min_memory_mib));
}

Result<storage::Attachment> attachment_at(const std::vector<storage::Attachment>& attachments,
                                          const DeviceChange& change) {
  const auto found = std::ranges::find(attachments, change.device, &storage::Attachment::device);
  if (found == attachments.end())
    return fail(Code::invalid_instance_attribute_value,
                fmt::format("No device is currently mapped at {}", codec::shortened(change.device)));
  if (!change.volume.empty() && change.volume != found->volume)
    return fail(Code::invalid_instance_attribute_value,
                fmt::format("The volume '{}' is not the one mapped at {}", change.volume.str(), found->device));
  return *found;
}

}  // namespace

Result<std::string> checked_user_data(const std::string& bytes) {
  if (bytes.size() > max_user_data_bytes)
    return fail(Code::invalid_parameter_value, fmt::format("User data is limited to {} bytes", max_user_data_bytes));
  return codec::encode_base64(bytes);
}

Result<void> change_type(Scope& scope, const compute::Instance& instance, const std::string& name) {
  const auto type = compute::find_instance_type(name);
  if (!type)
    return fail(Code::invalid_instance_attribute_value,
                fmt::format("Invalid value '{}' for InstanceType.", codec::shortened(name)));
  TRY_VOID(check_memory(scope, instance, *type));
  const auto interfaces = network::interfaces_of(scope, instance.id).size();
  if (interfaces > static_cast<std::size_t>(type->max_interfaces))
    return fail(Code::attachment_limit_exceeded, fmt::format("Interface count {} exceeds the limit of {} for {}",
                                                             interfaces, type->max_interfaces, type->name));
  TRY_VOID(compute::attributes::change(scope, instance.id, {.type = *type}));
  return {};
}

Result<void> change_groups(Scope& scope, const compute::Instance& instance,
                           const std::vector<SecurityGroupId>& groups) {
  const auto interface = TRY(only_interface(scope, instance));
  return network::set_groups(scope, interface.id, groups);
}

Result<void> change_source_dest_check(Scope& scope, const compute::Instance& instance, bool check) {
  const auto interface = TRY(only_interface(scope, instance));
  return network::set_source_dest_check(scope, interface.id, check);
}

Result<void> change_devices(Scope& scope, const compute::Instance& instance, const std::vector<DeviceChange>& changes) {
  const auto attachments = storage::attachments::of_instance(scope, instance.id);
  for (const auto& change : changes) {
    const auto attachment = TRY(attachment_at(attachments, change));
    storage::attachments::set_delete_on_termination(scope, attachment, change.delete_on_termination);
  }
  return {};
}

}  // namespace virga::api
