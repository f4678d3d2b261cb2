#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/actions/image_rows.h"
#include "ec2/op/DescribeImageAttribute.h"
#include "ec2/op/DisableImageDeprecation.h"
#include "ec2/op/EnableImageDeprecation.h"
#include "ec2/op/ModifyImageAttribute.h"
#include "ec2/op/ResetImageAttribute.h"
#include "storage/image_changes.h"

namespace virga::api {

namespace {

namespace images = storage::images;
using storage::Image;
using storage::Visibility;

std::vector<ec2::LaunchPermission> permissions_of(Scope& scope, const Image& image) {
  std::vector<ec2::LaunchPermission> permissions;
  if (image.is_public) permissions.emplace_back().group = "all";
  for (const auto& account : images::shared_with(scope, image.id)) permissions.emplace_back().user_id = account.str();
  return permissions;
}

void show(Scope& scope, const Image& image, std::string_view name, ec2::ImageAttribute& view) {
  const auto value = [](const std::string& text) {
    return text.empty() ? ec2::AttributeValue{} : ec2::AttributeValue{text};
  };
  if (name == "description") view.description = value(image.description);
  if (name == "launchPermission") view.launch_permissions = permissions_of(scope, image);
  if (name == "blockDeviceMapping") view.block_device_mappings = mappings_of(image);
  if (name == "bootMode") view.boot_mode = value(image.claims.boot_mode);
  if (name == "imdsSupport") view.imds_support = value(image.imds_support);
  if (name == "deregistrationProtection") view.deregistration_protection = value("disabled");
  if (name == "lastLaunchedTime") view.last_launched_time = value(image.launched ? to_iso8601(*image.launched) : "");
  if (name == "kernel") view.kernel_id.emplace();
  if (name == "ramdisk") view.ramdisk_id.emplace();
  if (name == "sriovNetSupport") view.sriov_net_support = value(image.claims.sriov_net_support);
  if (name == "tpmSupport") view.tpm_support.emplace();
  if (name == "uefiData") view.uefi_data.emplace();
}

Result<ec2::ImageAttribute> describe_attribute(Call& call, const ec2::DescribeImageAttributeRequest& request) {
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  const auto image = TRY(images::find_own(call.scope(), id));
  ec2::ImageAttribute view;
  view.image_id = id.str();
  show(call.scope(), image, request.attribute.value_or(""), view);
  return view;
}

Error bad_item(const std::string& value, std::string_view type) {
  return {Code::invalid_ami_attribute_item_value,
          fmt::format("Invalid attribute item value \"{}\" for {} item type.", value.substr(0, 64), type),
          {}};
}

/// Changes of the launch permissions, in either form of the request.
struct PermissionChange {
  std::vector<ec2::LaunchPermission> add;
  std::vector<ec2::LaunchPermission> remove;
};

Result<void> change_one(Scope& scope, const ImageId& id, const ec2::LaunchPermission& permission, bool add) {
  if (permission.user_id.has_value() == permission.group.has_value())
    return fail(Code::invalid_parameter_combination, "A launch permission has either a UserId or a Group.");
  if (permission.group) {
    if (*permission.group != "all") return fail(bad_item(*permission.group, "group"));
    return images::set_visibility(scope, id, add ? Visibility::everyone : Visibility::own);
  }
  const auto account = AccountId::parse(*permission.user_id);
  if (!account) return fail(bad_item(*permission.user_id, "userId"));
  return add ? images::share(scope, id, *account) : images::unshare(scope, id, *account);
}

Result<void> change_permissions(Scope& scope, const ImageId& id, const PermissionChange& change) {
  for (const auto& permission : change.add) TRY_VOID(change_one(scope, id, permission, true));
  for (const auto& permission : change.remove) TRY_VOID(change_one(scope, id, permission, false));
  return {};
}

/// OperationType with UserId.N and UserGroup.N, EC2's older form.
Result<PermissionChange> older_form(const ec2::ModifyImageAttributeRequest& request) {
  std::vector<ec2::LaunchPermission> named;
  for (const auto& user : request.user_ids) named.emplace_back().user_id = user;
  for (const auto& group : request.user_groups) named.emplace_back().group = group;
  if (named.empty() || !request.operation_type)
    return fail(Code::missing_parameter,
                "The attribute launchPermission needs OperationType and a UserId or UserGroup, or LaunchPermission.");
  if (*request.operation_type == "add") return PermissionChange{std::move(named), {}};
  return PermissionChange{{}, std::move(named)};
}

Result<void> require_v2(Scope& scope, const ImageId& id, const std::string& value) {
  if (value != "v2.0") return fail(Code::invalid_parameter_value, "The value of imdsSupport can only be 'v2.0'.");
  return images::require_imds_v2(scope, id);
}

/// The attribute that Attribute names, with Value or the lists beside it.
Result<void> modify_named(Scope& scope, const ImageId& id, const ec2::ModifyImageAttributeRequest& request) {
  const auto& name = *request.attribute;
  if (name == "launchPermission") {
    if (request.value) return fail(Code::invalid_parameter_combination, "launchPermission has no Value.");
    const auto change = TRY(older_form(request));
    return change_permissions(scope, id, change);
  }
  if (name != "description" && name != "imdsSupport")
    return fail(Code::invalid_parameter_value,
                fmt::format("The attribute '{}' cannot be modified. Those that can: description, launchPermission, "
                            "imdsSupport.",
                            name.substr(0, 64)));
  if (!request.value) return fail(Code::missing_parameter, "The request must contain the parameter Value");
  if (request.operation_type || !request.user_ids.empty() || !request.user_groups.empty())
    return fail(Code::invalid_parameter_combination,
                "OperationType, UserId and UserGroup belong to the attribute launchPermission.");
  if (name == "description") return images::set_description(scope, id, *request.value);
  return require_v2(scope, id, *request.value);
}

/// The attributes that have a member of their own in the request.
std::vector<std::string_view> structured(const ec2::ModifyImageAttributeRequest& request) {
  std::vector<std::string_view> names;
  if (request.description) names.push_back("description");
  if (request.imds_support) names.push_back("imdsSupport");
  if (request.launch_permission) names.push_back("launchPermission");
  return names;
}

/// One attribute, in its own member or by name; a name beside the member must be its own.
Result<void> check_one_attribute(const ec2::ModifyImageAttributeRequest& request) {
  const auto names = structured(request);
  const bool lists = request.operation_type || !request.user_ids.empty() || !request.user_groups.empty();
  if (names.empty() && !request.attribute && !request.value && !lists)
    return fail(Code::invalid_parameter_combination, "No attributes specified.");
  if (names.empty() && !request.attribute && request.value)
    return fail(Code::missing_parameter, "The request must contain the parameter Attribute");
  const bool other =
      !names.empty() && (request.value || lists || request.attribute.value_or(std::string(names[0])) != names[0]);
  if (names.size() > 1 || other)
    return fail(Code::invalid_parameter_combination, "Only one attribute can be modified at a time.");
  return {};
}

Result<ec2::NoOutput> modify_attribute(Call& call, const ec2::ModifyImageAttributeRequest& request) {
  auto& scope = call.scope();
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  TRY_VOID(images::find_own(scope, id));
  TRY_VOID(check_one_attribute(request));
  if (request.description) {
    TRY_VOID(images::set_description(scope, id, request.description->value.value_or("")));
  } else if (request.imds_support) {
    TRY_VOID(require_v2(scope, id, request.imds_support->value.value_or("")));
  } else if (request.launch_permission) {
    TRY_VOID(change_permissions(scope, id, {request.launch_permission->add, request.launch_permission->remove}));
  } else {
    auto named = request;
    if (!named.attribute) named.attribute = "launchPermission";
    TRY_VOID(modify_named(scope, id, named));
  }
  return ec2::NoOutput{};
}

/// The only attribute that can be reset is launchPermission.
Result<ec2::NoOutput> reset_attribute(Call& call, const ec2::ResetImageAttributeRequest& request) {
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  TRY_VOID(images::reset_permissions(call.scope(), id));
  return ec2::NoOutput{};
}

/// EC2 knows minutes only, and how far ahead: ten years, two years after its making for a public image.
Result<Time> checked_deprecation(Scope& scope, const Image& image, const std::optional<Time>& wish) {
  using std::chrono::milliseconds;
  constexpr milliseconds year = std::chrono::hours(24 * 365);
  constexpr std::int64_t minute = milliseconds(std::chrono::minutes(1)).count();
  if (!wish) return fail(Code::missing_parameter, "The request must contain the parameter DeprecateAt");
  const Time at{(wish->ms + minute / 2) / minute * minute};
  if (at <= scope.now) return fail(Code::invalid_parameter_value, "DeprecateAt must be in the future.");
  const Time latest = image.is_public ? image.created + 2 * year : scope.now + 10 * year;
  if (at > latest)
    return fail(Code::invalid_parameter_value, fmt::format("DeprecateAt may be at most {}.", to_iso8601(latest)));
  return at;
}

Result<ec2::EnableImageDeprecationResult> enable_deprecation(Call& call,
                                                             const ec2::EnableImageDeprecationRequest& request) {
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  const auto image = TRY(images::find_own(call.scope(), id));
  const auto at = TRY(checked_deprecation(call.scope(), image, request.deprecate_at));
  TRY_VOID(images::set_deprecation(call.scope(), id, at));
  ec2::EnableImageDeprecationResult response;
  response.return_ = true;
  return response;
}

Result<ec2::DisableImageDeprecationResult> disable_deprecation(Call& call,
                                                               const ec2::DisableImageDeprecationRequest& request) {
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  TRY_VOID(images::set_deprecation(call.scope(), id, std::nullopt));
  ec2::DisableImageDeprecationResult response;
  response.return_ = true;
  return response;
}

}  // namespace

std::vector<Action> image_attribute_rows() {
  return {
      action("DescribeImageAttribute", Access::read, &describe_attribute),
      action("DisableImageDeprecation", Access::write, &disable_deprecation),
      action("EnableImageDeprecation", Access::write, &enable_deprecation),
      action("ModifyImageAttribute", Access::write, &modify_attribute,
             {.refused = {"LaunchPermission.Add.OrganizationArn", "LaunchPermission.Add.OrganizationalUnitArn",
                          "LaunchPermission.Remove.OrganizationArn", "LaunchPermission.Remove.OrganizationalUnitArn",
                          "OrganizationArns", "OrganizationalUnitArns", "ProductCodes"}}),
      action("ResetImageAttribute", Access::write, &reset_attribute)};
}

}  // namespace virga::api
