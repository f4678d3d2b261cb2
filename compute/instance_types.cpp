#include "compute/instance_types.h"

#include <algorithm>
#include <array>
#include <string>

namespace virga::compute {

namespace {
constexpr std::array catalogue = {
    InstanceType{"c5.2xlarge", 8, 2, 16384, 4, 15, false, true},
    InstanceType{"c5.4xlarge", 16, 2, 32768, 8, 30, false, true},
    InstanceType{"c5.large", 2, 2, 4096, 3, 10, false, true},
    InstanceType{"c5.xlarge", 4, 2, 8192, 4, 15, false, true},
    InstanceType{"lab.micro", 1, 1, 512, 4, 10, false, true},
    InstanceType{"lab.nano", 1, 1, 96, 4, 10, false, true},
    InstanceType{"lab.small", 1, 1, 256, 4, 10, false, true},
    InstanceType{"lab.tiny", 1, 1, 128, 4, 10, false, true},
    InstanceType{"m1.medium", 1, 1, 3840, 2, 6, false, false},
    InstanceType{"m1.small", 1, 1, 1740, 2, 4, false, false},
    InstanceType{"m5.2xlarge", 8, 2, 32768, 4, 15, false, true},
    InstanceType{"m5.4xlarge", 16, 2, 65536, 8, 30, false, true},
    InstanceType{"m5.8xlarge", 32, 2, 131072, 8, 30, false, true},
    InstanceType{"m5.large", 2, 2, 8192, 3, 10, false, true},
    InstanceType{"m5.xlarge", 4, 2, 16384, 4, 15, false, true},
    InstanceType{"r5.2xlarge", 8, 2, 65536, 4, 15, false, true},
    InstanceType{"r5.large", 2, 2, 16384, 3, 10, false, true},
    InstanceType{"r5.xlarge", 4, 2, 32768, 4, 15, false, true},
    InstanceType{"t1.micro", 1, 1, 627, 2, 2, false, false},
    InstanceType{"t2.large", 2, 1, 8192, 3, 12, true, true},
    InstanceType{"t2.medium", 2, 1, 4096, 3, 6, true, true},
    InstanceType{"t2.micro", 1, 1, 1024, 2, 2, true, true},
    InstanceType{"t2.nano", 1, 1, 512, 2, 2, true, true},
    InstanceType{"t2.small", 1, 1, 2048, 3, 4, true, true},
    InstanceType{"t3.2xlarge", 8, 2, 32768, 4, 15, true, true},
    InstanceType{"t3.large", 2, 2, 8192, 3, 12, true, true},
    InstanceType{"t3.medium", 2, 2, 4096, 3, 6, true, true},
    InstanceType{"t3.micro", 2, 2, 1024, 2, 2, true, true},
    InstanceType{"t3.nano", 2, 2, 512, 2, 2, true, true},
    InstanceType{"t3.small", 2, 2, 2048, 3, 4, true, true},
    InstanceType{"t3.xlarge", 4, 2, 16384, 4, 15, true, true},
};
static_assert(std::ranges::is_sorted(catalogue, {}, &InstanceType::name));
}  // namespace

std::span<const InstanceType> instance_types() { return catalogue; }

Result<InstanceType> find_instance_type(std::string_view name) {
  const auto* const found = std::ranges::lower_bound(catalogue, name, {}, &InstanceType::name);
  if (found == catalogue.end() || found->name != name)
    return fail(Code::invalid_instance_type,
                "The following supplied instance types do not exist: [" + std::string(name.substr(0, 64)) + "]");
  return *found;
}

std::string_view default_cpu_credits(const InstanceType& type) {
  if (!type.burstable) return "";
  return type.name.starts_with("t2.") ? "standard" : "unlimited";
}

}  // namespace virga::compute
