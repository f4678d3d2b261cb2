#pragma once

// A VPC of the test's own on the real kernel: its realm is the process's, and everything in it goes at the end, also
// when the test fails.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/command_runner.h"
#include "network/host/linux_network.h"
#include "network/host/name_space.h"
#include "network/host/netlink.h"
#include "tests/support/name_service.h"
#include "tests/support/network_guest.h"

namespace virga::test {

inline const Mac router{{2, 0, 0, 0, 0, 1}};

inline NetworkInterfaceId interface_id(std::uint32_t number) {
  return NetworkInterfaceId::trusted(fmt::format("eni-{:017x}", number));
}
inline Mac mac_of(std::uint32_t number) { return {{0x06, 0, 0, 0, 0x10, static_cast<std::uint8_t>(number)}}; }

inline network::WantedRule allow(bool egress, const std::string& protocol, int from, int to, const std::string& cidr,
                                 std::uint32_t group = 0) {
  return {.egress = egress, .protocol = protocol, .from_port = from, .to_port = to, .cidr = cidr, .group = group};
}

/// A VPC 10.<tens>.0.0/16 with subnets .1.0/24 (number base+1) and .2.0/24 (base+2), a group `base+1` that lets all out
/// and ping in, and no interface.
inline network::WantedVpc make_vpc(std::uint32_t base, const std::string& net = "10.9") {
  network::WantedVpc vpc;
  vpc.id = VpcId::trusted(fmt::format("vpc-{:017x}", base));
  vpc.generation = 1;
  vpc.number = base;
  vpc.account = AccountId::trusted("111111111111");
  vpc.cidrs = {net + ".0.0/16"};
  vpc.domain_name = "ec2.internal";
  for (std::uint32_t n : {1U, 2U})
    vpc.subnets.push_back({.id = SubnetId::trusted(fmt::format("subnet-{:017x}", base + n)),
                           .number = base + n,
                           .cidr = fmt::format("{}.{}.0/24", net, n),
                           .zone = "us-east-1a",
                           .route_table = base});
  vpc.groups.push_back({.id = SecurityGroupId::trusted(fmt::format("sg-{:017x}", base + 1)),
                        .number = base + 1,
                        .rules = {allow(true, "-1", -1, -1, "0.0.0.0/0"), allow(false, "icmp", 8, -1, "0.0.0.0/0")},
                        .members = {}});
  vpc.route_tables.push_back({.id = RouteTableId::trusted(fmt::format("rtb-{:017x}", base)),
                              .number = base,
                              .routes = {{net + ".0.0/16", "local"}, {"0.0.0.0/0", "igw"}}});
  return vpc;
}

/// A further group that lets all out, and in what `rules` say.
inline void add_group(network::WantedVpc& vpc, std::uint32_t number, std::vector<network::WantedRule> rules) {
  rules.push_back(allow(true, "-1", -1, -1, "0.0.0.0/0"));
  vpc.groups.push_back({.id = SecurityGroupId::trusted(fmt::format("sg-{:017x}", number)),
                        .number = number,
                        .rules = std::move(rules),
                        .members = {}});
}

/// Adds an interface to a subnet of the VPC (1 or 2) and to the members of its groups.
inline NetworkInterfaceId add_interface(network::WantedVpc& vpc, std::uint32_t number, std::uint32_t subnet,
                                        const std::string& address, std::vector<std::uint32_t> groups) {
  for (auto& group : vpc.groups)
    for (std::uint32_t member_of : groups)
      if (group.number == member_of) group.members.push_back(address);
  std::string name = "ip-" + address;
  for (char& c : name)
    if (c == '.') c = '-';
  network::WantedInterface wanted;
  wanted.id = interface_id(number);
  wanted.number = number;
  wanted.subnet = vpc.subnets[subnet - 1].id;
  wanted.mac = mac_of(number).str();
  wanted.private_ips = {address};
  wanted.groups = std::move(groups);
  wanted.host_name = name;
  vpc.interfaces.push_back(std::move(wanted));
  return vpc.interfaces.back().id;
}

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "network namespaces, taps and nftables need root";
    if (::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "there is no /dev/net/tun here";
    network_ = restart();
  }
  void TearDown() override {
    guests_.clear();
    if (!network_) return;
    for (const auto& name : network::list_name_spaces(names_.name_space_prefix())) remove_taps(name);
    for (int i = 0; i < 2; ++i) {
      auto removed = network_->remove_orphans({});
      EXPECT_TRUE(removed) << describe(removed.error());
    }
    expect_nothing_left();
  }
  /// A new object on the same machine, as after the host role's restart.
  std::unique_ptr<network::HostNetwork> restart() {
    auto made = network::LinuxNetwork::create({.realm = realm_,
                                               .runtime_dir = runtime_,
                                               .dns_upstream = "",
                                               .connections_per_interface = connections_per_interface_,
                                               .commands = commands_});
    VIRGA_ASSERT(made.has_value());
    return std::move(*made);
  }
  /// A guest that has its tap open, plugged in.
  NetworkGuest& plug(const network::WantedVpc& vpc, const NetworkInterfaceId& id) {
    auto& guest = open_tap(vpc, id);
    auto plugged = network_->plug(vpc, id);
    EXPECT_TRUE(plugged) << describe(plugged.error());
    return guest;
  }
  NetworkGuest& open_tap(const network::WantedVpc& vpc, const NetworkInterfaceId& id) {
    auto tap = network_->create_tap(vpc, id);
    VIRGA_ASSERT(tap.has_value());
    for (const auto& interface : vpc.interfaces)
      if (interface.id == id)
        guests_.push_back(std::make_unique<NetworkGuest>(*tap, *Mac::parse(interface.mac),
                                                         *Ipv4::parse(interface.private_ips.front())));
    return *guests_.back();
  }
  void apply(const network::WantedVpc& vpc) {
    auto applied = network_->apply(vpc);
    ASSERT_TRUE(applied) << describe(applied.error());
  }
  /// What `command` prints inside the VPC's namespace.
  std::string inside(const network::WantedVpc& vpc, std::vector<std::string> argv) {
    std::string output;
    auto done = network::in_name_space(names_.name_space(vpc.number), [&]() -> Result<void> {
      Command command;
      command.argv = std::move(argv);
      output = TRY(commands_.run_ok(command)).standard_output;
      return {};
    });
    EXPECT_TRUE(done) << describe(done.error());
    return output;
  }
  /// The process id of the VPC's DHCP and DNS server, as its file says.
  int name_server(const network::WantedVpc& vpc) const {
    std::ifstream file(fmt::format("{}/{}/{:08x}/dnsmasq.pid", runtime_, realm_, vpc.number));
    int pid = 0;
    file >> pid;
    return pid;
  }
  /// Whether a frame of `from` that carries `mark` arrives at `to`. An ARP request, which no group can stop, follows
  /// it: when that is there, nothing is still under way.
  static bool arrives(const NetworkGuest& from, const NetworkGuest& to, const Bytes& frame, const Bytes& mark) {
    Bytes fence = arp({.sender_mac = from.mac, .sender = from.address, .target = to.address});
    from.send(frame);
    EXPECT_TRUE(from.send(ethernet(everyone, from.mac, type_arp, fence)));
    bool seen = false;
    auto fenced = to.receive([&](const Bytes& got) {
      seen = seen || contains(got, mark);
      return contains(got, fence);
    });
    EXPECT_TRUE(fenced) << "the fence did not arrive";
    return seen;
  }
  /// The same for a datagram to a port.
  static bool reaches(const NetworkGuest& from, const NetworkGuest& to, unsigned port, unsigned from_port = 4000) {
    Bytes mark = text(fmt::format("datagram {} {}", from_port, port));
    return arrives(from, to, from.datagram(to, from_port, port, mark), mark);
  }

