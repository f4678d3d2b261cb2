#include "api/workflows/tagging.h"

#include <fmt/format.h>
#include "core/json_values.h"

namespace virga::api {

namespace {

constexpr std::size_t max_resources = 1000;

/// EC2's answer for an id that names nothing the caller owns, of the kind that its prefix says.
Error not_found(const std::string& id) {
  std::optional<Error> error;
  const auto is_a = [&]<class IdType>(const IdType&) {
    if (!error && IdType::parse(id)) error = IdType::not_found(id);
  };
  is_a(InstanceId());
  is_a(ImageId());
  is_a(KeyPairId());
  is_a(VolumeId());
  is_a(SnapshotId());
  is_a(VpcId());
  is_a(SubnetId());
  is_a(InternetGatewayId());
  is_a(RouteTableId());
  is_a(SecurityGroupId());
  is_a(SecurityGroupRuleId());
  is_a(NetworkInterfaceId());
  is_a(AllocationId());
  is_a(NetworkAclId());
  is_a(DhcpOptionsId());
  if (error) return *error;
  return {Code::invalid_id, fmt::format("The ID '{}' is not valid", id.substr(0, 64)), {}};
}

Result<void> check_owned(Scope& scope, const std::vector<std::string>& ids) {
  if (ids.size() > max_resources)
    return fail(Code::invalid_parameter_value, fmt::format("At most {} resources may be named.", max_resources));
  for (const auto& id : ids)
    if (!resource_type(scope, id)) return fail(not_found(id));
  return {};
}

/// Does the work for one resource, with its journal row and, where a guest may be told, its document.
template <class Work>
Result<void> change(Scope& scope, const std::string& id, Work&& work) {
  const auto before = tags::of(scope, id);
  TRY_VOID(work());
  const auto after = tags::of(scope, id);
  if (before == after) return {};
  scope.record(id, {{"tags", before}}, {{"tags", after}});
  if (id.starts_with(InstanceId::prefix)) scope.touch(DocumentKind::instance, id);
  return {};
}

}  // namespace

Result<void> tag_resources(Scope& scope, const std::vector<std::string>& ids, const tags::Tags& tags) {
  TRY_VOID(check_owned(scope, ids));
  for (const auto& id : ids) TRY_VOID(change(scope, id, [&] { return tags::put(scope, id, tags); }));
  return {};
}

Result<void> untag_resources(Scope& scope, const std::vector<std::string>& ids, const std::vector<TagToRemove>& which) {
  TRY_VOID(check_owned(scope, ids));
  for (const auto& id : ids)
    TRY_VOID(change(scope, id, [&]() -> Result<void> {
      if (which.empty()) tags::remove_all(scope, id);
      for (const auto& tag : which) tags::remove(scope, id, tag.key, tag.value);
      return {};
    }));
  return {};
}

}  // namespace virga::api
