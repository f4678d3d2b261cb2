#include "api/codec/json.h"

#include <gtest/gtest.h>

#include "ec2/op/CreateVolume.h"
#include "ec2/op/DescribeInstances.h"
#include "ec2/op/ImportKeyPair.h"
#include "ec2/op/RunInstances.h"

namespace virga::codec {
namespace {

template <class T>
std::string refusal(std::string_view text, Origin origin = Origin::request) {
  T request;
  const auto decoded = decode_json(text, ec2::describe<T>(), &request, origin);
  return decoded ? "accepted" : decoded.error().message;
}

std::string nested(int depth, char open, char close) {
  return std::string(static_cast<std::size_t>(depth), open) + std::string(static_cast<std::size_t>(depth), close);
}

TEST(Json, DecodesByTheModelsNames) {
  ec2::RunInstancesRequest request;
  const auto decoded = decode_json(
      R"({"ImageId":"ami-1","MinCount":1,"MaxCount":2,"EbsOptimized":false,"SecurityGroupIds":["sg-1"],
          "BlockDeviceMappings":[{"DeviceName":"/dev/sda1","Ebs":{"VolumeSize":8}}],"UserData":""})",
      ec2::describe<ec2::RunInstancesRequest>(), &request, Origin::request);

  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(request.max_count, 2);
  EXPECT_EQ(request.ebs_optimized, false);
  EXPECT_EQ(request.security_group_ids, std::vector<std::string>{"sg-1"});
  EXPECT_EQ(request.block_device_mappings.at(0).ebs->volume_size, 8);
  EXPECT_EQ(request.user_data, "");
}

TEST(Json, TakesTypesStrictly) {
  using Request = ec2::DescribeInstancesRequest;
  for (const std::string text :
       {R"({"MaxResults":"5"})", R"({"MaxResults":5.0})", R"({"MaxResults":5e0})", R"({"MaxResults":2147483648})",
        R"({"MaxResults":18446744073709551615})", R"({"MaxResults":null})", R"({"DryRun":"true"})", R"({"DryRun":1})",
        R"({"InstanceIds":"i-1"})", R"({"InstanceIds":[1]})", R"({"InstanceIds":{"1":"i-1"}})", R"({"Filters":["a"]})",
        R"([])", R"("x")", R"({"MaxResults":{}})"})
    EXPECT_NE(refusal<Request>(text), "accepted") << text;
}

TEST(Json, RefusesWhatTheModelDoesNotHave) {
  EXPECT_EQ(refusal<ec2::RunInstancesRequest>(R"({"MinCount":1,"MaxCount":1,"Placement":{"Colour":1}})"),
            "The parameter Placement.Colour is not recognized");
  EXPECT_EQ(refusal<ec2::RunInstancesRequest>(R"({"MinCount":1})"), "The request must contain the parameter MaxCount");
}

TEST(Json, RefusesBrokenAndRepeated) {
  using Request = ec2::DescribeInstancesRequest;
  for (const std::string text : {"", "{", "{}x", "{'a':1}", "\xFF", "{\"DryRun\":tru}", R"({"DryRun":true,"DryRun":false})",
                                 R"({"NextToken":"\u0000"})", R"({"NextToken":"\ud800"})", R"({"NextToken":"\ufffe"})"})
    EXPECT_NE(refusal<Request>(text), "accepted") << text;
}

TEST(Json, Threat_C02_BoundsDepthBeforeItBuildsAnything) {
  using Request = ec2::DescribeInstancesRequest;
  constexpr std::string_view too_deep = "The body is nested more than 32 levels deep.";
  const auto mixed = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += i % 2 == 0 ? R"({"a":)" : "[";
    text += "1";
    for (int i = depth; i-- > 0;) text += i % 2 == 0 ? "}" : "]";
    return text;
  };
  const auto objects = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += R"({"a":)";
    return text + "1" + std::string(static_cast<std::size_t>(depth), '}');
  };
  for (const int depth : {33, 100'000, 1'000'000}) {
    EXPECT_EQ(refusal<Request>(nested(depth, '[', ']')), too_deep);
    EXPECT_EQ(refusal<Request>(objects(depth)), too_deep);
    EXPECT_EQ(refusal<Request>(mixed(depth)), too_deep);
    // Nor must it be closed to be refused.
    EXPECT_EQ(refusal<Request>(std::string(static_cast<std::size_t>(depth), '[')), too_deep);
  }
  for (const int depth : {31, 32}) {
    EXPECT_NE(refusal<Request>(nested(depth, '[', ']')), too_deep);
    EXPECT_NE(refusal<Request>(objects(depth)), too_deep);
    EXPECT_NE(refusal<Request>(mixed(depth)), too_deep);
  }
}

TEST(Json, AnswersComeBackEqual) {
  ec2::Volume volume;
  volume.volume_id = "vol-1";
  volume.size = 8;
  volume.create_time = Time{1'795'334'535'120};
  volume.volume_type = "one-that-is-not-in-the-model";
  volume.tags.push_back({.key = "k", .value = "\"\\\n\xC3\xBC"});

  const auto text = encode_json(ec2::describe<ec2::Volume>(), &volume);
  ec2::Volume again;
  const auto decoded = decode_json(text, ec2::describe<ec2::Volume>(), &again, Origin::stored);

  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(encode_json(ec2::describe<ec2::Volume>(), &again), text);
  EXPECT_EQ(again.create_time, volume.create_time);
  EXPECT_EQ(again.tags.at(0).value, volume.tags.at(0).value);
  EXPECT_NE(text.find(R"("CreateTime":"2026-11-22T08:02:15.120Z")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("Attachments":[])"), std::string::npos) << text;
}

TEST(Json, LeavesOutWhatItIsToldTo) {
  ec2::CreateVolumeRequest request;
  request.client_token = "t";
  request.size = 1;
  const std::string_view except[] = {"ClientToken"};
  EXPECT_EQ(encode_json(ec2::describe<ec2::CreateVolumeRequest>(), &request, except).find("ClientToken"), std::string::npos);
}

TEST(Json, ErrorsAreProblems) {
  EXPECT_EQ(encode_json_error("InvalidVpcID.NotFound", "no \"x\"", "r"),
            R"({"code":"InvalidVpcID.NotFound","message":"no \"x\"","request_id":"r"})");
}

}  // namespace
}  // namespace virga::codec
