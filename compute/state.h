#pragma once

// The state of an instance as EC2's clients see it. What is wanted (power, start_number) and what the host last said
// are columns of their own; this is neither.
//
//            first start seen                 guest ended by itself
//   pending ------------------> running ---------------------------------+
//     ^  |                        |  StopInstances                       v
//     |  | launch given up        +------------------> stopping ----> stopped
//     |  |                        |                       |              |
//     +--|------------------------|-- StartInstances -----|--------------+
//        v                        v                       v              |
//        +----------------> shutting-down <----------------+-------------+   TerminateInstances
//                                 |  gone from the host
//                                 v
//                            terminated

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace virga::compute {

enum class InstanceState { pending, running, stopping, stopped, shutting_down, terminated };

struct StateName {
  InstanceState state;
  std::string_view name;  ///< on the wire
  int code;               ///< EC2's number for it
};
inline constexpr std::array<StateName, 6> state_names = {{{InstanceState::pending, "pending", 0},
                                                          {InstanceState::running, "running", 16},
                                                          {InstanceState::stopping, "stopping", 64},
                                                          {InstanceState::stopped, "stopped", 80},
                                                          {InstanceState::shutting_down, "shutting-down", 32},
                                                          {InstanceState::terminated, "terminated", 48}}};

constexpr std::string_view to_string(InstanceState state) { return state_names[static_cast<std::size_t>(state)].name; }
constexpr int state_code(InstanceState state) { return state_names[static_cast<std::size_t>(state)].code; }
constexpr std::optional<InstanceState> parse_instance_state(std::string_view text) {
  for (const auto& row : state_names)
    if (row.name == text) return row.state;
  return std::nullopt;
}

/// Every step an instance may take; all others are defects.
inline constexpr std::array<std::pair<InstanceState, InstanceState>, 11> transitions = {{
    {InstanceState::pending, InstanceState::running},
    {InstanceState::pending, InstanceState::stopped},        // a start (not the launch) that was given up
    {InstanceState::pending, InstanceState::shutting_down},  // terminated meanwhile, or the launch given up
    {InstanceState::running, InstanceState::stopping},
    {InstanceState::running, InstanceState::stopped},  // the guest ended by itself
    {InstanceState::running, InstanceState::shutting_down},
    {InstanceState::stopping, InstanceState::stopped},
    {InstanceState::stopping, InstanceState::shutting_down},
    {InstanceState::stopped, InstanceState::pending},
    {InstanceState::stopped, InstanceState::shutting_down},
    {InstanceState::shutting_down, InstanceState::terminated},
}};
constexpr bool may_become(InstanceState from, InstanceState to) {
  for (const auto& step : transitions)
    if (step.first == from && step.second == to) return true;
  return false;
}

/// It has, or will have again, a place on a host.
constexpr bool is_alive(InstanceState state) {
  return state != InstanceState::shutting_down && state != InstanceState::terminated;
}

}  // namespace virga::compute
