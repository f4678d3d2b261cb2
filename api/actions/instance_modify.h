#pragma once

#include "api/action.h"

namespace virga::api {
/// ModifyInstanceAttribute, ResetInstanceAttribute.
std::vector<Action> instance_modify_actions();
}  // namespace virga::api
