#pragma once

#include "api/action.h"

namespace virga::api {
/// Reads of single attributes, which Terraform makes for every instance: DescribeInstanceAttribute,
/// DescribeInstanceCreditSpecifications.
std::vector<Action> instance_attribute_actions();
}  // namespace virga::api
