#include <algorithm>
#include <set>

#include "api/action.h"
#include "api/actions/ids.h"
#include "api/workflows/block_devices.h"
#include "api/workflows/tag_specifications.h"
#include "ec2/op/DeregisterImage.h"
#include "ec2/op/DescribeImages.h"
#include "ec2/op/RegisterImage.h"
#include "storage/images.h"
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

ec2::BlockDeviceMapping root_mapping(const Image& image) {
  ec2::EbsBlockDevice ebs;
  ebs.delete_on_termination = image.root_delete_on_termination;
  ebs.volume_size = image.root_gib;
  ebs.volume_type = image.root_type;
  ebs.encrypted = false;
  ec2::BlockDeviceMapping mapping;
  mapping.device_name = image.root_device;
  mapping.ebs = std::move(ebs);
  return mapping;
}

/// The host's own words may hold its paths: the operator finds them in the log and in `virga image list`.
ec2::StateReason reason_of(const Image& image) {
  if (image.problem == storage::no_room_problem)
    return {"Server.InsufficientVolumeCapacity", std::string(storage::no_room_problem)};
  return {"Server.InternalError", "The image's bytes were refused on import."};
}

ec2::Image to_ec2(Call& call, const Image& image) {
  auto& scope = call.scope();
  ec2::Image view;
  view.image_id = image.id.str();
  view.image_location = image.location();
  view.state = std::string(state_name(image.state));
  view.owner_id = image.owner.str();
  if (image.is_public) view.image_owner_alias = "amazon";  // who provides public images: here, the operator
  view.image_allowed = true;                               // nobody restricts which images may be used
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
  if (image.state == ImageState::available) view.block_device_mappings.push_back(root_mapping(image));
  view.virtualization_type = "hvm";
  view.hypervisor = "xen";
  view.ena_support = true;
  view.boot_mode = "legacy-bios";
  if (image.bytes != image.id) {
    view.source_image_id = image.bytes.str();
    view.source_image_region = call.config().region;
  }
  if (image.state == ImageState::failed) view.state_reason = reason_of(image);
  if (image.owner == scope.account) view.tags = api::to_ec2(tags::of(scope, image.id.str()));
  return view;
}

/// Owner.N and ExecutableBy.N, which narrow what the caller sees.
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

  bool shows(const Image& image) const { return owner_fits(image) && executable(image); }

 private:
  bool owner_fits(const Image& image) const {
    if (request_.owners.empty()) return true;
    return std::ranges::any_of(request_.owners, [&](const std::string& owner) {
      // "amazon" is who provides the public images: here, the operator.
      if (owner == "amazon") return image.is_public;
      return owner == "self" ? image.owner == scope_.account : image.owner.str() == owner;
    });
  }

  /// "self": shared with the caller explicitly, which no image of Virga is; an account's id likewise.
  bool executable(const Image& image) const {
    if (request_.executable_users.empty()) return true;
    return std::ranges::any_of(request_.executable_users,
                               [&](const std::string& user) { return user == "all" && image.is_public; });
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

/// A new image on the bytes of the one that ImageLocation names. The mapping may only describe the root volume.
Result<ec2::RegisterImageResult> register_image(Call& call, const ec2::RegisterImageRequest& request) {
  const auto tags = TRY(tags_for(request.tag_specifications, ImageId::resource_type));
  storage::RegisterRequest wish;
  wish.name = request.name.value_or("");
  wish.description = request.description.value_or("");
  wish.source = request.image_location.value_or("");
  if (request.root_device_name && !request.root_device_name->empty()) wish.root_device = request.root_device_name;
  for (const auto& mapping : request.block_device_mappings) {
    const auto ebs = mapping.ebs.value_or(ec2::EbsBlockDevice{});
    TRY_VOID(refuse_snapshot(ebs.snapshot_id));
    if (wish.root_device && mapping.device_name.value_or("") != *wish.root_device)
      return fail(Code::invalid_block_device_mapping, "Only the root device may be mapped.");
    wish.root_device = mapping.device_name;
    wish.root_gib = ebs.volume_size;
    wish.root_type = ebs.volume_type;
    wish.root_delete_on_termination = ebs.delete_on_termination;
  }
  if (wish.source.empty())
    return fail(Code::missing_parameter,
                "The request must contain the parameter ImageLocation: an image's id, or <owner account>/<name>");
  const auto id = TRY(storage::images::register_copy(call.scope(), wish));
  TRY_VOID(tags::put(call.scope(), id.str(), tags));
  return ec2::RegisterImageResult{id.str()};
}

Result<ec2::DeregisterImageResult> deregister_image(Call& call, const ec2::DeregisterImageRequest& request) {
  const auto id = TRY(ImageId::parse(request.image_id.value_or("")));
  TRY_VOID(storage::images::deregister(call.scope(), id));
  ec2::DeregisterImageResult response;
  response.return_ = true;
  return response;
}

}  // namespace

std::vector<Action> image_actions() {
  return {
      action("DeregisterImage", Access::write, &deregister_image, {.only = {{"DeleteAssociatedSnapshots", {"false"}}}}),
      // No image is ever deprecated or disabled: both answers are the same.
      action("DescribeImages", Access::read, &describe_images),
      action("RegisterImage", Access::write, &register_image,
             {.refused = {"BillingProducts", "BlockDeviceMappings.Ebs.AvailabilityZone",
                          "BlockDeviceMappings.Ebs.AvailabilityZoneId", "BlockDeviceMappings.Ebs.Iops",
                          "BlockDeviceMappings.Ebs.KmsKeyId", "BlockDeviceMappings.Ebs.OutpostArn",
                          "BlockDeviceMappings.Ebs.Throughput", "BlockDeviceMappings.Ebs.VolumeInitializationRate",
                          "BlockDeviceMappings.NoDevice", "BlockDeviceMappings.VirtualName", "ImdsSupport", "KernelId",
                          "RamdiskId", "SriovNetSupport", "TpmSupport", "UefiData"},
              .only = {{"Architecture", {"x86_64"}},
                       {"BlockDeviceMappings.Ebs.EbsCardIndex", {"0"}},
                       {"BlockDeviceMappings.Ebs.Encrypted", {"false"}},
                       {"BootMode", {"legacy-bios"}},
                       {"EnaSupport", {"true"}},
                       {"VirtualizationType", {"hvm"}}}})};
}

}  // namespace virga::api
