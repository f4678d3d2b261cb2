#include "api/filter_names.h"

#include <algorithm>
#include <cctype>

namespace virga::api {

using ec2::Kind;
using ec2::Member;
using ec2::Shape;

namespace {

struct Meaning {
  std::string_view action;
  std::string_view filter;
  std::string_view path;  ///< dotted member names
};

/// Names that do not lead to their member by themselves. For DescribeInstances, whose items are reservations, a path
/// that does not begin at the reservation begins at its instances.
constexpr Meaning meanings[] = {
    {"DescribeAvailabilityZones", "message", "Messages.Message"},
    {"DescribeDhcpOptions", "key", "DhcpConfigurations.Key"},
    {"DescribeDhcpOptions", "value", "DhcpConfigurations.Values.Value"},
    {"DescribeImages", "block-device-mapping.delete-on-termination", "BlockDeviceMappings.Ebs.DeleteOnTermination"},
    {"DescribeImages", "block-device-mapping.encrypted", "BlockDeviceMappings.Ebs.Encrypted"},
    {"DescribeImages", "block-device-mapping.snapshot-id", "BlockDeviceMappings.Ebs.SnapshotId"},
    {"DescribeImages", "block-device-mapping.volume-size", "BlockDeviceMappings.Ebs.VolumeSize"},
    {"DescribeImages", "block-device-mapping.volume-type", "BlockDeviceMappings.Ebs.VolumeType"},
    {"DescribeImages", "manifest-location", "ImageLocation"},
    {"DescribeImages", "owner-alias", "ImageOwnerAlias"},
    {"DescribeImages", "product-code", "ProductCodes.ProductCodeId"},
    {"DescribeInstances", "affinity", "Placement.Affinity"},
    {"DescribeInstances", "availability-zone", "Placement.AvailabilityZone"},
    {"DescribeInstances", "availability-zone-id", "Placement.AvailabilityZoneId"},
    {"DescribeInstances", "block-device-mapping.attach-time", "BlockDeviceMappings.Ebs.AttachTime"},
    {"DescribeInstances", "block-device-mapping.delete-on-termination", "BlockDeviceMappings.Ebs.DeleteOnTermination"},
    {"DescribeInstances", "block-device-mapping.status", "BlockDeviceMappings.Ebs.Status"},
    {"DescribeInstances", "block-device-mapping.volume-id", "BlockDeviceMappings.Ebs.VolumeId"},
    {"DescribeInstances", "dns-name", "PublicDnsName"},
    {"DescribeInstances", "host-id", "Placement.HostId"},
    {"DescribeInstances", "instance.group-id", "SecurityGroups.GroupId"},
    {"DescribeInstances", "instance.group-name", "SecurityGroups.GroupName"},
    {"DescribeInstances", "ip-address", "PublicIpAddress"},
    {"DescribeInstances", "launch-index", "AmiLaunchIndex"},
    {"DescribeInstances", "network-interface.addresses.association.carrier-ip",
     "NetworkInterfaces.PrivateIpAddresses.Association.CarrierIp"},
    {"DescribeInstances", "network-interface.addresses.association.customer-owned-ip",
     "NetworkInterfaces.PrivateIpAddresses.Association.CustomerOwnedIp"},
    {"DescribeInstances", "network-interface.addresses.association.ip-owner-id",
     "NetworkInterfaces.PrivateIpAddresses.Association.IpOwnerId"},
    {"DescribeInstances", "network-interface.addresses.association.public-dns-name",
     "NetworkInterfaces.PrivateIpAddresses.Association.PublicDnsName"},
    {"DescribeInstances", "network-interface.addresses.association.public-ip",
     "NetworkInterfaces.PrivateIpAddresses.Association.PublicIp"},
    {"DescribeInstances", "network-interface.addresses.primary", "NetworkInterfaces.PrivateIpAddresses.Primary"},
    {"DescribeInstances", "network-interface.addresses.private-dns-name",
     "NetworkInterfaces.PrivateIpAddresses.PrivateDnsName"},
    {"DescribeInstances", "network-interface.addresses.private-ip-address",
     "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress"},
    // An instance's interfaces are attached to it, belong to its owner and are in its zone.
    {"DescribeInstances", "network-interface.attachment.instance-id", "InstanceId"},
    {"DescribeInstances", "network-interface.attachment.instance-owner-id", "OwnerId"},
    {"DescribeInstances", "network-interface.availability-zone", "Placement.AvailabilityZone"},
    {"DescribeInstances", "network-interface.group-id", "NetworkInterfaces.Groups.GroupId"},
    {"DescribeInstances", "network-interface.group-name", "NetworkInterfaces.Groups.GroupName"},
    {"DescribeInstances", "network-interface.ipv6-address", "NetworkInterfaces.Ipv6Addresses.Ipv6Address"},
    {"DescribeInstances", "network-interface.public-dns-name", "NetworkInterfaces.Association.PublicDnsName"},
    {"DescribeInstances", "product-code", "ProductCodes.ProductCodeId"},
    {"DescribeInstances", "reason", "StateTransitionReason"},
    {"DescribeInstances", "tenancy", "Placement.Tenancy"},
    {"DescribeInstanceStatus", "instance-status.reachability", "InstanceStatus.Details.Status"},
    {"DescribeInstanceStatus", "system-status.reachability", "SystemStatus.Details.Status"},
    {"DescribeKeyPairs", "fingerprint", "KeyFingerprint"},
    {"DescribeNetworkAcls", "association.association-id", "Associations.NetworkAclAssociationId"},
    {"DescribeNetworkAcls", "entry.cidr", "Entries.CidrBlock"},
    {"DescribeNetworkAcls", "entry.icmp.code", "Entries.IcmpTypeCode.Code"},
    {"DescribeNetworkAcls", "entry.icmp.type", "Entries.IcmpTypeCode.Type"},
    {"DescribeNetworkAcls", "entry.ipv6-cidr", "Entries.Ipv6CidrBlock"},
    {"DescribeNetworkInterfaces", "addresses.association.owner-id", "PrivateIpAddresses.Association.IpOwnerId"},
    {"DescribeNetworkInterfaces", "addresses.association.public-ip", "PrivateIpAddresses.Association.PublicIp"},
    {"DescribeNetworkInterfaces", "addresses.primary", "PrivateIpAddresses.Primary"},
    {"DescribeNetworkInterfaces", "addresses.private-ip-address", "PrivateIpAddresses.PrivateIpAddress"},
    {"DescribeNetworkInterfaces", "group-id", "Groups.GroupId"},
    {"DescribeSecurityGroups", "egress.ip-permission.cidr", "IpPermissionsEgress.IpRanges.CidrIp"},
    {"DescribeSecurityGroups", "egress.ip-permission.from-port", "IpPermissionsEgress.FromPort"},
    {"DescribeSecurityGroups", "egress.ip-permission.group-id", "IpPermissionsEgress.UserIdGroupPairs.GroupId"},
    {"DescribeSecurityGroups", "egress.ip-permission.group-name", "IpPermissionsEgress.UserIdGroupPairs.GroupName"},
    {"DescribeSecurityGroups", "egress.ip-permission.ipv6-cidr", "IpPermissionsEgress.Ipv6Ranges.CidrIpv6"},
    {"DescribeSecurityGroups", "egress.ip-permission.prefix-list-id", "IpPermissionsEgress.PrefixListIds.PrefixListId"},
    {"DescribeSecurityGroups", "egress.ip-permission.protocol", "IpPermissionsEgress.IpProtocol"},
    {"DescribeSecurityGroups", "egress.ip-permission.to-port", "IpPermissionsEgress.ToPort"},
    {"DescribeSecurityGroups", "egress.ip-permission.user-id", "IpPermissionsEgress.UserIdGroupPairs.UserId"},
    {"DescribeSecurityGroups", "ip-permission.cidr", "IpPermissions.IpRanges.CidrIp"},
    {"DescribeSecurityGroups", "ip-permission.group-id", "IpPermissions.UserIdGroupPairs.GroupId"},
    {"DescribeSecurityGroups", "ip-permission.group-name", "IpPermissions.UserIdGroupPairs.GroupName"},
    {"DescribeSecurityGroups", "ip-permission.ipv6-cidr", "IpPermissions.Ipv6Ranges.CidrIpv6"},
    {"DescribeSecurityGroups", "ip-permission.prefix-list-id", "IpPermissions.PrefixListIds.PrefixListId"},
    {"DescribeSecurityGroups", "ip-permission.protocol", "IpPermissions.IpProtocol"},
    {"DescribeSecurityGroups", "ip-permission.user-id", "IpPermissions.UserIdGroupPairs.UserId"},
    {"DescribeSnapshots", "status", "State"},
    {"DescribeSubnets", "ipv6-cidr-block-association.state", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"},
    {"DescribeVolumes", "status", "State"},
    {"DescribeVpcs", "cidr", "CidrBlock"},
    {"DescribeVpcs", "cidr-block-association.state", "CidrBlockAssociationSet.CidrBlockState.State"},
    {"DescribeVpcs", "ipv6-cidr-block-association.state", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"},
};

/// Spellings that clients send (Terraform's provider among them) and the model does not list.
constexpr Meaning undocumented[] = {
    {"DescribeAddresses", "domain", "Domain"},
    {"DescribeSubnets", "availabilityZone", "AvailabilityZone"},
    {"DescribeSubnets", "availabilityZoneId", "AvailabilityZoneId"},
    {"DescribeSubnets", "cidr", "CidrBlock"},
    {"DescribeSubnets", "cidrBlock", "CidrBlock"},
    {"DescribeSubnets", "defaultForAz", "DefaultForAz"},
    {"DescribeVpcs", "cidr-block", "CidrBlock"},
    {"DescribeVpcs", "cidrBlock", "CidrBlock"},
    {"DescribeVpcs", "dhcpOptionsId", "DhcpOptionsId"},
    {"DescribeVpcs", "isDefault", "IsDefault"},
};

constexpr std::string_view hidden_of_instances[] = {
    "metadata-options.http-protocol-ipv4",
    "network-interface.addresses.association.allocation-id",
    "network-interface.addresses.association.association-id",
    "network-interface.association.allocation-id",
    "network-interface.association.association-id",
    "network-interface.deny-all-igw-traffic",
    "network-interface.ipv6-native",
    "network-interface.outpost-arn",
    "network-interface.requester-id",
    "network-interface.requester-managed",
    "network-interface.tag-key",
    "network-interface.tag-value",
};

/// Letters and digits of a name, in lower case: "VCpuInfo" and "vcpu-info" are the same.
std::string flat(std::string_view name) {
  std::string text;
  for (const char c : name)
    if (c != '-') text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// How a member may be called in a filter's name.
std::vector<std::string> spellings(const Member& member) {
  std::vector<std::string> all = {flat(member.name), flat(member.xml)};
  for (const auto& word : {all[0], all[1]}) {
    if (word.ends_with("set")) all.push_back(word.substr(0, word.size() - 3));
    if (member.shape->kind == Kind::list && word.ends_with("es")) all.push_back(word.substr(0, word.size() - 2));
    if (member.shape->kind == Kind::list && word.ends_with("s")) all.push_back(word.substr(0, word.size() - 1));
  }
  return all;
}

bool follow(const Shape& shape, std::string_view name, MemberPath& path);

/// Goes on inside a structure member whose spelling begins the name.
bool enter(const Member& member, std::string_view name, std::string_view between, MemberPath& path) {
  const Shape* inner = structure_of(member);
  if (inner == nullptr) return false;
  for (const auto& word : spellings(member)) {
    const auto prefix = word + std::string(between);
    if (word.empty() || !name.starts_with(prefix) || name.size() == prefix.size()) continue;
    path.push_back(&member);
    if (follow(*inner, name.substr(prefix.size()), path)) return true;
    path.pop_back();
  }
  return false;
}

/// A member of that very name first; then one behind a dot; then one whose structure's name is its prefix.
bool follow(const Shape& shape, std::string_view name, MemberPath& path) {
  for (const Member& member : shape.members) {
    if (structure_of(member) != nullptr) continue;
    const auto words = spellings(member);
    if (std::ranges::find(words, name) == words.end()) continue;
    path.push_back(&member);
    return true;
  }
  for (const std::string_view between : {".", ""})
    for (const Member& member : shape.members)
      if (enter(member, name, between, path)) return true;
  return false;
}

std::optional<std::string_view> meaning(std::span<const Meaning> table, std::string_view action,
                                        std::string_view filter) {
  const auto found =
      std::ranges::find_if(table, [&](const Meaning& m) { return m.action == action && m.filter == filter; });
  return found == table.end() ? std::nullopt : std::optional(found->path);
}

}  // namespace

bool filter_is_known(const ec2::Operation& operation, std::string_view filter) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(operation.filters, name) != operation.filters.end();
  };
  if (filter == "tag") return false;  // the documents' way of writing tag:<key>
  if (has(filter) || meaning(undocumented, operation.name, filter)) return true;
  return has("tag") &&
         ((filter.starts_with("tag:") && filter.size() > 4) || filter == "tag-key" || filter == "tag-value");
}

std::optional<MemberPath> filter_path(const ec2::Operation& operation, std::string_view filter, const Shape& item) {
  const auto hidden = hidden_filters(operation.name);
  if (std::ranges::find(hidden, filter) != hidden.end()) return std::nullopt;
  auto written = meaning(meanings, operation.name, filter);
  if (!written) written = meaning(undocumented, operation.name, filter);
  if (written) {
    if (auto path = member_path(item, *written)) return path;
    // Items of DescribeInstances are reservations; its filters are about their instances, with few exceptions.
    return member_path(item, "Instances." + std::string(*written));
  }
  MemberPath path;
  const auto name = flat(filter);
  if (follow(item, name, path)) return path;
  const auto* instances = find_member(item, "Instances");
  if (instances != nullptr && structure_of(*instances) != nullptr) {
    path = {instances};
    if (follow(*structure_of(*instances), name, path)) return path;
  }
  return std::nullopt;
}

std::optional<MemberPath> tags_path(const Shape& item) {
  if (item.name == "TagDescription") return MemberPath{};
  for (const std::string_view name : {"Tags", "TagSet", "Instances.Tags"})
    if (auto path = member_path(item, name)) return path;
  return std::nullopt;
}

std::span<const std::string_view> hidden_filters(std::string_view action) {
  if (action == "DescribeInstances") return hidden_of_instances;
  return {};
}

}  // namespace virga::api
