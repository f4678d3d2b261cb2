#include <algorithm>

#include "api/action.h"
#include "core/assert.h"

namespace virga::api {

const std::vector<Action>& all_actions() {
  static const std::vector<Action> actions = [] {
    std::vector<Action> all;
    for (const auto family :
         {region_actions, tag_actions, key_pair_actions, image_actions, instance_type_actions, instance_actions,
          volume_actions, snapshot_actions, vpc_actions, subnet_actions, internet_gateway_actions, address_actions,
          route_table_actions, security_group_actions, network_interface_actions})
      for (auto& action : family()) all.push_back(std::move(action));
    std::ranges::sort(all, {}, &Action::name);
    const auto duplicate = std::ranges::adjacent_find(all, {}, &Action::name);
    VIRGA_ASSERT(duplicate == all.end());
    return all;
  }();
  return actions;
}

const Action* find_action(std::string_view name) {
  const auto& all = all_actions();
  const auto found = std::ranges::lower_bound(all, name, {}, &Action::name);
  return found != all.end() && found->name == name ? &*found : nullptr;
}

}  // namespace virga::api
