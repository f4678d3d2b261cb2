#include "network/wanted.h"

#include "core/json_values.h"

namespace virga::network {

VIRGA_JSON_DEFINE(WantedSubnet, id, number, cidr, zone, route_table)
VIRGA_JSON_DEFINE(WantedInterface, id, number, subnet, mac, private_ips, groups, source_dest_check, local, host_name,
                  instance)
VIRGA_JSON_DEFINE(WantedRule, egress, protocol, from_port, to_port, cidr, group)
VIRGA_JSON_DEFINE(WantedGroup, id, number, rules, members)
VIRGA_JSON_DEFINE(WantedRoute, destination, target)
VIRGA_JSON_DEFINE(WantedRouteTable, id, number, routes)
VIRGA_JSON_DEFINE(WantedAddress, public_ip, private_ip)
VIRGA_JSON_DEFINE(WantedVpc, id, generation, number, account, cidrs, dns_support, dns_hostnames, domain_name, subnets,
                  interfaces, groups, route_tables, internet_gateway, addresses)
VIRGA_JSON_DEFINE(ObservedVpc, id, generation, problem)

}  // namespace virga::network
