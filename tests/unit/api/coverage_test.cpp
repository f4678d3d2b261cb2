#include "api/coverage.h"

#include <gtest/gtest.h>

#include "ec2/op/DescribeInstances.h"
#include "ec2/op/RunInstances.h"

namespace virga::api {
namespace {

Result<ec2::Reservation> run(Call&, const ec2::RunInstancesRequest&) { return ec2::Reservation{}; }
Result<ec2::DescribeInstancesResult> list(Call&, const ec2::DescribeInstancesRequest&) {
  return ec2::DescribeInstancesResult{};
}

TEST(Coverage, SaysWhatEachActionHonoursAndRefuses) {
  const Action rows[] = {
      action("RunInstances", Access::write, &run,
             {.refused = {"KernelId"}, .only = {{"HibernationOptions.Configured", {"false"}}}}),
      action("DescribeInstances", Access::read, &list),
  };

  const auto page = coverage_page(rows);

  EXPECT_NE(page.find("2 of EC2's actions are served"), std::string::npos);
  EXPECT_NE(page.find("## RunInstances\n\n* Access: write\n* Request members: "), std::string::npos) << page;
  EXPECT_NE(page.find("* Refused (UnsupportedOperation): `KernelId`\n"), std::string::npos);
  EXPECT_NE(page.find("* `HibernationOptions.Configured`: only `false`\n"), std::string::npos);
  EXPECT_NE(page.find("* Idempotency: `ClientToken`\n"), std::string::npos);
  EXPECT_NE(page.find("`tag:<key>`"), std::string::npos);
  EXPECT_NE(page.find("for want of the attribute: `affinity`"), std::string::npos);
  EXPECT_NE(page.find("* Pages: MaxResults, NextToken\n"), std::string::npos);
  const auto members = page.substr(page.find("* Request members"), page.find("* Refused") - page.find("* Request members"));
  EXPECT_EQ(members.find("`KernelId`"), std::string::npos);
}

}  // namespace
}  // namespace virga::api
