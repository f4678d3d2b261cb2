#pragma once

#include "api/action.h"

namespace virga::api {
/// ModifyInstanceMetadataOptions, MonitorInstances, UnmonitorInstances, ModifyInstanceCreditSpecification,
/// ModifyInstanceMaintenanceOptions.
std::vector<Action> instance_options_actions();
}  // namespace virga::api
