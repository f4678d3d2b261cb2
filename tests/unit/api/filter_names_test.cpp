#include "api/filter_names.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ec2/op/DescribeAvailabilityZones.h"
#include "ec2/op/DescribeDhcpOptions.h"
#include "ec2/op/DescribeImages.h"
#include "ec2/op/DescribeInstanceStatus.h"
#include "ec2/op/DescribeInstanceTypeOfferings.h"
#include "ec2/op/DescribeInstanceTypes.h"
#include "ec2/op/DescribeInstances.h"
#include "ec2/op/DescribeInternetGateways.h"
#include "ec2/op/DescribeKeyPairs.h"
#include "ec2/op/DescribeNetworkAcls.h"
#include "ec2/op/DescribeNetworkInterfaces.h"
#include "ec2/op/DescribeRegions.h"
#include "ec2/op/DescribeRouteTables.h"
#include "ec2/op/DescribeSecurityGroupRules.h"
#include "ec2/op/DescribeSecurityGroups.h"
#include "ec2/op/DescribeSubnets.h"
#include "ec2/op/DescribeTags.h"
#include "ec2/op/DescribeVolumeStatus.h"
#include "ec2/op/DescribeVolumes.h"
#include "ec2/op/DescribeVolumesModifications.h"
#include "ec2/op/DescribeVpcs.h"

