#include "network/sync.h"

#include <map>

#include "network/cidr.h"
#include "network/zones.h"

namespace virga::network {

namespace {

std::uint32_t number_at(const store::Row& row, int column) { return static_cast<std::uint32_t>(row.integer(column)); }
std::string address_at(const store::Row& row, int column) { return to_string(static_cast<Ipv4>(row.integer(column))); }

std::vector<WantedSubnet> subnets_of(store::Transaction& tx, const VpcId& vpc) {
  return tx.all(
      "SELECT s.id, r.number, s.cidr, s.zone, t.number FROM subnet s JOIN resource r ON r.id = s.id"
      " JOIN resource t ON t.id = coalesce("
      "  (SELECT a.route_table FROM route_table_association a WHERE a.subnet = s.id),"
      "  (SELECT m.route_table FROM route_table_association m WHERE m.vpc = s.vpc AND m.subnet IS NULL))"
      " WHERE s.vpc = ? ORDER BY r.number",
      [](store::Row& row) {
        return WantedSubnet{row.id<SubnetId>(0), number_at(row, 1), row.text(2), row.text(3), number_at(row, 4)};
      },
      vpc);
}

std::vector<WantedInterface> interfaces_of(store::Transaction& tx, const VpcId& vpc, const std::string& host) {
  std::map<NetworkInterfaceId, std::vector<std::uint32_t>> groups;
  tx.for_each(
      "SELECT m.interface, r.number FROM network_interface_group m JOIN network_interface i ON i.id = m.interface"
      " JOIN resource r ON r.id = m.group_id WHERE i.vpc = ? ORDER BY r.number",
      [&](store::Row& row) { groups[row.id<NetworkInterfaceId>(0)].push_back(number_at(row, 1)); }, vpc);
  return tx.all(
      "SELECT i.id, r.number, i.subnet, i.mac, i.address, i.source_dest_check, i.host, i.instance"
      " FROM network_interface i JOIN resource r ON r.id = i.id WHERE i.vpc = ? ORDER BY r.number",
      [&](store::Row& row) {
        WantedInterface wanted;
        wanted.id = row.id<NetworkInterfaceId>(0);
        wanted.number = number_at(row, 1);
        wanted.subnet = row.id<SubnetId>(2);
        wanted.mac = row.text(3);
        wanted.private_ips = {address_at(row, 4)};
        wanted.groups = groups[wanted.id];
        wanted.source_dest_check = row.boolean(5);
        wanted.local = row.optional_text(6) == host;
        wanted.host_name = host_name_of(wanted.private_ips.front());
        wanted.instance = row.id<InstanceId>(7);
        return wanted;
      },
      vpc);
}

std::vector<WantedGroup> groups_of(store::Transaction& tx, const VpcId& vpc) {
  std::map<std::uint32_t, WantedGroup> groups;
  tx.for_each(
      "SELECT g.id, r.number FROM security_group g JOIN resource r ON r.id = g.id WHERE g.vpc = ?",
      [&](store::Row& row) {
        groups[number_at(row, 1)] = {row.id<SecurityGroupId>(0), number_at(row, 1), {}, {}};
      },
      vpc);
  tx.for_each(
      "SELECT gr.number, x.egress, x.protocol, x.from_port, x.to_port, x.cidr, pr.number FROM security_group_rule x"
      " JOIN security_group g ON g.id = x.group_id JOIN resource gr ON gr.id = g.id"
      " LEFT JOIN resource pr ON pr.id = x.peer WHERE g.vpc = ?"
      " ORDER BY gr.number, x.egress, x.protocol, x.from_port, x.to_port, x.cidr, pr.number",
      [&](store::Row& row) {
        groups[number_at(row, 0)].rules.push_back({.egress = row.boolean(1),
                                                   .protocol = row.text(2),
                                                   .from_port = row.int32(3),
                                                   .to_port = row.int32(4),
                                                   .cidr = row.text(5),
                                                   .group = row.is_null(6) ? 0 : number_at(row, 6)});
      },
      vpc);
  tx.for_each(
      "SELECT r.number, i.address FROM network_interface_group m JOIN network_interface i ON i.id = m.interface"
      " JOIN resource r ON r.id = m.group_id WHERE i.vpc = ? ORDER BY r.number, i.address",
      [&](store::Row& row) { groups[number_at(row, 0)].members.push_back(address_at(row, 1)); }, vpc);
  std::vector<WantedGroup> list;
  for (auto& [number, group] : groups) {
    // Rules of a group without members judge nothing here, and a tenant may have very many of them.
    if (group.members.empty()) group.rules.clear();
    list.push_back(std::move(group));
  }
  return list;
}

std::vector<WantedAddress> addresses_of(store::Transaction& tx, const VpcId& vpc) {
  return tx.all(
      "SELECT a.address, a.private_address FROM public_address a JOIN network_interface i ON i.id = a.interface"
      " WHERE i.vpc = ? ORDER BY a.address",
      [](store::Row& row) {
        return WantedAddress{address_at(row, 0), address_at(row, 1)};
      },
      vpc);
}

std::vector<WantedRouteTable> route_tables_of(store::Transaction& tx, const VpcId& vpc, const std::string& cidr) {
  std::map<std::uint32_t, WantedRouteTable> tables;
  tx.for_each(
      "SELECT t.id, r.number FROM route_table t JOIN resource r ON r.id = t.id WHERE t.vpc = ?",
      [&](store::Row& row) {
        tables[number_at(row, 1)] = {row.id<RouteTableId>(0), number_at(row, 1), {{cidr, "local"}}};
      },
      vpc);
  tx.for_each(
      "SELECT r.number, o.destination, g.id, i.address FROM route o JOIN route_table t ON t.id = o.route_table"
      " JOIN resource r ON r.id = t.id LEFT JOIN internet_gateway g ON g.id = o.gateway AND g.vpc = t.vpc"
      " LEFT JOIN network_interface i ON i.id = o.interface AND i.instance IS NOT NULL"
      " WHERE t.vpc = ? ORDER BY r.number, o.destination",
      [&](store::Row& row) {
        std::string target = "blackhole";
        if (!row.is_null(2)) target = "igw";
        if (!row.is_null(3)) target = "eni:" + address_at(row, 3);
        tables[number_at(row, 0)].routes.push_back({row.text(1), std::move(target)});
      },
      vpc);
  std::vector<WantedRouteTable> list;
  for (auto& [number, table] : tables) list.push_back(std::move(table));
  return list;
}

}  // namespace

std::vector<std::string> hosts_of_vpc(store::Transaction& tx, const VpcId& vpc) {
  return tx.all(
      "SELECT DISTINCT host FROM network_interface WHERE vpc = ? AND host IS NOT NULL ORDER BY host",
      [](store::Row& row) { return row.text(0); }, vpc);
}

std::optional<WantedVpc> wanted_vpc(store::Transaction& tx, const VpcId& vpc, const std::string& host) {
  auto wanted = tx.one(
      "SELECT v.id, r.number, v.account, v.cidr, v.dns_support, v.dns_hostnames, d.domain FROM vpc v"
      " JOIN resource r ON r.id = v.id JOIN dhcp_options d ON d.id = v.dhcp_options WHERE v.id = ?",
      [](store::Row& row) {
        WantedVpc document;
        document.id = row.id<VpcId>(0);
        document.number = number_at(row, 1);
        document.account = AccountId::trusted(row.text(2));
        document.cidrs = {row.text(3)};
        document.dns_support = row.boolean(4);
        document.dns_hostnames = row.boolean(5);
        document.domain_name = row.text(6);
        return document;
      },
      vpc);
  if (!wanted) return std::nullopt;
  wanted->subnets = subnets_of(tx, vpc);
  wanted->interfaces = interfaces_of(tx, vpc, host);
  wanted->groups = groups_of(tx, vpc);
  wanted->route_tables = route_tables_of(tx, vpc, wanted->cidrs.front());
  wanted->internet_gateway = tx.exists("SELECT 1 FROM internet_gateway WHERE vpc = ?", vpc);
  wanted->addresses = addresses_of(tx, vpc);
  return wanted;
}

std::vector<VpcId> placed_vpcs(store::Transaction& tx) {
  return tx.all("SELECT DISTINCT vpc FROM network_interface WHERE host IS NOT NULL ORDER BY vpc",
                [](store::Row& row) { return row.id<VpcId>(0); });
}

}  // namespace virga::network
