#include "ec2/op/DescribeImageAttribute.h"
#include "ec2/op/DisableImageDeprecation.h"
#include "ec2/op/EnableImageDeprecation.h"
#include "ec2/op/ModifyImageAttribute.h"
#include "ec2/op/ResetImageAttribute.h"
#include "tests/unit/api/actions/image_fixture.h"

namespace virga::api {
namespace {

class ImageAttributes : public ImageTest {
 protected:
  Result<ec2::ImageAttribute> attribute(const AccountId& account, const ImageId& id, const std::string& name) {
    ec2::DescribeImageAttributeRequest request;
    request.image_id = id.str();
    request.attribute = name;
    return call<ec2::ImageAttribute>(account, "DescribeImageAttribute", request);
  }
  ec2::ImageAttribute attribute(const ImageId& id, const std::string& name) { return must(attribute(alice, id, name)); }
  ec2::ModifyImageAttributeRequest of(const ImageId& id) {
    ec2::ModifyImageAttributeRequest request;
    request.image_id = id.str();
    return request;
  }
  Result<void> modify(const ec2::ModifyImageAttributeRequest& request) { return modify(alice, request); }
  Result<void> modify(const AccountId& account, const ec2::ModifyImageAttributeRequest& request) {
    TRY_VOID(call<ec2::NoOutput>(account, "ModifyImageAttribute", request));
    return {};
  }
  ec2::ModifyImageAttributeRequest permission(const ImageId& id, const std::string& user, bool add) {
    auto request = of(id);
    auto& changes = request.launch_permission.emplace();
    auto& one = (add ? changes.add : changes.remove).emplace_back();
    if (user == "all")
      one.group = "all";
    else
      one.user_id = user;
    return request;
  }
  std::vector<ec2::Image> images(const AccountId& account,
                                 const std::function<void(ec2::DescribeImagesRequest&)>& fill) {
    ec2::DescribeImagesRequest request;
    fill(request);
    return must(call<ec2::DescribeImagesResult>(account, "DescribeImages", request)).images;
  }
  Result<void> deprecate(const ImageId& id, Time at) {
    ec2::EnableImageDeprecationRequest request;
    request.image_id = id.str();
    request.deprecate_at = at;
    TRY_VOID(call<ec2::EnableImageDeprecationResult>(alice, "EnableImageDeprecation", request));
    return {};
  }
};

TEST_F(ImageAttributes, EachIsAnsweredByItselfToTheOwnerAlone) {
  const auto id = available();

  EXPECT_EQ(attribute(id, "description").description->value, std::nullopt);
  EXPECT_EQ(*attribute(id, "bootMode").boot_mode->value, "legacy-bios");
  EXPECT_EQ(*attribute(id, "deregistrationProtection").deregistration_protection->value, "disabled");
  EXPECT_EQ(attribute(id, "lastLaunchedTime").last_launched_time->value, std::nullopt);
  EXPECT_EQ(attribute(id, "imdsSupport").imds_support->value, std::nullopt);
  EXPECT_EQ(attribute(id, "blockDeviceMapping").block_device_mappings.size(), 1U);
  EXPECT_TRUE(attribute(id, "blockDeviceMapping").launch_permissions.empty());
  EXPECT_TRUE(attribute(id, "launchPermission").launch_permissions.empty());
  EXPECT_TRUE(attribute(id, "launchPermission").block_device_mappings.empty());
  EXPECT_EQ(*attribute(image_, "launchPermission").launch_permissions.at(0).group, "all");
  EXPECT_TRUE(attribute(id, "kernel").kernel_id);
  EXPECT_EQ(attribute(bob, image_, "description").error().code, Code::auth_failure);
  EXPECT_EQ(attribute(bob, id, "description").error().code, Code::invalid_ami_id_not_found);
}

TEST_F(ImageAttributes, TheDescriptionIsModifiedInBothForms) {
  const auto id = available();
  auto request = of(id);
  request.description.emplace().value = "one";
  must(modify(request));
  EXPECT_EQ(*look(id).description, "one");

  auto named = of(id);
  named.attribute = "description";
  named.value = "two";
  must(modify(named));
  EXPECT_EQ(*attribute(id, "description").description->value, "two");
}

TEST_F(ImageAttributes, ImdsSupportCanOnlyBeTurnedOn) {
  const auto id = available();
  auto request = of(id);
  request.imds_support.emplace().value = "v2.0";
  must(modify(request));
  EXPECT_EQ(*look(id).imds_support, "v2.0");
  request.imds_support->value = "v1.0";
  EXPECT_EQ(modify(request).error().code, Code::invalid_parameter_value);
}

TEST_F(ImageAttributes, AnImageIsSharedWithNamedAccounts) {
  const auto id = available();

  auto named_beside = permission(id, bob.str(), true);
  named_beside.attribute = "launchPermission";
  must(modify(named_beside));

  EXPECT_TRUE(look(bob, id));
  EXPECT_FALSE(*must(look(bob, id)).public_);
  EXPECT_EQ(*attribute(id, "launchPermission").launch_permissions.at(0).user_id, bob.str());
  EXPECT_EQ(images(bob, [](auto& r) { r.executable_users = {"self"}; }).size(), 1U);
  EXPECT_EQ(images(alice, [&](auto& r) { r.executable_users = {bob.str()}; }).size(), 1U);
  EXPECT_EQ(images(bob, [&](auto& r) { r.owners = {alice.str()}; }).size(), 2U);
  EXPECT_EQ(modify(bob, permission(id, bob.str(), false)).error().code, Code::auth_failure);

  must(modify(permission(id, bob.str(), false)));
  EXPECT_EQ(look(bob, id).error().code, Code::invalid_ami_id_not_found);
}

TEST_F(ImageAttributes, PermissionsAreChangedInTheOlderFormToo) {
  const auto id = available();
  auto request = of(id);
  request.attribute = "launchPermission";
  request.operation_type = "add";
  request.user_ids = {bob.str()};
  request.user_groups = {"all"};
  must(modify(request));
  EXPECT_EQ(attribute(id, "launchPermission").launch_permissions.size(), 2U);

  ec2::ResetImageAttributeRequest reset;
  reset.image_id = id.str();
  reset.attribute = "launchPermission";
  must(call<ec2::NoOutput>(alice, "ResetImageAttribute", reset));
  EXPECT_TRUE(attribute(id, "launchPermission").launch_permissions.empty());
}

TEST_F(ImageAttributes, AModificationMustSayOneThingThatThereIs) {
  const auto id = available();
  EXPECT_EQ(modify(of(id)).error().code, Code::invalid_parameter_combination);
  EXPECT_EQ(modify(permission(id, "333333333333", true)).error().code, Code::invalid_ami_attribute_item_value);
  EXPECT_EQ(modify(permission(id, "nobody", true)).error().code, Code::invalid_ami_attribute_item_value);
  auto two = permission(id, "all", true);
  two.description.emplace().value = "x";
  EXPECT_EQ(modify(two).error().code, Code::invalid_parameter_combination);
  two = permission(id, "all", true);
  two.attribute = "description";
  EXPECT_EQ(modify(two).error().code, Code::invalid_parameter_combination);
  auto group = of(id);
  group.operation_type = "add";
  group.user_groups = {"some"};
  EXPECT_EQ(modify(group).error().code, Code::invalid_ami_attribute_item_value);
  auto other = of(id);
  other.attribute = "kernel";
  other.value = "x";
  EXPECT_EQ(modify(other).error().code, Code::invalid_parameter_value);
  other.attribute = "description";
  other.value.reset();
  EXPECT_EQ(modify(other).error().code, Code::missing_parameter);
}

class Threat_B04_PublicImages : public ImageAttributes {};
TEST_F(Threat_B04_PublicImages, OthersSeeNothingThatIsTheOwnersAlone) {
  const auto id = available();
  must(as(alice, [&](Scope& scope) { return tags::put(scope, id.str(), {{"secret", "plan"}}); }));
  must(modify(permission(id, bob.str(), true)));
  auto request = launch();
  request.image_id = id.str();
  run(request);

  const auto seen = must(look(bob, id));
  EXPECT_TRUE(seen.tags.empty());
  EXPECT_EQ(seen.last_launched_time, std::nullopt);
  EXPECT_NE(look(id).last_launched_time, std::nullopt);
  EXPECT_EQ(attribute(bob, id, "launchPermission").error().code, Code::auth_failure);
  EXPECT_TRUE(images(alice, [&](auto& r) { r.executable_users = {"222222222223"}; }).empty());
  EXPECT_TRUE(images(bob, [&](auto& r) { r.executable_users = {alice.str()}; }).empty())
      << "whom else it is shared with";
}

TEST_F(Threat_B04_PublicImages, WhatAnAccountMakesPublicIsNotTheOperators) {
  const auto id = available();
  must(modify(permission(id, "all", true)));

  EXPECT_EQ(must(look(bob, id)).image_owner_alias, std::nullopt);
  EXPECT_EQ(must(look(bob, image_)).image_owner_alias, "amazon");
  const auto amazons = images(bob, [](auto& r) { r.owners = {"amazon"}; });
  ASSERT_EQ(amazons.size(), 1U);
  EXPECT_EQ(*amazons[0].image_id, image_.str());
}

TEST_F(ImageAttributes, ADeprecatedImageIsLeftOutOfOthersListsFromThenOn) {
  const auto id = available();
  must(modify(permission(id, bob.str(), true)));
  const auto listed = [&](const AccountId& account, bool deprecated) {
    return images(account, [&](auto& r) { r.include_deprecated = deprecated; }).size();
  };
  must(deprecate(id, clock_.now() + std::chrono::minutes(10)));
  EXPECT_EQ(listed(bob, false), 2U);

  clock_.advance(std::chrono::minutes(11));

  EXPECT_EQ(listed(bob, false), 1U);
  EXPECT_EQ(listed(bob, true), 2U);
  EXPECT_EQ(listed(alice, false), 2U);
  EXPECT_NE(must(look(bob, id)).deprecation_time, std::nullopt) << "asked for by its id";

  ec2::DisableImageDeprecationRequest request;
  request.image_id = id.str();
  must(call<ec2::DisableImageDeprecationResult>(alice, "DisableImageDeprecation", request));
  EXPECT_EQ(listed(bob, false), 2U);
  EXPECT_EQ(look(id).deprecation_time, std::nullopt);
}

TEST_F(ImageAttributes, ADeprecationIsInTheFutureAndNotTooFar) {
  const auto id = available();
  const auto hours = [&](int n) { return clock_.now() + std::chrono::hours(n); };
  EXPECT_EQ(deprecate(id, hours(-1)).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(deprecate(id, hours(24 * 366 * 10)).error().code, Code::invalid_parameter_value);
  EXPECT_TRUE(deprecate(id, hours(24 * 365 * 9)));
  EXPECT_EQ(deprecate(image_, hours(24 * 365 * 3)).error().code, Code::invalid_parameter_value) << "public";
}

}  // namespace
}  // namespace virga::api
