#pragma once

#include "network/host/layout.h"

namespace virga::network {

/// Two subnets, two groups (one refers to the other), an ordinary interface, an appliance and one on another host.
inline WantedVpc sample_vpc() {
  WantedVpc vpc;
  vpc.id = VpcId::trusted("vpc-00000000000000010");
  vpc.number = 16;
  vpc.cidrs = {"10.9.0.0/16"};
  vpc.domain_name = "ec2.internal";
  auto subnet = [](const char* id, std::uint32_t number, const char* cidr) {
    return WantedSubnet{
        .id = SubnetId::trusted(id), .number = number, .cidr = cidr, .zone = "us-east-1a", .route_table = 5};
  };
  vpc.subnets = {subnet("subnet-00000000000000011", 17, "10.9.1.0/24"),
                 subnet("subnet-00000000000000012", 18, "10.9.2.0/24")};
  auto interface = [&](const char* id, std::uint32_t number, std::size_t in, const char* mac, const char* address) {
    WantedInterface wanted;
    wanted.id = NetworkInterfaceId::trusted(id);
    wanted.number = number;
    wanted.subnet = vpc.subnets[in].id;
    wanted.mac = mac;
    wanted.private_ips = {address};
    wanted.groups = {7};
    return wanted;
  };
  vpc.interfaces = {interface("eni-00000000000000001", 1, 0, "06:00:00:00:10:01", "10.9.1.10"),
                    interface("eni-00000000000000002", 2, 1, "06:00:00:00:10:02", "10.9.2.10"),
                    interface("eni-00000000000000003", 3, 1, "06:00:00:00:10:03", "10.9.2.11")};
  vpc.interfaces[0].host_name = "ip-10-9-1-10";
  vpc.interfaces[1].groups = {7, 9};
  vpc.interfaces[1].source_dest_check = false;
  vpc.interfaces[2].local = false;
  auto rule = [](bool egress, const char* protocol, int from, int to, const char* cidr, std::uint32_t group) {
    return WantedRule{
        .egress = egress, .protocol = protocol, .from_port = from, .to_port = to, .cidr = cidr, .group = group};
  };
  vpc.groups = {
      {.id = SecurityGroupId::trusted("sg-00000000000000007"),
       .number = 7,
       .rules = {rule(true, "-1", -1, -1, "0.0.0.0/0", 0), rule(false, "tcp", 22, 22, "192.0.2.0/24", 0),
                 rule(false, "-1", -1, -1, "", 7)},
       .members = {"10.9.1.10", "10.9.2.10", "10.9.2.11"}},
      {.id = SecurityGroupId::trusted("sg-00000000000000009"),
       .number = 9,
       .rules = {rule(false, "icmp", 8, -1, "0.0.0.0/0", 0), rule(false, "udp", 1000, 2000, "2001:db8::/32", 0),
                 rule(false, "47", -1, -1, "10.0.0.0/8", 0), rule(false, "tcp", 80, 22, "0.0.0.0/0", 0),
                 rule(true, "tcp", 443, 443, "", 4711)},
       .members = {"10.9.2.10"}}};
  vpc.route_tables = {{.id = RouteTableId::trusted("rtb-00000000000000005"),
                       .number = 5,
                       .routes = {{"10.9.0.0/16", "local"},
                                  {"0.0.0.0/0", "igw"},
                                  {"192.168.0.0/16", "eni:10.9.2.10"},
                                  {"192.168.7.0/24", "eni:172.16.0.1"},
                                  {"198.51.100.0/24", "blackhole"},
                                  {"::/0", "igw"}}}};
  return vpc;
}

inline const Names sample_names{"ab12"};

inline VpcLayout sample_layout() { return *read_layout(sample_vpc(), sample_names); }

}  // namespace virga::network
