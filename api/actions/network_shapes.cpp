#include "api/actions/network_shapes.h"

#include <fmt/format.h>

namespace virga::api {

std::vector<ec2::Tag> tag_set(Call& call, std::string_view resource_id) {
  return to_ec2(tags::of(call.scope(), resource_id));
}

std::string arn(Call& call, std::string_view kind, std::string_view id) {
  return fmt::format("arn:aws:ec2:{}:{}:{}/{}", call.config().region, call.scope().account.str(), kind, id);
}

}  // namespace virga::api
