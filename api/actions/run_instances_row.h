#pragma once

#include "api/action.h"

namespace virga::api {
/// What RunInstances does not honour, and what it takes with one value only.
ActionOptions run_instances_options();
}  // namespace virga::api
