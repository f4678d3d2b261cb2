#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/modifications.h"

namespace virga::storage {

namespace {

/// What EC2 allows of each type ("Amazon EBS volume types"). A default of 0: the request must name it.
struct Rules {
  std::string_view type;
  int min_gib;
  int max_gib;
  bool takes_iops;
  int min_iops;
  int max_iops;
  int default_iops;
  int max_iops_per_gib;
  bool takes_throughput;
};
constexpr std::array rules = {
    Rules{"gp2", 1, 16384, false, 0, 0, 0, 0, false},       Rules{"gp3", 1, 65536, true, 3000, 80000, 3000, 500, true},
    Rules{"io1", 4, 16384, true, 100, 64000, 0, 50, false}, Rules{"io2", 4, 65536, true, 100, 256000, 0, 1000, false},
    Rules{"sc1", 125, 16384, false, 0, 0, 0, 0, false},     Rules{"st1", 125, 16384, false, 0, 0, 0, 0, false},
    Rules{"standard", 1, 1024, false, 0, 0, 0, 0, false},
};
constexpr int min_throughput = 125;
constexpr int max_throughput = 2000;
/// ModifyVolume has one for io1 and io2 too, which CreateVolume has not.
constexpr int default_iops_of_a_change = 3000;

/// gp2's performance follows from its size: 3 a GiB, between 100 and 16000.
int gp2_iops(int size_gib) { return std::clamp(3 * size_gib, 100, 16000); }

Result<void> check_iops(VolumeShape& shape, const Rules& of) {
  if (!of.takes_iops) {
    if (shape.iops)
      return fail(Code::invalid_parameter_combination,
                  fmt::format("The parameter iops is not supported for {} volumes.", of.type));
    if (of.type == "gp2") shape.iops = gp2_iops(shape.size_gib);
    return {};
  }
  if (!shape.iops && of.default_iops == 0)
    return fail(Code::missing_parameter, fmt::format("The parameter iops must be specified for {} volumes.", of.type));
  if (!shape.iops) {
    shape.iops = of.default_iops;
    return {};
  }
  if (*shape.iops < of.min_iops || *shape.iops > of.max_iops)
    return fail(Code::invalid_parameter_value,
                fmt::format("Volume iops of {} is out of bounds; minimum is {}, maximum is {}.", *shape.iops,
                            of.min_iops, of.max_iops));
  if (*shape.iops > of.min_iops && *shape.iops > of.max_iops_per_gib * shape.size_gib)
    return fail(Code::invalid_parameter_value,
                fmt::format("Iops to volume size ratio of {}:{} is too high; maximum is {} IOPS per GiB.", *shape.iops,
                            shape.size_gib, of.max_iops_per_gib));
  return {};
}

Result<void> check_throughput(VolumeShape& shape, const Rules& of) {
  if (!of.takes_throughput) {
    if (shape.throughput)
      return fail(Code::invalid_parameter_combination,
                  fmt::format("The parameter throughput is not supported for {} volumes.", of.type));
    return {};
  }
  if (!shape.throughput) shape.throughput = min_throughput;
  if (*shape.throughput < min_throughput || *shape.throughput > max_throughput)
    return fail(Code::invalid_parameter_value,
                fmt::format("Throughput of {} MiBps is out of bounds; minimum is {}, maximum is {}.", *shape.throughput,
                            min_throughput, max_throughput));
  if (*shape.throughput > min_throughput && *shape.throughput * 4 > *shape.iops)
    return fail(Code::invalid_parameter_value,
                "Throughput (MiBps) to iops ratio is too high; maximum is 0.25 MiBps per iops.");
  return {};
}

}  // namespace

Result<VolumeShape> check_shape(VolumeShape wish) {
  if (wish.type.empty()) wish.type = "gp2";
  const auto* const of = std::ranges::find(rules, wish.type, &Rules::type);
  if (of == rules.end())
    return fail(Code::invalid_parameter_value, fmt::format("Invalid volume type: '{}'", wish.type.substr(0, 32)));
  if (wish.size_gib < of->min_gib || wish.size_gib > of->max_gib)
    return fail(
        Code::invalid_parameter_value,
        fmt::format("Volume of {}GiB is too {} for volume type {}; minimum is {}GiB, maximum is {}GiB.", wish.size_gib,
                    wish.size_gib < of->min_gib ? "small" : "large", of->type, of->min_gib, of->max_gib));
  TRY_VOID(check_iops(wish, *of));
  TRY_VOID(check_throughput(wish, *of));
  return wish;
}

Result<VolumeShape> changed_shape(const VolumeShape& now, const Change& change) {
  VolumeShape wish;
  wish.size_gib = change.size_gib.value_or(now.size_gib);
  wish.type = change.type.value_or(now.type);
  wish.iops = change.iops;
  wish.throughput = change.throughput;
  if (wish.size_gib < now.size_gib)
    return fail(
        Code::invalid_parameter_value,
        fmt::format("New size cannot be smaller than existing size ({} < {} GiB).", wish.size_gib, now.size_gib));
  const auto* const of = std::ranges::find(rules, wish.type, &Rules::type);
  if (of != rules.end() && of->takes_iops && !wish.iops)
    wish.iops = wish.type == now.type ? now.iops : std::optional(default_iops_of_a_change);
  if (wish.type == now.type && of != rules.end() && of->takes_throughput && !wish.throughput)
    wish.throughput = now.throughput;
  return check_shape(std::move(wish));
}

Result<void> check_data_device(std::string_view device) {
  const auto letter = [](char c, char first, char last) { return c >= first && c <= last; };
  const auto good = [&] {
    if (device.starts_with("/dev/sd")) {
      const auto rest = device.substr(7);
      if (rest.empty() || !letter(rest[0], 'b', 'z')) return false;
      const auto digits = rest.substr(1);
      if (digits.empty()) return true;
      if (digits.size() > 2 || digits[0] == '0') return false;
      int number = 0;
      for (const char c : digits) {
        if (!letter(c, '0', '9')) return false;
        number = number * 10 + (c - '0');
      }
      return number <= 15;
    }
    if (device.starts_with("/dev/xvd")) {
      const auto rest = device.substr(8);
      if (rest.size() == 1) return letter(rest[0], 'b', 'z');
      return rest.size() == 2 && letter(rest[0], 'a', 'd') && letter(rest[1], 'a', 'z');
    }
    return false;
  }();
  if (good) return {};
  return fail(Code::invalid_parameter_value,
              fmt::format("Value ({}) for parameter device is invalid. {} is not a valid EBS device name.",
                          device.substr(0, 32), device.substr(0, 32)));
}

}  // namespace virga::storage