  std::string realm_ = fmt::format("{:04x}", ::getpid() & 0xffff);
  int connections_per_interface_ = network::most_connections_per_interface;
  std::string runtime_ = "/run/virga-dns-test";
  network::Names names_{realm_};
  SystemCommandRunner commands_;
  std::unique_ptr<network::HostNetwork> network_;
  std::vector<std::unique_ptr<NetworkGuest>> guests_;

 private:
  void remove_taps(const std::string& name_space) {
    auto removed = network::in_name_space(name_space, [&]() -> Result<void> {
      auto netlink = TRY(network::Netlink::open());
      for (const auto& link : TRY(netlink.links()))
        if (link.name.starts_with(names_.tap_prefix())) TRY_VOID(netlink.remove_link(link.name));
      return {};
    });
    EXPECT_TRUE(removed);
  }
  void expect_nothing_left() {
    EXPECT_TRUE(network::list_name_spaces(names_.name_space_prefix()).empty());
    EXPECT_FALSE(std::filesystem::exists(runtime_ + "/" + realm_));
    auto netlink = network::Netlink::open();
    for (const auto& link : *netlink->links()) EXPECT_FALSE(link.name.find(realm_) == 2) << link.name;
    std::error_code ignored;
    std::filesystem::remove(runtime_, ignored);
  }
};

}  // namespace virga::test
