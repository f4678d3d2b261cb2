#include "api/action.h"

#include <spdlog/spdlog.h>

#include "api/members.h"
#include "core/assert.h"

namespace virga::api::detail {

namespace {

/// A path that the model does not have would be a member that nobody refuses.
void check_path(std::string_view action, const ec2::Shape& input, std::string_view path) {
  if (member_path(input, path)) return;
  spdlog::critical("the row of {} names the request member {}, which the model does not have", action, path);
  assertion_failed("a member of the request", __FILE__, __LINE__);
}

}  // namespace

Action make_action(std::string_view name, Access access, const ec2::Shape* input, const ec2::Shape* output,
                   ActionOptions options) {
  const auto* operation = ec2::find_operation(name);
  VIRGA_ASSERT(operation != nullptr);
  VIRGA_ASSERT(operation->input == input);
  VIRGA_ASSERT(operation->output == output);
  for (const auto path : options.refused) check_path(name, *input, path);
  for (const auto& only : options.only) check_path(name, *input, only.path);
  // A call repeated with its token would have to make a product that nobody takes.
  VIRGA_ASSERT(!options.prepare || operation->idempotency_token.empty());
  VIRGA_ASSERT(!options.refresh || !operation->idempotency_token.empty());
  return {operation->name, access, operation, std::move(options), {}};
}

}  // namespace virga::api::detail
