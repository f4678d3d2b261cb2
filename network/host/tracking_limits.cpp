#include "network/host/tracking_limits.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "core/unique_fd.h"
#include "network/host/name_space.h"
#include "network/host/nftables.h"
#include "network/host/ruleset.h"
#include "network/host/system_failure.h"

namespace virga::network {
namespace {

constexpr const char* table_size_file = "/proc/sys/net/netfilter/nf_conntrack_max";
constexpr int most_connections_per_vpc = 4 * most_connections_per_interface;
constexpr int least_connections_per_interface = 8 * connection_counters;  ///< below that no guest could work

/// How many entries the table takes; 0: unbounded or not told.
int table_size() {
  UniqueFd file(::open(table_size_file, O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  int size = 0;
  if (file && ::read(file.get(), text.data(), text.size() - 1) > 0)
    std::from_chars(text.data(), text.data() + text.size(), size);
  return size;
}

}  // namespace

bool connections_can_be_counted() {
  auto rules = load_commands(ruleset_of(VpcLayout(), {}, most_connections_per_interface));
  return in_scratch_name_space([&] { return nft::run(rules); }).has_value();
}

int connections_per_interface(int wanted) {
  int size = table_size();
  if (size <= 0) return wanted;
  return std::min(wanted, std::max(size / 4, least_connections_per_interface));
}

Result<void> bound_tracked_connections() {
  int size = table_size();
  if (size > 0 && size <= most_connections_per_vpc) return {};
  UniqueFd file(::open(table_size_file, O_WRONLY | O_CLOEXEC));
  if (!file) return {};  // the host's bound holds
  std::string value = std::to_string(most_connections_per_vpc);
  if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return system_failure(std::string("write ") + table_size_file);
  return {};
}

}  // namespace virga::network
