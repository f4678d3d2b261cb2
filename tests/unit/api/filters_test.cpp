#include "api/filters.h"

#include <gtest/gtest.h>

#include "api/wildcard.h"
#include "ec2/op/DescribeTags.h"
#include "ec2/op/DescribeVolumes.h"

namespace virga::api {
namespace {

struct Wanted {
  std::string name;
  std::vector<std::string> values;
};

ec2::DescribeVolumesRequest request(const std::vector<Wanted>& filters) {
  ec2::DescribeVolumesRequest made;
  for (const auto& [name, values] : filters) {
    auto& filter = made.filters.emplace_back();
    filter.name = name;
    filter.values = values;
  }
  return made;
}

Result<Filters> compile(const std::vector<Wanted>& filters) {
  const auto made = request(filters);
  return Filters::compile(*ec2::find_operation("DescribeVolumes"), &made);
}

bool match(const std::vector<Wanted>& filters) {
  ec2::Volume volume;
  volume.volume_id = "vol-1";
  volume.size = 8;
  volume.encrypted = false;
  volume.create_time = Time{1'795'334'535'120};
  volume.tags = {{.key = "Name", .value = "web*1"}, {.key = "empty", .value = ""}};
  volume.attachments.emplace_back().instance_id = "i-1";
  volume.attachments.emplace_back().instance_id = "i-2";
  return compile(filters)->match(ec2::describe<ec2::Volume>(), &volume);
}

TEST(Filters, ValuesAreAlternativesAndFiltersAllHold) {
  EXPECT_TRUE(match({}));
  EXPECT_TRUE(match({{"volume-id", {"vol-2", "vol-1"}}}));
  EXPECT_FALSE(match({{"volume-id", {"vol-1"}}, {"size", {"9"}}}));
  EXPECT_TRUE(match({{"volume-id", {"vol-1"}}, {"size", {"8"}}, {"encrypted", {"false"}}}));
  EXPECT_FALSE(match({{"volume-id", {"VOL-1"}}}));
}

TEST(Filters, LooksIntoListsAndTimes) {
  EXPECT_TRUE(match({{"attachment.instance-id", {"i-2"}}}));
  EXPECT_FALSE(match({{"attachment.instance-id", {"i-3"}}}));
  EXPECT_TRUE(match({{"create-time", {"2026-11-22T08:*"}}}));
}

TEST(Filters, LooksAtWhatIsHiddenUnderItsName) {
  const ec2::Volume volume;
  const auto with = [&](const Hidden& hidden) {
    return compile({{"snapshot-id", {"snap-?"}}})->match(ec2::describe<ec2::Volume>(), &volume, hidden);
  };
  EXPECT_TRUE(with({{"snapshot-id", "other"}, {"snapshot-id", "snap-1"}}));
  EXPECT_FALSE(with({{"snapshot-id", "other"}, {"volume-id", "snap-1"}}));
  EXPECT_FALSE(with({}));
}

TEST(Filters, AbsentAttributesMatchNothing) { EXPECT_FALSE(match({{"snapshot-id", {"*"}}})); }

TEST(Filters, LooksAtTags) {
  EXPECT_TRUE(match({{"tag:Name", {"web\\*1"}}}));
  EXPECT_FALSE(match({{"tag:Name", {"web\\*"}}}));
  EXPECT_TRUE(match({{"tag:empty", {""}}}));
  EXPECT_FALSE(match({{"tag:missing", {"*"}}}));
  EXPECT_TRUE(match({{"tag-key", {"N?me"}}}));
  EXPECT_FALSE(match({{"tag-key", {"name"}}}));
  EXPECT_TRUE(match({{"tag-value", {"web*"}}}));
}

TEST(Filters, TagsThemselvesAreItems) {
  ec2::DescribeTagsRequest made;
  auto& filter = made.filters.emplace_back();
  filter.name = "tag:Name";
  filter.values = {"web"};
  const auto filters = Filters::compile(*ec2::find_operation("DescribeTags"), &made);
  ec2::TagDescription tag;
  tag.key = "Name";
  tag.value = "web";
  EXPECT_TRUE(filters->match(ec2::describe<ec2::TagDescription>(), &tag));
  tag.key = "Other";
  EXPECT_FALSE(filters->match(ec2::describe<ec2::TagDescription>(), &tag));
}

TEST(Filters, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(compile({{"colour", {"blue"}}}).error().message, "The filter 'colour' is invalid");
  EXPECT_EQ(compile({{"", {"blue"}}}).error().code, Code::invalid_parameter_value);
  EXPECT_EQ(compile({{"size", {}}}).error().code, Code::invalid_parameter_value);
}

TEST(Filters, BoundsNumberAndSize) {
  EXPECT_TRUE(compile(std::vector<Wanted>(50, {"size", {"1"}})));
  EXPECT_EQ(compile(std::vector<Wanted>(51, {"size", {"1"}})).error().code, Code::filter_limit_exceeded);
  EXPECT_TRUE(compile({{"size", std::vector<std::string>(200, "1")}}));
  EXPECT_EQ(compile({{"size", std::vector<std::string>(201, "1")}}).error().code, Code::filter_limit_exceeded);
  EXPECT_TRUE(compile({{"size", {std::string(1024, '*')}}}));
  EXPECT_FALSE(compile({{"size", {std::string(1025, '*')}}}));
}

TEST(Wildcard, MatchesLikeEc2) {
  EXPECT_TRUE(matches_wildcard("", ""));
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("a*c*e", "abcde"));
  EXPECT_TRUE(matches_wildcard("*a*", "banana"));
  EXPECT_TRUE(matches_wildcard("?", "\xC3\xBC"));
  EXPECT_TRUE(matches_wildcard("\\?\\*\\\\", "?*\\"));
  EXPECT_TRUE(matches_wildcard("a\\", "a\\"));
  EXPECT_FALSE(matches_wildcard("a?", "a"));
  EXPECT_FALSE(matches_wildcard("", "a"));
  EXPECT_FALSE(matches_wildcard("a*b", "ac"));
  EXPECT_FALSE(matches_wildcard("\\*", "x"));
}

}  // namespace
}  // namespace virga::api
