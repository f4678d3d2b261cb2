#pragma once

// The catalogue of instance types: EC2's names with EC2's numbers, and a few very small ones for labs.

#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"

namespace virga::compute {

struct InstanceType {
  std::string_view name;
  int vcpus;
  int threads_per_core;
  int memory_mib;
  int max_interfaces;
  int addresses_per_interface;
  bool burstable;
  bool current_generation;

  int cores() const { return vcpus / threads_per_core; }
};

/// What RunInstances takes when the caller names no type, as EC2 does.
inline constexpr std::string_view default_instance_type = "m1.small";

/// All types, sorted by name.
std::span<const InstanceType> instance_types();
/// Errors: InvalidInstanceType.
Result<InstanceType> find_instance_type(std::string_view name);
/// What a burstable type's CPU credits are when the caller does not say: t2 "standard", t3 "unlimited"; else empty.
std::string_view default_cpu_credits(const InstanceType& type);

}  // namespace virga::compute
