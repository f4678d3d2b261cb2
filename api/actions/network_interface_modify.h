#pragma once

#include "api/action.h"

namespace virga::api {
/// ModifyNetworkInterfaceAttribute, ResetNetworkInterfaceAttribute, DeleteNetworkInterface.
std::vector<Action> network_interface_modify_actions();
}  // namespace virga::api
