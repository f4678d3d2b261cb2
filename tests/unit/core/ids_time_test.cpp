#include <gtest/gtest.h>

#include <set>

#include "core/ids.h"
#include "core/time.h"

namespace virga {
namespace {

TEST(Ids, SeventeenOrEightHexDigitsBehindThePrefixAreAnId) {
  EXPECT_TRUE(InstanceId::parse("i-0123456789abcdef0"));
  EXPECT_TRUE(InstanceId::parse("i-01234567"));
  for (const auto* wrong :
       {"", "i-", "i-xyz", "vol-0123456789abcdef0", "i-0123456789ABCDEF0", "i-0123456789abcdef01", "i-0123456"})
    EXPECT_EQ(InstanceId::parse(wrong).error().code, Code::invalid_instance_id_malformed) << wrong;
}

TEST(Ids, AnAttachmentIsNoInterface) {
  EXPECT_FALSE(NetworkInterfaceId::parse("eni-attach-0123456789abcdef0"));
  EXPECT_TRUE(NetworkInterfaceAttachmentId::parse("eni-attach-0123456789abcdef0"));
}

TEST(Ids, GeneratedIdsParseAndDiffer) {
  SystemIdSource ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = VolumeId::generate(ids);
    EXPECT_TRUE(VolumeId::parse(id.str()));
    EXPECT_TRUE(seen.insert(id.str()).second);
  }
}

TEST(Ids, RequestIdsAreVersion4Uuids) {
  SeededIdSource ids(3);
  const auto uuid = ids.uuid();
  EXPECT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
}

TEST(Ids, MessagesRepeatAtMostSixtyFourCleanCharacters) {
  const auto error = InstanceId::parse(std::string("i-\n\x1b") + std::string(500, 'x')).error();
  EXPECT_LT(error.message.size(), 140u);
  EXPECT_EQ(error.message.find('\n'), std::string::npos);
  EXPECT_EQ(error.message.find('\x1b'), std::string::npos);
}

TEST(Time, IsWrittenAsEc2WritesIt) { EXPECT_EQ(to_iso8601({1'795'328'415'000}), "2026-11-22T06:20:15.000Z"); }

TEST(Time, IsReadWithAndWithoutFractions) {
  EXPECT_EQ(parse_iso8601("2026-11-22T06:20:15Z")->ms, 1'795'328'415'000);
  EXPECT_EQ(parse_iso8601("2026-11-22T06:20:15.250Z")->ms, 1'795'328'415'250);
  EXPECT_EQ(parse_iso8601("2026-11-22T07:20:15+01:00")->ms, 1'795'328'415'000);
  EXPECT_EQ(parse_iso8601("2026-11-22T06:20:15.2Z")->ms, 1'795'328'415'200);
  EXPECT_EQ(parse_iso8601("2026-11-22T06:20:15.250999Z")->ms, 1'795'328'415'250);
  EXPECT_EQ(parse_iso8601("2026-11-22T07:20:15.005000000+01:00")->ms, 1'795'328'415'005);
  for (const auto* wrong :
       {"", "yesterday", "2026-11-22", "2026-11-22T06:20:15", "2026-13-22T06:20:15Z", "2026-11-22T06:20:15Zx",
        "2026-11-22T06:20:15.Z", "2026-11-22T06:20:15.+1Z", "2026-11-22T06:20:15.0123456789Z"})
    EXPECT_FALSE(parse_iso8601(wrong)) << wrong;
}

}  // namespace
}  // namespace virga
