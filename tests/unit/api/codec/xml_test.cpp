#include "api/codec/xml.h"

#include <gtest/gtest.h>

#include "ec2/op/DescribeImages.h"
#include "ec2/op/DescribeInstanceTypes.h"
#include "ec2/op/DescribeVolumes.h"

namespace virga::codec {
namespace {

template <class T>
std::string members(const T& response) {
  const auto xml = encode_xml("X", "r-1", &ec2::describe<T>(), &response);
  const std::string head =
      R"(<?xml version="1.0" encoding="UTF-8"?><XResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>)";
  const std::string tail = "</XResponse>";
  EXPECT_TRUE(xml.starts_with(head)) << xml;
  EXPECT_TRUE(xml.ends_with(tail)) << xml;
  return xml.substr(head.size(), xml.size() - head.size() - tail.size());
}

TEST(Xml, WritesMembersListsAndTypes) {
  ec2::DescribeVolumesResult result;
  auto& volume = result.volumes.emplace_back();
  volume.volume_id = "vol-1";
  volume.size = 8;
  volume.encrypted = false;
  volume.create_time = Time{1'795'334'535'120};
  volume.tags.push_back({.key = "a<b", .value = "&'\"\r\n"});

  const auto xml = members(result);

  EXPECT_NE(xml.find("<volumeSet><item>"), std::string::npos) << xml;
  EXPECT_NE(xml.find("<volumeId>vol-1</volumeId>"), std::string::npos);
  EXPECT_NE(xml.find("<size>8</size>"), std::string::npos);
  EXPECT_NE(xml.find("<encrypted>false</encrypted>"), std::string::npos);
  EXPECT_NE(xml.find("<createTime>2026-11-22T08:02:15.120Z</createTime>"), std::string::npos) << xml;
  EXPECT_NE(xml.find("<tagSet><item><key>a&lt;b</key><value>&amp;&apos;&quot;&#xD;\n</value></item></tagSet>"),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("<attachmentSet/>"), std::string::npos);
  EXPECT_EQ(xml.find("iops"), std::string::npos);
}

TEST(Xml, WritesEmptyListsAndLeavesOutAbsentScalars) {
  EXPECT_EQ(members(ec2::DescribeVolumesResult{}), "<volumeSet/>");
}

TEST(Xml, WritesDoublesWithoutNoise) {
  ec2::DescribeInstanceTypesResult result;
  auto& type = result.instance_types.emplace_back();
  type.processor_info.emplace().sustained_clock_speed_in_ghz = 2.5;
  EXPECT_NE(members(result).find("<sustainedClockSpeedInGhz>2.5</sustainedClockSpeedInGhz>"), std::string::npos);
}

TEST(Xml, SaysReturnTrueWhereThereIsNoOutput) {
  EXPECT_NE(encode_xml("DeleteVpc", "r", nullptr, nullptr).find("<requestId>r</requestId><return>true</return></DeleteVpcResponse>"),
            std::string::npos);
}

TEST(Xml, ErrorsHaveEc2sEnvelope) {
  EXPECT_EQ(encode_xml_error("InvalidVpcID.NotFound", "The vpc ID '<x>' does not exist", "r-1"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>"
            "<Message>The vpc ID &apos;&lt;x&gt;&apos; does not exist</Message></Error></Errors>"
            "<RequestID>r-1</RequestID></Response>");
}

TEST(Xml, Threat_C01_ReplacesWhatXmlCannotCarry) {
  std::string out;
  append_escaped(out, std::string_view("a\0b\xFF\x1B", 5));
  EXPECT_EQ(out, "a?b??");
}

}  // namespace
}  // namespace virga::codec