namespace virga::api {
namespace {

struct Served {
  std::string_view action;
  const ec2::Shape* item;
};

const Served served[] = {
    {"DescribeAvailabilityZones", &ec2::describe<ec2::AvailabilityZone>()},
    {"DescribeDhcpOptions", &ec2::describe<ec2::DhcpOptions>()},
    {"DescribeImages", &ec2::describe<ec2::Image>()},
    {"DescribeInstanceStatus", &ec2::describe<ec2::InstanceStatus>()},
    {"DescribeInstanceTypeOfferings", &ec2::describe<ec2::InstanceTypeOffering>()},
    {"DescribeInstanceTypes", &ec2::describe<ec2::InstanceTypeInfo>()},
    {"DescribeInstances", &ec2::describe<ec2::Reservation>()},
    {"DescribeInternetGateways", &ec2::describe<ec2::InternetGateway>()},
    {"DescribeKeyPairs", &ec2::describe<ec2::KeyPairInfo>()},
    {"DescribeNetworkAcls", &ec2::describe<ec2::NetworkAcl>()},
    {"DescribeNetworkInterfaces", &ec2::describe<ec2::NetworkInterface>()},
    {"DescribeRegions", &ec2::describe<ec2::Region>()},
    {"DescribeRouteTables", &ec2::describe<ec2::RouteTable>()},
    {"DescribeSecurityGroupRules", &ec2::describe<ec2::SecurityGroupRule>()},
    {"DescribeSecurityGroups", &ec2::describe<ec2::SecurityGroup>()},
    {"DescribeSubnets", &ec2::describe<ec2::Subnet>()},
    {"DescribeTags", &ec2::describe<ec2::TagDescription>()},
    {"DescribeVolumeStatus", &ec2::describe<ec2::VolumeStatusItem>()},
    {"DescribeVolumes", &ec2::describe<ec2::Volume>()},
    {"DescribeVolumesModifications", &ec2::describe<ec2::VolumeModification>()},
    {"DescribeVpcs", &ec2::describe<ec2::Vpc>()},
};

std::string dotted(const std::optional<MemberPath>& path) {
  if (!path) return "nothing";
  std::string text;
  for (const auto* member : *path) text += (text.empty() ? "" : ".") + std::string(member->name);
  return text;
}

std::string where(std::string_view action, std::string_view filter) {
  const auto found = std::ranges::find(served, action, &Served::action);
  return dotted(filter_path(*ec2::find_operation(action), filter, *found->item));
}

TEST(FilterNames, EveryDocumentedFilterLooksAtAMemberOrIsListedAsHidden) {
  for (const auto& [action, item] : served) {
    const auto& operation = *ec2::find_operation(action);
    const auto hidden = hidden_filters(action);
    for (const auto filter : operation.filters) {
      if (filter == "tag" || filter == "tag-key") {
        EXPECT_TRUE(tags_path(*item)) << action;
        continue;
      }
      const auto path = filter_path(operation, filter, *item);
      const bool listed = std::ranges::find(hidden, filter) != hidden.end();
      EXPECT_NE(path.has_value(), listed) << action << " " << filter << " -> " << dotted(path);
      if (path) {
        EXPECT_EQ(structure_of(*path->back()), nullptr) << action << " " << filter;
      }
    }
    for (const auto filter : hidden)
      EXPECT_NE(std::ranges::find(operation.filters, filter), operation.filters.end()) << action << " " << filter;
  }
}

TEST(FilterNames, NamesLeadToTheMembersTheyMean) {
  EXPECT_EQ(where("DescribeInstances", "instance-state-name"), "Instances.State.Name");
  EXPECT_EQ(where("DescribeInstances", "instance-id"), "Instances.InstanceId");
  EXPECT_EQ(where("DescribeInstances", "reservation-id"), "ReservationId");
  EXPECT_EQ(where("DescribeInstances", "owner-id"), "OwnerId");
  EXPECT_EQ(where("DescribeInstances", "vpc-id"), "Instances.VpcId");
  EXPECT_EQ(where("DescribeInstances", "private-ip-address"), "Instances.PrivateIpAddress");
  EXPECT_EQ(where("DescribeInstances", "network-interface.addresses.private-ip-address"),
            "Instances.NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress");
  EXPECT_EQ(where("DescribeInstances", "network-interface.subnet-id"), "Instances.NetworkInterfaces.SubnetId");
  EXPECT_EQ(where("DescribeInstances", "availability-zone"), "Instances.Placement.AvailabilityZone");
  EXPECT_EQ(where("DescribeInstances", "iam-instance-profile.arn"), "Instances.IamInstanceProfile.Arn");
  EXPECT_EQ(where("DescribeInstances", "monitoring-state"), "Instances.Monitoring.State");
  EXPECT_EQ(where("DescribeInstances", "state-reason-code"), "Instances.StateReason.Code");
  EXPECT_EQ(where("DescribeRouteTables", "association.main"), "Associations.Main");
  EXPECT_EQ(where("DescribeRouteTables", "route.destination-cidr-block"), "Routes.DestinationCidrBlock");
  EXPECT_EQ(where("DescribeInternetGateways", "attachment.vpc-id"), "Attachments.VpcId");
  EXPECT_EQ(where("DescribeVolumes", "attachment.instance-id"), "Attachments.InstanceId");
  EXPECT_EQ(where("DescribeVolumes", "attachment.status"), "Attachments.State");
  EXPECT_EQ(where("DescribeSecurityGroups", "ip-permission.from-port"), "IpPermissions.FromPort");
  EXPECT_EQ(where("DescribeInstanceTypes", "vcpu-info.default-vcpus"), "VCpuInfo.DefaultVCpus");
  EXPECT_EQ(where("DescribeInstanceTypes", "memory-info.size-in-mib"), "MemoryInfo.SizeInMiB");
  EXPECT_EQ(where("DescribeImages", "is-public"), "Public");
  EXPECT_EQ(where("DescribeVpcs", "isDefault"), "IsDefault");
}

TEST(FilterNames, KnowsTagFormsWhereTagsAre) {
  const auto& vpcs = *ec2::find_operation("DescribeVpcs");
  for (const std::string_view name : {"tag:Name", "tag-key", "tag-value", "vpc-id", "isDefault"})
    EXPECT_TRUE(filter_is_known(vpcs, name)) << name;
  for (const std::string_view name : {"tag", "tag:", "Tag:Name", "VPC-ID", "", "vpcId"})
    EXPECT_FALSE(filter_is_known(vpcs, name)) << name;
  EXPECT_FALSE(filter_is_known(*ec2::find_operation("DescribeRegions"), "tag:Name"));
}

}  // namespace
}  // namespace virga::api
