#include "api/codec/query.h"

#include <gtest/gtest.h>

#include "ec2/op/CopySnapshot.h"
#include "ec2/op/CreateTags.h"
#include "ec2/op/DescribeInstances.h"
#include "ec2/op/ImportKeyPair.h"
#include "ec2/op/RunInstances.h"

namespace virga::codec {
namespace {

template <class T>
Result<T> decode(std::string_view form) {
  Parameters parameters;
  TRY_VOID(parameters.add(form));
  T request;
  TRY_VOID(decode_query(parameters, ec2::describe<T>(), &request));
  return request;
}

template <class T>
std::string refusal(std::string_view form) {
  const auto decoded = decode<T>(form);
  return decoded ? "accepted" : decoded.error().message;
}

using RunRequest = ec2::RunInstancesRequest;
const std::string run = "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1";

TEST(Query, DecodesWhatTerraformSendsToRunAnInstance) {
  const auto request = decode<RunRequest>(
      run + "&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true"
      "&BlockDeviceMapping.1.Ebs.VolumeSize=10&ClientToken=terraform-1&EbsOptimized=false&ImageId=ami-1"
      "&InstanceType=t3.micro&KeyName=a+key&Monitoring.Enabled=false&Placement.AvailabilityZone=&SecurityGroupId.1=sg-1"
      "&SecurityGroupId.2=sg-2&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name"
      "&TagSpecification.1.Tag.1.Value=%C3%BC&UserData=aGk%3D");

  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->block_device_mappings.at(0).device_name, "/dev/xvda");
  EXPECT_EQ(request->block_device_mappings[0].ebs->volume_size, 10);
  EXPECT_EQ(request->block_device_mappings[0].ebs->delete_on_termination, true);
  EXPECT_EQ(request->key_name, "a key");
  EXPECT_EQ(request->security_group_ids, (std::vector<std::string>{"sg-1", "sg-2"}));
  EXPECT_EQ(request->tag_specifications.at(0).tags.at(0).value, "\xC3\xBC");
  EXPECT_EQ(request->placement->availability_zone, "");
  EXPECT_FALSE(request->subnet_id);
}

TEST(Query, OrdersListsByIndexAndAllowsGaps) {
  const auto request =
      decode<ec2::DescribeInstancesRequest>("InstanceId.10=c&InstanceId.2=b&InstanceId.0=a&InstanceId.1000=d");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->instance_ids, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(Query, Threat_C03_RefusesIndexesThatAreNone) {
  for (const std::string index : {"-1", "1001", "1000000000", "99999999999999999999", "01", "-0", "x", "1e2", "+1"})
    EXPECT_NE(refusal<ec2::DescribeInstancesRequest>("InstanceId." + index + "=a"), "accepted") << index;
  EXPECT_NE(refusal<ec2::DescribeInstancesRequest>("InstanceId=a"), "accepted");
}

TEST(Query, RefusesUnknownParametersByName) {
  EXPECT_EQ(refusal<RunRequest>(run + "&Colour=blue"), "The parameter Colour is not recognized");
  EXPECT_EQ(refusal<RunRequest>(run + "&Placement.Colour=blue"), "The parameter Placement.Colour is not recognized");
  EXPECT_EQ(refusal<RunRequest>(run + "&ImageId.x.y=1"), "The parameter ImageId.x.y is not recognized");
  EXPECT_EQ(refusal<RunRequest>(run + "&Placement=blue"), "The parameter Placement is not recognized");
  EXPECT_EQ(refusal<RunRequest>(run + "&X-Amz-Signature=aa"), "accepted");
  EXPECT_NE(refusal<RunRequest>(run + "&Placement.X-Amz-Signature=aa"), "accepted");
  EXPECT_NE(refusal<RunRequest>(run + "&..=a"), "accepted");
}

TEST(Query, NamesWhatIsMissing) {
  EXPECT_EQ(refusal<RunRequest>("MinCount=1"), "The request must contain the parameter MaxCount");
  EXPECT_EQ(refusal<RunRequest>("MinCount=1&MaxCount="), "The request must contain the parameter MaxCount");
  EXPECT_EQ(refusal<ec2::CreateTagsRequest>("Tag.1.Key=a"), "The request must contain the parameter ResourceId");
}

TEST(Query, RefusesAParameterGivenTwice) {
  EXPECT_EQ(refusal<RunRequest>(run + "&ImageId=a&ImageId=b"), "The parameter ImageId is given more than once.");
}

TEST(Query, Threat_C08_TakesIntegersStrictly) {
  for (const std::string value : {"0x10", "1e3", "010", "+5", "%205", "5%20", "1.0", "2147483648", "-2147483649", "five"})
    EXPECT_NE(refusal<RunRequest>("MaxCount=1&MinCount=" + value), "accepted") << value;
  EXPECT_EQ(refusal<RunRequest>("MaxCount=1&MinCount=2147483647"), "accepted");
  EXPECT_EQ(refusal<RunRequest>("MaxCount=1&MinCount=abc"), "Value (abc) for parameter MinCount is invalid. It must be an integer.");
}

TEST(Query, TakesBooleansOfAnyCaseAndNothingElse) {
  for (const std::string value : {"true", "True", "FALSE"})
    EXPECT_EQ(refusal<RunRequest>(run + "&EbsOptimized=" + value), "accepted");
  for (const std::string value : {"1", "yes", "tru"})
    EXPECT_NE(refusal<RunRequest>(run + "&EbsOptimized=" + value), "accepted");
}

TEST(Query, EmptyMeansAbsentForAllButStrings) {
  const auto request = decode<RunRequest>(run + "&EbsOptimized=&PrivateIpAddress=&InstanceInitiatedShutdownBehavior=");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_FALSE(request->ebs_optimized);
  EXPECT_FALSE(request->instance_initiated_shutdown_behavior);
  EXPECT_EQ(request->private_ip_address, "");
}

TEST(Query, ChecksEnumerations) {
  EXPECT_EQ(refusal<RunRequest>(run + "&InstanceInitiatedShutdownBehavior=explode"),
            "Value (explode) for parameter InstanceInitiatedShutdownBehavior is invalid. Valid values are: stop, terminate.");
}

TEST(Query, DecodesBlobs) {
  const auto request = decode<ec2::ImportKeyPairRequest>("KeyName=k&PublicKeyMaterial=c3NoLXJzYQ%3D%3D");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->public_key_material->bytes, "ssh-rsa");
  EXPECT_NE(refusal<ec2::ImportKeyPairRequest>("KeyName=k&PublicKeyMaterial=%21%21"), "accepted");
}

TEST(Query, RefusesBrokenEscapes) {
  for (const std::string value : {"%", "%4", "%zz", "%%41", "a%4"})
    EXPECT_NE(refusal<RunRequest>(run + "&KeyName=" + value), "accepted") << value;
}

TEST(Query, Threat_C01_RefusesTextThatXmlCannotCarry) {
  for (const std::string value : {"%00", "%01", "%0B", "%1F", "%EF%BF%BE", "%EF%BF%BF", "%ED%A0%80", "%C0%80", "%80",
                                  "%F4%90%80%80", "%E2%82"})
    EXPECT_NE(refusal<RunRequest>(run + "&KeyName=" + value), "accepted") << value;
  for (const std::string value : {"%09", "%0A", "%0D", "%F0%9F%98%80", "%EF%BF%BD"})
    EXPECT_EQ(refusal<RunRequest>(run + "&KeyName=" + value), "accepted") << value;
}

TEST(Query, Threat_C03_BoundsTheNumberOfParameters) {
  std::string form;
  for (int i = 0; i < 2000; ++i) form += "A" + std::to_string(i) + "=&";
  Parameters parameters;
  EXPECT_TRUE(parameters.add(form));
  EXPECT_FALSE(parameters.add("B=1"));
  EXPECT_FALSE(Parameters().add(form + "B=1"));
  // The same name again counts too, and so do those of the URL's query and the body together.
  Parameters both;
  EXPECT_TRUE(both.add("B=1"));
  EXPECT_FALSE(both.add(form));
}

TEST(Query, Threat_C03_ListsAreBoundedByTheirIndex) {
  std::string form;
  for (int i = 0; i <= 1000; ++i) form += "InstanceId." + std::to_string(i) + "=i-1&";
  const auto full = decode<ec2::DescribeInstancesRequest>(form);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->instance_ids.size(), 1001u);
  EXPECT_EQ(refusal<ec2::DescribeInstancesRequest>(form + "InstanceId.1001=i-1"),
            "Value (1001) for parameter InstanceId is invalid. An index must be between 0 and 1000.");
}

TEST(Query, Threat_C03_BoundsTheDepthOfNames) {
  std::string name = "A";
  for (int i = 0; i < 20; ++i) name += ".A";
  EXPECT_FALSE(Parameters().add(name + "=1"));
}

TEST(Query, LetsBotocorePresignCopySnapshot) {
  EXPECT_EQ(refusal<ec2::CopySnapshotRequest>(
                "SourceRegion=us-east-1&SourceSnapshotId=snap-1&PresignedUrl=https%3A%2F%2Fa&DestinationRegion=us-east-1"),
            "accepted");
}

}  // namespace
}  // namespace virga::codec
