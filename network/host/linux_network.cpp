#include "network/host/linux_network.h"

#include "core/json_values.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "network/host/converge.h"
#include "network/host/filter_probe.h"
#include "network/host/name_space.h"
#include "network/host/nftables.h"
#include "network/host/sockets.h"
#include "network/host/taps.h"
#include "network/host/tracked_connections.h"

namespace virga::network {
namespace {

Result<const PortLayout*> find_port(const VpcLayout& layout, const NetworkInterfaceId& id) {
  const PortLayout* port = layout.port(id);
  if (port == nullptr || !port->local)
    return fail(Code::invalid_network_interface_id_not_found, fmt::format("{} is not on this host", id.str()));
  return port;
}

/// The directory, or the common one when a private directory (a home, say) lies on the way to it.
std::string reachable_directory(const std::string& wanted) {
  for (std::filesystem::path path = wanted; path.has_relative_path(); path = path.parent_path()) {
    struct stat status {};
    bool own = path == wanted;  // its mode is set when it is used
    if (!own && ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0) return "/run/virga-dns";
  }
  return wanted;
}

/// Deletes the link in the calling thread's namespace.
Result<void> remove_link_here(const std::string& name) { return TRY(Netlink::open()).remove_link(name); }

/// Moves the tap from the host's namespace into the VPC's; nothing to do when it is there.
Result<void> move_tap(const std::string& name_space, const std::string& tap) {
  Netlink outside = TRY(Netlink::open());
  auto link = TRY(outside.link(tap));
  if (!link) return {};
  UniqueFd target = TRY(open_name_space(name_space));
  return outside.move_to_name_space(link->index, target.get());
}

/// A socket made in the namespace.
Result<UniqueFd> make_inside(const std::string& name_space, const std::function<Result<UniqueFd>()>& make) {
  UniqueFd socket;
  TRY_VOID(in_name_space(name_space, [&]() -> Result<void> {
    auto made = make();
    if (!made) return fail(made.error());
    socket = std::move(*made);
    return {};
  }));
  return socket;
}

bool has_element(const nlohmann::json& set, const std::string& first) {
  if (!set.contains("elem")) return false;
  return std::ranges::any_of(set["elem"], [&](const nlohmann::json& element) {
    return element.is_object() && element.contains("concat") && element["concat"][0] == first;
  });
}

}  // namespace

Result<std::unique_ptr<HostNetwork>> LinuxNetwork::create(LinuxNetworkOptions options) {
  bool hex =
      std::ranges::all_of(options.realm, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (options.realm.size() != 4 || !hex)
    return fail(internal_error(fmt::format("realm '{}' is not four lower-case hex digits", options.realm)));
  if (::geteuid() != 0) return fail(internal_error("the host's network needs root"));
  auto name_servers = TRY(NameServers::create(reachable_directory(options.runtime_dir) + "/" + options.realm,
                                              Names(options.realm), options.commands));
  auto edge = TRY(Edge::create(Names(options.realm)));
  return std::unique_ptr<HostNetwork>(new LinuxNetwork(options, std::move(name_servers), std::move(edge)));
}

LinuxNetwork::LinuxNetwork(const LinuxNetworkOptions& options, std::unique_ptr<NameServers> name_servers,
                           std::unique_ptr<Edge> edge)
    : names_(options.realm),
      commands_(options.commands),
      name_servers_(std::move(name_servers)),
      edge_(std::move(edge)),
      dns_upstream_(options.dns_upstream),
      wanted_connection_limit_(options.connections_per_interface) {}

LinuxNetwork::Memory& LinuxNetwork::memory_of(std::uint32_t vpc) {
  std::lock_guard lock(mutex_);
  auto& memory = memories_[vpc];
  if (!memory) memory = std::make_unique<Memory>();
  return *memory;
}

Result<void> LinuxNetwork::apply(const WantedVpc& vpc) {
  VpcLayout layout = TRY(read_layout(vpc, names_));
  TRY_VOID(require_filtering());
  Memory& memory = memory_of(vpc.number);
  std::lock_guard turn(memory.mutex);
  memory.problem.clear();
  return settle(layout, memory);
}

Result<void> LinuxNetwork::settle(const VpcLayout& layout, Memory& memory) {
  TRY_VOID(create_name_space(layout.name_space));
  const bool way_out = !layout.addresses.empty();
  TRY_VOID(way_out ? edge_->attach(layout) : edge_->release(layout.number));
  TRY_VOID(in_name_space(layout.name_space, [&] { return converge(layout, memory); }));
  if (way_out) TRY_VOID(edge_->open(layout));
  return {};
}

Result<void> LinuxNetwork::converge(const VpcLayout& layout, Memory& memory) {
  Netlink netlink = TRY(Netlink::open());
  TRY_VOID(set_switches());
  TRY_VOID(bound_tracked_connections());
  TRY_VOID(converge_bridges(netlink, layout, names_));
  TRY_VOID(converge_routes(netlink, layout));
  auto plugged = TRY(plugged_interfaces(netlink, layout));
  TRY_VOID(converge_ports(netlink, layout, plugged, names_));
  TRY_VOID(load_rules(ruleset_of(layout, plugged, connection_limit()), memory));
  if (memory.translated != layout.addresses) TRY_VOID(forget_other_translations(layout.addresses));
  memory.translated = layout.addresses;
  TRY_VOID(name_servers_->apply(layout, plugged));
  return raise_ports(netlink, layout, plugged);
}

Result<void> LinuxNetwork::load_rules(const Ruleset& wanted, Memory& memory) {
  bool untouched = memory.loaded && TRY(nft::list_ruleset()) == memory.listing;
  if (untouched && *memory.loaded == wanted) return {};
  bool updated = untouched && nft::run(update_commands(*memory.loaded, wanted)).has_value();
  memory.loaded.reset();
  if (!updated) TRY_VOID(nft::run(load_commands(wanted)));
  memory.listing = TRY(nft::list_ruleset());
  memory.loaded = wanted;
  return {};
}

Result<void> LinuxNetwork::require_filtering() {
  std::lock_guard lock(mutex_);
  if (filtering_proved_) return {};
  auto filtered = bridged_packets_are_filtered();
  if (filtered && !*filtered) {
    Command load;
    load.argv = {"modprobe", "br_netfilter"};
    auto loaded = commands_.run_ok(load);
    filtered = bridged_packets_are_filtered();
  }
  filtering_proved_ = filtered && *filtered;
  filtering_problem_.clear();
  if (filtering_proved_) return {};
  filtering_problem_ = filtered
                           ? "this kernel does not pass bridged packets through nftables (br_netfilter is missing): "
                             "security groups would have no effect, so no VPC is set up"
                           : "cannot find out whether bridged packets are filtered: " + describe(filtered.error());
  return fail(internal_error(filtering_problem_));
}

int LinuxNetwork::connection_limit() {
  std::lock_guard lock(mutex_);
  if (!connection_limit_)
    connection_limit_ = connections_can_be_counted() ? connections_per_interface(wanted_connection_limit_) : 0;
  return *connection_limit_;
}

Result<void> LinuxNetwork::remove(const WantedVpc& vpc) {
  Memory& memory = memory_of(vpc.number);
  std::lock_guard turn(memory.mutex);
  return destroy(vpc.number, names_.name_space(vpc.number), memory);
}

Result<void> LinuxNetwork::destroy(std::uint32_t vpc, const std::string& name_space, Memory& memory) {
  auto remove_links = [&]() -> Result<void> {
    Netlink netlink = TRY(Netlink::open());
    auto links = TRY(netlink.links());
    for (const auto& link : links)
      if (link.name.starts_with(names_.tap_prefix()))
        return fail(Code::incorrect_state, "A network interface is still plugged into the VPC.", link.name);
    TRY_VOID(name_servers_->remove(vpc));
    for (const auto& link : links)
      if (link.kind == "bridge") TRY_VOID(netlink.remove_link(link.name));
    return {};
  };
  if (name_space_exists(name_space)) TRY_VOID(in_name_space(name_space, remove_links));
  TRY_VOID(edge_->release(vpc));
  TRY_VOID(name_servers_->remove(vpc));
  memory.loaded.reset();
  memory.translated.reset();
  memory.problem.clear();
  return remove_name_space(name_space);
}

Result<std::string> LinuxNetwork::create_tap(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  VpcLayout layout = TRY(read_layout(vpc, names_));
  const PortLayout* port = TRY(find_port(layout, interface));
  Memory& memory = memory_of(vpc.number);
  std::lock_guard turn(memory.mutex);
  if (name_space_exists(layout.name_space))
    TRY_VOID(in_name_space(layout.name_space, [&] { return remove_link_here(port->tap); }));
  TRY_VOID(remove_link_here(port->tap));
  TRY_VOID(create_persistent_tap(port->tap));
  return port->tap;
}

Result<void> LinuxNetwork::plug(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  VpcLayout layout = TRY(read_layout(vpc, names_));
  const PortLayout* port = TRY(find_port(layout, interface));
  TRY_VOID(require_filtering());
  Memory& memory = memory_of(vpc.number);
  std::lock_guard turn(memory.mutex);
  TRY_VOID(create_name_space(layout.name_space));
  TRY_VOID(move_tap(layout.name_space, port->tap));
  Netlink netlink = TRY(netlink_in(layout.name_space));
  if (!TRY(netlink.link(port->tap)))
    return fail(Code::incorrect_state, "The network interface has no tap to plug in.", port->tap);
  TRY_VOID(settle(layout, memory));
  return await_forwarding(netlink, *port);
}

Result<void> LinuxNetwork::unplug(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  VpcLayout layout = TRY(read_layout(vpc, names_));
  const PortLayout* port = layout.port(interface);
  if (port == nullptr) return {};
  Memory& memory = memory_of(vpc.number);
  std::lock_guard turn(memory.mutex);
  TRY_VOID(remove_link_here(port->tap));
  if (!name_space_exists(layout.name_space)) return {};
  TRY_VOID(in_name_space(layout.name_space, [&] { return remove_link_here(port->tap); }));
  return settle(layout, memory);
}

bool LinuxNetwork::is_plugged(const WantedVpc& vpc, const NetworkInterfaceId& interface) {
  auto layout = read_layout(vpc, names_);
  const PortLayout* port = layout ? layout->port(interface) : nullptr;
  if (port == nullptr || !name_space_exists(layout->name_space)) return false;
  Memory& memory = memory_of(vpc.number);
  std::lock_guard turn(memory.mutex);
  auto programmed = in_name_space(layout->name_space, [&]() -> Result<void> {
    auto missing = [](const char* what) { return fail(Code::incorrect_state, what); };
    Netlink netlink = TRY(Netlink::open());
    auto tap = TRY(netlink.link(port->tap));
    auto bridge = TRY(netlink.link(port->bridge));
    if (!tap || !bridge || !tap->up || tap->master != bridge->index || !tap->closed_port) return missing("port");
    auto entries = TRY(netlink.forwarding_entries());
    if (std::ranges::find(entries, ForwardingEntry{tap->index, port->mac}) == entries.end()) return missing("entry");
    if (!has_element(TRY(nft::list_set("bridge", "vgl2", "port_ip4")), port->tap)) return missing("rules");
    return {};
  });
  return programmed.has_value();
}

Result<std::vector<std::string>> LinuxNetwork::remove_orphans(const std::vector<WantedVpc>& known) {
  std::set<std::uint32_t> vpcs;
  std::set<std::string> taps;
  for (const auto& vpc : known) {
    vpcs.insert(vpc.number);
    for (const auto& interface : vpc.interfaces) taps.insert(names_.tap(interface.number));
  }
  std::set<std::uint32_t> orphans = name_servers_->vpcs();
  for (const auto& name : list_name_spaces(names_.name_space_prefix()))
    if (auto number = names_.vpc_of(name)) orphans.insert(*number);
  std::vector<std::string> removed;
  for (std::uint32_t number : orphans) {
    if (vpcs.contains(number)) continue;
    Memory& memory = memory_of(number);
    std::lock_guard turn(memory.mutex);
    auto gone = destroy(number, names_.name_space(number), memory);
    if (gone) removed.push_back(names_.name_space(number));
    if (!gone && gone.error().code != Code::incorrect_state) memory.problem = describe(gone.error());
  }
  // One that could not go yet keeps its way out until it can.
  for (const auto& name : list_name_spaces(names_.name_space_prefix()))
    if (auto number = names_.vpc_of(name)) vpcs.insert(*number);
  for (const auto& name : TRY(edge_->remove_others(vpcs))) removed.push_back(name);
  Netlink netlink = TRY(Netlink::open());
  for (const auto& link : TRY(netlink.links())) {
    if (!link.name.starts_with(names_.tap_prefix()) || taps.contains(link.name)) continue;
    TRY_VOID(netlink.remove_link(link.name));
    removed.push_back(link.name);
  }
  return removed;
}

Result<UniqueFd> LinuxNetwork::listen(const WantedVpc& vpc, std::string_view address, std::uint16_t port) {
  Ipv4 parsed = TRY(Ipv4::parse(address));
  return make_inside(names_.name_space(vpc.number), [&] { return listening_socket(parsed, port); });
}

Result<std::uint64_t> LinuxNetwork::incarnation(const WantedVpc& vpc) {
  return name_space_identity(names_.name_space(vpc.number));
}

Result<UniqueFd> LinuxNetwork::connect(const WantedVpc& vpc, std::string_view address, std::uint16_t port,
                                       std::chrono::milliseconds timeout) {
  Ipv4 parsed = TRY(Ipv4::parse(address));
  return make_inside(names_.name_space(vpc.number), [&] { return connected_socket(parsed, port, timeout); });
}

std::vector<std::string> LinuxNetwork::problems() {
  std::vector<std::string> problems;
  if (!require_filtering()) {
    std::lock_guard lock(mutex_);
    problems.push_back(filtering_problem_);
  }
  if (std::lock_guard lock(mutex_); connection_limit_ == 0)
    problems.push_back(
        "this kernel cannot count connections per interface (nft's connlimit is missing): one guest can fill the "
        "connection table of its VPC");
  if (!dns_upstream_.empty())
    problems.push_back(
        "dns_upstream has no effect: guests' networks have no way out of this host yet, so only names of "
        "their VPC resolve");
  std::vector<std::pair<std::uint32_t, Memory*>> memories;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [number, memory] : memories_) memories.emplace_back(number, memory.get());
  }
  for (const auto& [number, memory] : memories) {
    std::lock_guard turn(memory->mutex);
    for (const auto& problem : {memory->problem, name_servers_->problem(number)})
      if (!problem.empty()) problems.push_back(names_.name_space(number) + ": " + problem);
  }
  return problems;
}

}  // namespace virga::network
