#include "api/dry_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/errors.h"

namespace virga::api {

namespace {

// Limits of a single request or resource (tags, filters) are not here: they refuse the request as it is.
constexpr Code wants_of_room[] = {
    Code::resource_limit_exceeded,
    Code::insufficient_instance_capacity,
    Code::instance_limit_exceeded,
    Code::vcpu_limit_exceeded,
    Code::key_pair_limit_exceeded,
    Code::volume_limit_exceeded,
    Code::max_storage_exceeded,
    Code::volume_modification_size_limit_exceeded,
    Code::attachment_limit_exceeded,
    Code::insufficient_volume_capacity,
    Code::snapshot_limit_exceeded,
    Code::vpc_limit_exceeded,
    Code::subnet_limit_exceeded,
    Code::insufficient_free_addresses_in_subnet,
    Code::internet_gateway_limit_exceeded,
    Code::route_table_limit_exceeded,
    Code::route_limit_exceeded,
    Code::security_group_limit_exceeded,
    Code::rules_per_security_group_limit_exceeded,
    Code::address_limit_exceeded,
    Code::insufficient_address_capacity,
};

}  // namespace

bool is_want_of_room(Code code) { return std::ranges::find(wants_of_room, code) != std::ranges::end(wants_of_room); }

Error dry_run_answer(const Result<void>& outcome) {
  constexpr std::string_view answer = "Request would have succeeded, but DryRun flag is set.";
  if (outcome) return {Code::dry_run_operation, std::string(answer), {}};
  const Error& error = outcome.error();
  if (!is_want_of_room(error.code)) return error;
  return {Code::dry_run_operation,
          fmt::format("{} At this moment it would be refused, though, with {}: {}", answer, wire_error(error.code).code,
                      error.message),
          error.context};
}

}  // namespace virga::api
