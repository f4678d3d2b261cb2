#include "api/silent_filters.h"

#include <algorithm>

namespace virga::api {

namespace {

constexpr std::string_view of_availability_zones[] = {
    "message",
    "parent-zone-id",
    "parent-zone-name",
};

constexpr std::string_view of_images[] = {
    "kernel-id",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
};

constexpr std::string_view of_instance_status[] = {
    "event.code",       "event.description",         "event.instance-event-id", "event.not-after",
    "event.not-before", "event.not-before-deadline", "operator.principal",
};

constexpr std::string_view of_instance_types[] = {
    "ebs-info.attachment-limit-type",
    "ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps",
    "ebs-info.ebs-optimized-info.baseline-iops",
    "ebs-info.ebs-optimized-info.baseline-throughput-in-mbps",
    "ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps",
    "ebs-info.ebs-optimized-info.maximum-iops",
    "ebs-info.ebs-optimized-info.maximum-throughput-in-mbps",
    "instance-storage-info.disk.count",
    "instance-storage-info.disk.size-in-gb",
    "instance-storage-info.disk.type",
    "instance-storage-info.encryption-support",
    "instance-storage-info.nvme-support",
    "instance-storage-info.total-size-in-gb",
    "network-info.bandwidth-weightings",
    "network-info.efa-info.maximum-efa-interfaces",
    "network-info.flexible-ena-queues-support",
    "nitro-tpm-info.supported-versions",
    "processor-info.supported-features",
    "processor-info.sustained-clock-speed-in-ghz",
    "reboot-migration-support",
};

constexpr std::string_view of_instances[] = {
    "affinity",
    "capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
    "host-id",
    "iam-instance-profile.arn",
    "iam-instance-profile.id",
    "instance-lifecycle",
    "ipv6-address",
    "kernel-id",
    "network-interface.addresses.association.carrier-ip",
    "network-interface.addresses.association.customer-owned-ip",
    "network-interface.association.carrier-ip",
    "network-interface.association.customer-owned-ip",
    "network-interface.ipv4-prefixes.ipv4-prefix",
    "network-interface.ipv6-address",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.ipv6-addresses.is-primary-ipv6",
    "network-interface.ipv6-prefixes.ipv6-prefix",
    "network-interface.operator.principal",
    "network-interface.outpost-arn",
    "network-interface.requester-id",
    "operator.principal",
    "outpost-arn",
    "placement-partition-number",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "requester-id",
    "spot-instance-request-id",
    "tpm-support",
};

constexpr std::string_view of_network_acls[] = {
    "entry.icmp.code", "entry.icmp.type", "entry.ipv6-cidr", "entry.port-range.from", "entry.port-range.to",
};

constexpr std::string_view of_network_interfaces[] = {
    "ipv6-addresses.ipv6-address",
    "operator.principal",
    "requester-id",
};

constexpr std::string_view of_route_tables[] = {
    "association.gateway-id",
    "route.destination-ipv6-cidr-block",
    "route.destination-prefix-list-id",
    "route.egress-only-internet-gateway-id",
    "route.instance-id",
    "route.nat-gateway-id",
    "route.transit-gateway-id",
    "route.vpc-peering-connection-id",
};

constexpr std::string_view of_security_groups[] = {
    "egress.ip-permission.prefix-list-id",
    "ip-permission.prefix-list-id",
};

constexpr std::string_view of_snapshots[] = {
    "owner-alias",
    "transfer-type",
};

constexpr std::string_view of_subnets[] = {
    "customer-owned-ipv4-pool",
    "enable-lni-at-device-index",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.state",
    "outpost-arn",
};

constexpr std::string_view of_volumes[] = {
    "operator.principal",
};

constexpr std::string_view of_vpcs[] = {
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.ipv6-pool",
    "ipv6-cidr-block-association.state",
};

constexpr std::string_view of_volume_status[] = {
    "action.code",    "action.description", "action.event-id", "event.description",
    "event.event-id", "event.event-type",   "event.not-after", "event.not-before",
};

struct Silence {
  std::string_view action;
  std::span<const std::string_view> filters;
};

constexpr Silence silences[] = {
    {"DescribeAvailabilityZones", of_availability_zones},
    {"DescribeImages", of_images},
    {"DescribeInstanceStatus", of_instance_status},
    {"DescribeInstanceTypes", of_instance_types},
    {"DescribeInstances", of_instances},
    {"DescribeNetworkAcls", of_network_acls},
    {"DescribeNetworkInterfaces", of_network_interfaces},
    {"DescribeRouteTables", of_route_tables},
    {"DescribeSecurityGroups", of_security_groups},
    {"DescribeSnapshots", of_snapshots},
    {"DescribeSubnets", of_subnets},
    {"DescribeVolumeStatus", of_volume_status},
    {"DescribeVolumes", of_volumes},
    {"DescribeVpcs", of_vpcs},
};

}  // namespace

std::span<const std::string_view> silent_filters(std::string_view action) {
  const auto* const found = std::ranges::find(silences, action, &Silence::action);
  return found == std::end(silences) ? std::span<const std::string_view>() : found->filters;
}

}  // namespace virga::api
