#include "api/action.h"
#include "api/workflows/tag_specifications.h"
#include "api/workflows/tagging.h"
#include "ec2/op/CreateTags.h"
#include "ec2/op/DeleteTags.h"
#include "ec2/op/DescribeTags.h"

namespace virga::api {

namespace {

Result<ec2::NoOutput> create_tags(Call& call, const ec2::CreateTagsRequest& request) {
  const auto tags = TRY(from_ec2(request.tags));
  TRY_VOID(tag_resources(call.scope(), request.resources, tags));
  return ec2::NoOutput{};
}

Result<ec2::NoOutput> delete_tags(Call& call, const ec2::DeleteTagsRequest& request) {
  std::vector<TagToRemove> which;
  for (const auto& tag : request.tags) which.push_back({tag.key.value_or(""), tag.value});
  TRY_VOID(untag_resources(call.scope(), request.resources, which));
  return ec2::NoOutput{};
}

Result<ec2::DescribeTagsResult> describe_tags(Call& call, const ec2::DescribeTagsRequest&) {
  auto page = call.listing<ec2::TagDescription>();
  for (const auto& tag : tags::list(call.scope())) {
    // Control characters are in no tag, so the pair's order is that of its text.
    const auto key = tag.resource_id + "\x01" + tag.key;
    if (!page.offer(key, {tag.key, tag.resource_id, tag.resource_type, tag.value})) break;
  }
  ec2::DescribeTagsResult response;
  response.tags = page.take();
  return response;
}

}  // namespace

std::vector<Action> tag_actions() {
  return {action("CreateTags", Access::write, &create_tags), action("DeleteTags", Access::write, &delete_tags),
          action("DescribeTags", Access::read, &describe_tags)};
}

}  // namespace virga::api
