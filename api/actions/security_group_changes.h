#pragma once

#include "api/action.h"

namespace virga::api {
/// Changes of rules that exist: ModifySecurityGroupRules, UpdateSecurityGroupRuleDescriptionsIngress and ...Egress.
std::vector<Action> security_group_change_actions();
}  // namespace virga::api
