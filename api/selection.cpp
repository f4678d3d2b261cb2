#include "api/selection.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/json.h"
#include "api/codec/value.h"
#include "api/digest.h"

namespace virga::api {

namespace {

// The model leaves the bounds out for half of the actions; EC2 documents these for them.
constexpr std::int64_t default_min_results = 5;
constexpr std::int64_t default_max_results = 1000;

constexpr std::string_view page_members[] = {"NextToken", "MaxResults", "DryRun"};

/// Actions where EC2 refuses MaxResults together with explicit ids, and the member with the ids.
constexpr std::pair<std::string_view, std::string_view> ids_exclude_pages[] = {
    {"DescribeInstances", "InstanceIds"},
    {"DescribeInstanceStatus", "InstanceIds"},
    {"DescribeSnapshots", "SnapshotIds"},
    {"DescribeVolumes", "VolumeIds"},
    {"DescribeVolumeStatus", "VolumeIds"},
};

Result<std::size_t> page_size(const ec2::Operation& operation, const void* request, std::int32_t wanted) {
  const auto& shape = *find_member(*operation.input, "MaxResults")->shape;
  const auto low = shape.min.value_or(default_min_results);
  const auto high = shape.max.value_or(default_max_results);
  if (wanted < low || wanted > high)
    return fail(codec::invalid_value(std::to_string(wanted), "maxResults",
                                     fmt::format("Expecting a value between {} and {}.", low, high)));
  for (const auto& [action, member] : ids_exclude_pages)
    if (action == operation.name &&
        any_value({find_member(*operation.input, member)}, request, [](const auto&, const void*) { return true; }))
      return fail(Code::invalid_parameter_combination,
                  fmt::format("The parameter {} cannot be used with the parameter maxResults", member));
  return static_cast<std::size_t>(wanted);
}

}  // namespace

Result<RequestSelection> RequestSelection::create(const ec2::Operation& operation, const void* request,
                                                  const PageTokens& tokens, const AccountId& account) {
  RequestSelection selection(TRY(Filters::compile(operation, request)), tokens);
  if (!operation.paged) return selection;
  if (const auto* wanted = scalar<std::int32_t>(*operation.input, request, "MaxResults"))
    selection.room_ = TRY(page_size(operation, request, *wanted));
  selection.list_ = {account.str(), std::string(operation.name),
                     sha256_hex(codec::encode_json(*operation.input, request, page_members))};
  const auto* token = scalar<std::string>(*operation.input, request, "NextToken");
  if (token != nullptr && !token->empty()) selection.after_ = TRY(tokens.redeem(selection.list_, *token));
  return selection;
}

void RequestSelection::took(std::string_view key) {
  last_ = key;
  --room_;
}

void RequestSelection::finish(const ec2::Shape& output, void* response) const {
  if (!more_ || last_.empty()) return;
  const auto* member = find_member(output, "NextToken");
  if (member == nullptr) return;
  void* slot = static_cast<std::byte*>(response) + member->offset;
  *static_cast<std::string*>(member->shape->access->emplace(slot)) = tokens_->issue(list_, last_);
}

}  // namespace virga::api
