#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace virga {

/// Port: where random bytes come from, so that tests are deterministic.
class IdSource {
 public:
  virtual ~IdSource() = default;
  /// 64 random bits, uniformly distributed.
  virtual std::uint64_t next() = 0;
  /// 17 lower-case hex digits: the random part of an EC2 id.
  std::string hex17();
  /// A version 4 UUID, the form of EC2's request ids.
  std::string uuid();
};

/// The kernel's generator (getrandom). Thread-safe.
class SystemIdSource final : public IdSource {
 public:
  std::uint64_t next() override;
};

/// A seeded generator for tests. Not thread-safe.
class SeededIdSource final : public IdSource {
 public:
  explicit SeededIdSource(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::uint64_t state_;
};

namespace detail {
/// Whether `text` is `prefix` followed by 17 (or the older 8) lower-case hex digits.
bool is_ec2_id(std::string_view text, std::string_view prefix);
Error malformed_id(Code code, std::string_view text, std::string_view prefix);
Error id_not_found(Code code, std::string_view text, std::string_view noun);
}  // namespace detail

/// An EC2 identifier of one kind of resource: `prefix` + 17 hex digits (8 accepted on input, as EC2 does).
/// A default-constructed id is empty and names nothing.
template <class Kind>
class Id {
 public:
  static constexpr std::string_view prefix = Kind::prefix;
  /// The resource type as EC2 writes it in tags and tag specifications ("instance", "security-group").
  static constexpr std::string_view resource_type = Kind::resource_type;

  Id() = default;
  static Result<Id> parse(std::string_view text) {
    if (!detail::is_ec2_id(text, prefix)) return fail(detail::malformed_id(Kind::malformed, text, prefix));
    return Id(std::string(text));
  }
  /// For values that Virga wrote itself (database, host API): asserts the form instead of reporting it.
  static Id trusted(std::string_view text);
  static Id generate(IdSource& ids) { return Id(std::string(prefix) + ids.hex17()); }
  /// EC2's answer for an id that names nothing the caller owns.
  static Error not_found(std::string_view text) { return detail::id_not_found(Kind::not_found, text, Kind::noun); }
  Error not_found() const { return not_found(text_); }

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  explicit Id(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

[[noreturn]] void bad_trusted_id(std::string_view text, std::string_view prefix);

template <class Kind>
Id<Kind> Id<Kind>::trusted(std::string_view text) {
  if (text.empty()) return Id();
  if (!detail::is_ec2_id(text, prefix)) bad_trusted_id(text, prefix);
  return Id(std::string(text));
}

#define VIRGA_ID(Name, prefix_, type_, noun_, not_found_, malformed_)  \
  struct Name##Kind {                                                  \
    static constexpr std::string_view prefix = prefix_;                \
    static constexpr std::string_view resource_type = type_;           \
    static constexpr std::string_view noun = noun_;                    \
    static constexpr Code not_found = Code::not_found_;                \
    static constexpr Code malformed = Code::malformed_;                \
  };                                                                   \
  using Name = Id<Name##Kind>

VIRGA_ID(InstanceId, "i-", "instance", "instance ID", invalid_instance_id_not_found, invalid_instance_id_malformed);
VIRGA_ID(ReservationId, "r-", "reservation", "reservation ID", invalid_reservation_id_not_found,
         invalid_reservation_id_malformed);
VIRGA_ID(ImageId, "ami-", "image", "image id", invalid_ami_id_not_found, invalid_ami_id_malformed);
VIRGA_ID(KeyPairId, "key-", "key-pair", "key pair ID", invalid_key_pair_not_found, invalid_key_pair_id_malformed);
VIRGA_ID(VolumeId, "vol-", "volume", "volume", invalid_volume_not_found, invalid_volume_id_malformed);
VIRGA_ID(SnapshotId, "snap-", "snapshot", "snapshot", invalid_snapshot_not_found, invalid_snapshot_id_malformed);
VIRGA_ID(VpcId, "vpc-", "vpc", "vpc ID", invalid_vpc_id_not_found, invalid_vpc_id_malformed);
VIRGA_ID(SubnetId, "subnet-", "subnet", "subnet ID", invalid_subnet_id_not_found, invalid_subnet_id_malformed);
VIRGA_ID(InternetGatewayId, "igw-", "internet-gateway", "internetGateway ID", invalid_internet_gateway_id_not_found,
         invalid_internet_gateway_id_malformed);
VIRGA_ID(RouteTableId, "rtb-", "route-table", "routeTable ID", invalid_route_table_id_not_found,
         invalid_route_table_id_malformed);
VIRGA_ID(RouteTableAssociationId, "rtbassoc-", "route-table-association", "association ID",
         invalid_association_id_not_found, invalid_association_id_malformed);
VIRGA_ID(SecurityGroupId, "sg-", "security-group", "security group", invalid_group_not_found, invalid_group_id_malformed);
VIRGA_ID(SecurityGroupRuleId, "sgr-", "security-group-rule", "security group rule ID",
         invalid_security_group_rule_id_not_found, invalid_security_group_rule_id_malformed);
VIRGA_ID(NetworkInterfaceId, "eni-", "network-interface", "networkInterface ID", invalid_network_interface_id_not_found,
         invalid_network_interface_id_malformed);
VIRGA_ID(NetworkInterfaceAttachmentId, "eni-attach-", "network-interface-attachment", "attachment ID",
         invalid_attachment_id_not_found, invalid_attachment_id_malformed);
VIRGA_ID(AllocationId, "eipalloc-", "elastic-ip", "allocation ID", invalid_allocation_id_not_found,
         invalid_allocation_id_malformed);
VIRGA_ID(AddressAssociationId, "eipassoc-", "elastic-ip-association", "association ID", invalid_association_id_not_found,
         invalid_association_id_malformed);
VIRGA_ID(NetworkAclId, "acl-", "network-acl", "networkAcl ID", invalid_network_acl_id_not_found,
         invalid_network_acl_id_malformed);
VIRGA_ID(DhcpOptionsId, "dopt-", "dhcp-options", "dhcpOption ID", invalid_dhcp_option_id_not_found,
         invalid_dhcp_options_id_malformed);
VIRGA_ID(VpcCidrAssociationId, "vpc-cidr-assoc-", "vpc-cidr-block-association", "association ID",
         invalid_association_id_not_found, invalid_association_id_malformed);
#undef VIRGA_ID

/// Twelve decimal digits. Accounts own everything; see identity.
class AccountId {
 public:
  AccountId() = default;
  static Result<AccountId> parse(std::string_view text);
  static AccountId trusted(std::string_view text);
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const AccountId&) const = default;

 private:
  explicit AccountId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};
}  // namespace virga
