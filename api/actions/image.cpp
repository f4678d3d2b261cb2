#include <algorithm>

#include "api/actions/ids.h"
#include "api/actions/image_rows.h"
#include "api/workflows/tag_specifications.h"
#include "ec2/op/DescribeImages.h"
#include "storage/image_changes.h"
#include "storage/wanted.h"

namespace virga::api {

namespace {

using storage::Image;
using storage::ImageState;

std::string_view state_name(ImageState state) {
  switch (state) {
    case ImageState::pending:
      return "pending";
    case ImageState::available:
      return "available";
    case ImageState::failed:
      return "failed";
  }
  return "";
}

ec2::BlockDeviceMapping to_ec2(const storage::ImageMapping& mapping) {
  ec2::EbsBlockDevice ebs;
  ebs.delete_on_termination = mapping.delete_on_termination;
  if (!mapping.snapshot.empty()) ebs.snapshot_id = mapping.snapshot.str();
  ebs.volume_size = mapping.shape.size_gib;
  ebs.volume_type = mapping.shape.type;
  ebs.iops = mapping.shape.iops;
  ebs.throughput = mapping.shape.throughput;
  ebs.encrypted = false;
  ec2::BlockDeviceMapping view;
  view.device_name = mapping.device;
  view.ebs = std::move(ebs);
  return view;
}

/// The host's own words may hold its paths: the operator finds them in the log and in `virga image list`.
ec2::StateReason reason_of(const Image& image) {
  if (image.problem == storage::no_room_problem)
    return {"Server.InsufficientVolumeCapacity", std::string(storage::no_room_problem)};
  return {"Server.InternalError", image.bytes.empty() ? "A snapshot that the image is made of failed."
                                                      : "The image's bytes were refused on import."};
}

/// Where it comes from, if from something in this region: for its owner, whose instance or image that is.
void show_source(const Image& image, const Config& config, ec2::Image& view) {
  if (!image.source_instance.empty()) view.source_instance_id = image.source_instance.str();
  if (image.bytes.empty() || image.bytes == image.id) return;
  view.source_image_id = image.bytes.str();
  view.source_image_region = config.region;
}

ec2::Image to_ec2(Call& call, const Image& image) {
  auto& scope = call.scope();
  ec2::Image view;
  view.image_id = image.id.str();
  view.image_location = image.location();
  view.state = std::string(state_name(image.state));
  view.owner_id = image.owner.str();
  if (image.provided) view.image_owner_alias = "amazon";
  view.image_allowed = true;  // nobody restricts which images may be used
  view.free_tier_eligible = false;
  view.creation_date = to_iso8601(image.created);
  view.public_ = image.is_public;
  view.architecture = "x86_64";
  view.image_type = "machine";
  view.platform_details = "Linux/UNIX";
  view.usage_operation = "RunInstances";
  view.name = image.name;
  if (!image.description.empty()) view.description = image.description;
  view.root_device_name = image.root_device;
  view.root_device_type = "ebs";
  view.block_device_mappings = mappings_of(image);
  view.virtualization_type = "hvm";
  view.hypervisor = "xen";
  view.ena_support = image.claims.ena_support;
  if (!image.claims.boot_mode.empty()) view.boot_mode = image.claims.boot_mode;
  if (!image.claims.sriov_net_support.empty()) view.sriov_net_support = image.claims.sriov_net_support;
  if (!image.imds_support.empty()) view.imds_support = image.imds_support;
  view.deregistration_protection = "disabled";
  if (image.deprecated) view.deprecation_time = to_iso8601(*image.deprecated);
  if (image.launched && image.owner == scope.account) view.last_launched_time = to_iso8601(*image.launched);
  if (image.owner == scope.account) show_source(image, call.config(), view);
  if (image.state == ImageState::failed) view.state_reason = reason_of(image);
  if (image.owner == scope.account) view.tags = api::to_ec2(tags::of(scope, image.id.str()));
  return view;
}

/// Owner.N, ExecutableBy.N and IncludeDeprecated, which narrow what the caller sees.
class Who {
 public:
  Who(Scope& scope, const ec2::DescribeImagesRequest& request) : scope_(scope), request_(request) {}

  Result<void> check() const {
    for (const auto& owner : request_.owners)
      if (owner != "self" && owner != "amazon" && owner != "aws-marketplace" && owner != "aws-backup-vault")
        TRY_VOID(AccountId::parse(owner));
    for (const auto& user : request_.executable_users)
      if (user != "self" && user != "all") TRY_VOID(AccountId::parse(user));
    return {};
  }

  bool shows(const Image& image) const { return owner_fits(image) && executable(image) && current(image); }

 private:
  bool owner_fits(const Image& image) const {
    if (request_.owners.empty()) return true;
    return std::ranges::any_of(request_.owners, [&](const std::string& owner) {
      // "amazon" is who provides images to everybody: here, the operator.
      if (owner == "amazon") return image.provided;
      return owner == "self" ? image.owner == scope_.account : image.owner.str() == owner;
    });
  }

  bool executable(const Image& image) const {
    if (request_.executable_users.empty()) return true;
    return std::ranges::any_of(request_.executable_users, [&](const std::string& user) {
      if (user == "all") return image.is_public;
      if (user == "self" || user == scope_.account.str()) return storage::images::is_shared_with_me(scope_, image.id);
      const auto users = storage::images::shared_with(scope_, image.id);
      return std::ranges::find(users, user, &AccountId::str) != users.end();
    });
  }

  /// Lists leave out what others have deprecated; who knows the id may ask for it.
  bool current(const Image& image) const {
    if (!image.deprecated || *image.deprecated > scope_.now) return true;
    return image.owner == scope_.account || !request_.image_ids.empty() || request_.include_deprecated.value_or(false);
  }

  Scope& scope_;
  const ec2::DescribeImagesRequest& request_;
};

Result<std::vector<Image>> selected(Call& call, const std::vector<std::string>& texts, const std::string& after) {
  if (texts.empty()) return storage::images::list(call.scope(), after);
  auto ids = TRY(parse_ids<ImageId>(texts));
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<Image> images;
  for (const auto& id : ids) images.push_back(TRY(storage::images::find(call.scope(), id)));
  return images;
}

Result<ec2::DescribeImagesResult> describe_images(Call& call, const ec2::DescribeImagesRequest& request) {
  const Who who(call.scope(), request);
  TRY_VOID(who.check());
  auto page = call.listing<ec2::Image>();
  for (const auto& image : TRY(selected(call, request.image_ids, page.after())))
    if (who.shows(image) && !page.offer(image.id.str(), to_ec2(call, image))) break;
  ec2::DescribeImagesResult response;
  response.images = page.take();
  return response;
}

}  // namespace

std::vector<ec2::BlockDeviceMapping> mappings_of(const Image& image) {
  std::vector<ec2::BlockDeviceMapping> views;
  if (image.state != ImageState::available && (image.state == ImageState::pending || !image.bytes.empty()))
    return views;
  for (const auto& mapping : image.mappings) views.push_back(to_ec2(mapping));
  return views;
}

std::vector<Action> image_actions() {
  // No image is ever disabled: with IncludeDisabled the answer is the same.
  std::vector<Action> rows = {action("DescribeImages", Access::read, &describe_images)};
  for (const auto family : {image_making_rows, image_attribute_rows})
    for (auto& row : family()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace virga::api
