#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/idempotency.h"
#include "ec2/op/CreateVolume.h"
#include "ec2/op/CreateVpc.h"
#include "ec2/op/DescribeVpcs.h"
#include "tests/unit/api/dispatcher_fixture.h"

namespace virga::api {
namespace {

// The rows of these tests keep VPCs as tags' worth of rows in `setting`: the dispatcher does not care what a handler
// does.
Result<ec2::CreateVpcResult> create_vpc(Call& call, const ec2::CreateVpcRequest& request) {
  if (request.cidr_block == "10.0.0.0/40") return fail(Code::invalid_vpc_range, "The CIDR '10.0.0.0/40' is invalid.");
  const auto id = VpcId::generate(call.scope().ids);
  call.scope().tx.execute("INSERT INTO setting (name, value) VALUES (?, ?)",
                          "vpc:" + call.caller().account.str() + id.str(), request.cidr_block.value_or(""));
  ec2::CreateVpcResult result;
  auto& vpc = result.vpc.emplace();
  vpc.vpc_id = id.str();
  vpc.cidr_block = request.cidr_block;
  return result;
}

Result<ec2::DescribeVpcsResult> describe_vpcs(Call& call, const ec2::DescribeVpcsRequest&) {
  auto page = call.listing<ec2::Vpc>();
  const auto prefix = "vpc:" + call.caller().account.str();
  call.scope().tx.for_each(
      "SELECT substr(name, 17), value FROM setting WHERE name GLOB ? ORDER BY name",
      [&](store::Row& row) {
        ec2::Vpc vpc;
        vpc.vpc_id = row.text(0);
        vpc.cidr_block = row.text(1);
        vpc.is_default = false;
        return page.offer(row.text(0), std::move(vpc));
      },
      prefix + "*");
  ec2::DescribeVpcsResult result;
  result.vpcs = page.take();
  return result;
}

Result<ec2::Volume> create_volume(Call& call, const ec2::CreateVolumeRequest& request) {
  const auto id = VolumeId::generate(call.scope().ids);
  call.scope().tx.execute("INSERT INTO setting (name, value) VALUES (?, '')", "volume:" + id.str());
  ec2::Volume volume;
  volume.volume_id = id.str();
  volume.size = request.size;
  volume.create_time = call.scope().now;
  return volume;
}

class DispatcherTest : public DispatcherFixture {
 protected:
  std::vector<Action> rows() override {
    return {
        action("DescribeVpcs", Access::read, &describe_vpcs),
        action("CreateVpc", Access::write, &create_vpc,
               {.refused = {"Ipv6Pool"}, .only = {{"InstanceTenancy", {"default"}}}}),
        action("CreateVolume", Access::write, &create_volume),
    };
  }
};

TEST_F(DispatcherTest, WritesThenReads) {
  const auto created = post("Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16");

  ASSERT_EQ(created.status, 200) << created.body;
  const auto id = between(created.body, "<vpcId>", "</vpcId>");
  EXPECT_EQ(id.size(), 21u);
  const auto listed = post("Action=DescribeVpcs&Version=2016-11-15");
  EXPECT_NE(listed.body.find("<cidrBlock>10.0.0.0/16</cidrBlock>"), std::string::npos) << listed.body;
  EXPECT_EQ(between(listed.body, "<vpcId>", "</vpcId>"), id);
  EXPECT_EQ(between(listed.body, "<requestId>", "</requestId>"), *listed.headers.find("x-amzn-requestid"));
  EXPECT_EQ(listed.content_type, "text/xml;charset=UTF-8");
}

TEST_F(DispatcherTest, ServesTheQueryOfAUrl) {
  HttpRequest request = form("");
  request.method = "GET";
  request.target = "/?Action=DescribeVpcs&Version=2016-11-15&X-Amz-Signature=aa";
  EXPECT_EQ(dispatcher_->handle(request).status, 200);
}

TEST_F(DispatcherTest, RefusesAnActionGivenInQueryAndBody) {
  HttpRequest request = form("Action=DescribeVpcs");
  request.target = "/?Action=CreateVpc";
  const auto response = dispatcher_->handle(request);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(code(response), "InvalidParameter");
}

TEST_F(DispatcherTest, RefusesWhoIsNotAuthenticated) {
  const auto response = post("Action=DescribeVpcs", "");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(code(response), "MissingAuthenticationToken");
}

TEST_F(DispatcherTest, AnswersUnknownActionsWithInvalidActionAndNeverWith5xx) {
  const auto response = post("Action=DescribeSpotPriceHistory");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(code(response), "InvalidAction");
  EXPECT_NE(response.body.find("The action DescribeSpotPriceHistory is not valid for this web service."),
            std::string::npos);
  EXPECT_EQ(post("Action=%3Cscript%3E").body.find("script"), std::string::npos);
}

TEST_F(DispatcherTest, AnswersActionsThatEc2RetiredAsEc2Does) {
  const auto response = post("Action=DescribeVpcClassicLink&VpcId.1=vpc-0123456789abcdef0");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(code(response), "UnsupportedOperation");
  EXPECT_NE(response.body.find("The functionality you requested is not available in this region."), std::string::npos);
  EXPECT_EQ(code(post("Action=DescribeClassicLink")), "InvalidAction");
}

TEST_F(DispatcherTest, AnswersUnknownPathsWithAFixedText) {
  // Those of the host API and the operator's socket among them (threat H01).
  for (const std::string target : {"/v1/state", "/v1/events", "/v1/instances/i-1", "/admin/v1/accounts", "/favicon.ico",
                                   "/api/v1/", "/api/v2/DescribeVpcs", "//", "/<b>"}) {
    HttpRequest request = form("Action=DescribeVpcs");
    request.target = target;
    const auto response = dispatcher_->handle(request);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_EQ(response.body.find("<b>"), std::string::npos);
    EXPECT_NE(response.headers.find("x-amzn-requestid"), nullptr);
  }
}

TEST_F(DispatcherTest, Threat_B03_LetsReadOnlyUsersReadOnly) {
  EXPECT_EQ(post("Action=DescribeVpcs", "reader").status, 200);
  const auto response = post("Action=CreateVpc&CidrBlock=10.0.0.0/16", "reader");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(code(response), "UnauthorizedOperation");
  EXPECT_EQ(code(post("Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true", "reader")), "UnauthorizedOperation");
  EXPECT_EQ(count("vpc:*"), 0);
}

TEST_F(DispatcherTest, RefusesMembersTheRowDoesNotHonour) {
  const auto refused = post("Action=CreateVpc&CidrBlock=10.0.0.0/16&Ipv6Pool=mine");
  EXPECT_EQ(code(refused), "UnsupportedOperation");
  EXPECT_NE(refused.body.find("Ipv6Pool (mine)"), std::string::npos);
  const auto only = post("Action=CreateVpc&CidrBlock=10.0.0.0/16&InstanceTenancy=dedicated");
  EXPECT_EQ(code(only), "UnsupportedOperation");
  EXPECT_NE(only.body.find("use: default"), std::string::npos);
  EXPECT_EQ(post("Action=CreateVpc&CidrBlock=10.0.0.0/16&InstanceTenancy=default&Ipv6Pool=").status, 200);
}

TEST_F(DispatcherTest, DryRunRunsTheHandlerAndKeepsNothing) {
  const auto response = post("Action=CreateVpc&CidrBlock=10.0.0.0/16&DryRun=true");
  EXPECT_EQ(response.status, 412);
  EXPECT_EQ(code(response), "DryRunOperation");
  EXPECT_EQ(count("vpc:*"), 0);
  EXPECT_EQ(code(post("Action=CreateVpc&CidrBlock=10.0.0.0/40&DryRun=true")), "InvalidVpc.Range");
  EXPECT_EQ(post("Action=DescribeVpcs&DryRun=true").status, 412);
}

TEST_F(DispatcherTest, Threat_C01_ReadsNoXml) {
  auto request = form("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>");
  for (const std::string type : {"text/xml", "application/xml", "application/x-www-form-urlencoded"}) {
    request.headers = {};
    request.headers.add("Content-Type", type);
    request.headers.add("X-Who", "alice");
    const auto response = dispatcher_->handle(request);
    EXPECT_GE(response.status, 400) << type;
    EXPECT_LT(response.status, 500) << type;
    EXPECT_EQ(response.body.find("root:"), std::string::npos);
  }
}

TEST_F(DispatcherTest, RepeatedClientTokenGetsTheFirstAnswer) {
  const std::string call = "Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&ClientToken=t1";
  const auto first = post(call);
  clock_.advance(std::chrono::hours(1));
  const auto second = post(call);

  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(between(first.body, "</requestId>", "</CreateVolumeResponse>"),
            between(second.body, "</requestId>", "</CreateVolumeResponse>"));
  EXPECT_EQ(count("volume:*"), 1);
  EXPECT_EQ(code(post("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=2&ClientToken=t1")),
            "IdempotentParameterMismatch");
  EXPECT_NE(between(post(call, "other").body, "<volumeId>", "<"), between(first.body, "<volumeId>", "<"));
}

TEST_F(DispatcherTest, ForgetsClientTokensAfterADay) {
  const std::string call = "Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&ClientToken=t1";
  post(call);
  clock_.advance(std::chrono::hours(24));
  EXPECT_EQ(post(call).status, 200);
  EXPECT_EQ(count("volume:*"), 2);
  clock_.advance(std::chrono::hours(25));
  EXPECT_EQ(*store_->write(
                [&](store::Transaction& tx) -> Result<std::int64_t> { return expire_client_tokens(tx, clock_.now()); }),
            1);
}

TEST_F(DispatcherTest, ParallelCallsWithOneTokenMakeOneVolume) {
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 16; ++i)
      callers.emplace_back([&] {
        good += post("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&ClientToken=same").status == 200 ? 1 : 0;
      });
  }
  EXPECT_EQ(good, 16);
  EXPECT_EQ(count("volume:*"), 1);
}

TEST_F(DispatcherTest, ResentCallGetsTheStoredAnswerForFiveMinutes) {
  auto request = form("Action=CreateVpc&CidrBlock=10.0.0.0/16");
  request.headers.add("amz-sdk-invocation-id", "0f3b");
  const auto first = dispatcher_->handle(request);
  EXPECT_EQ(dispatcher_->handle(request).body, first.body);
  EXPECT_EQ(count("vpc:*"), 1);

  clock_.advance(std::chrono::minutes(5));
  EXPECT_NE(dispatcher_->handle(request).body, first.body);
  EXPECT_EQ(count("vpc:*"), 2);
}

TEST_F(DispatcherTest, FailedCallMayBeSentAgain) {
  auto request = form("Action=CreateVpc&CidrBlock=10.0.0.0/40");
  request.headers.add("amz-sdk-invocation-id", "0f3b");
  EXPECT_EQ(dispatcher_->handle(request).status, 400);
  EXPECT_EQ(dispatcher_->handle(request).status, 400);
}

TEST_F(DispatcherTest, PagesWithoutLosingOrRepeatingAnything) {
  for (int i = 0; i < 12; ++i) post("Action=CreateVpc&CidrBlock=10." + std::to_string(i) + ".0.0/16");
  std::set<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    auto body = post("Action=DescribeVpcs&MaxResults=5" + (token.empty() ? "" : "&NextToken=" + token)).body;
    token = between(body, "<nextToken>", "</nextToken>");
    for (auto at = body.find("<vpcId>"); at != std::string::npos; at = body.find("<vpcId>", at + 1))
      EXPECT_TRUE(seen.insert(body.substr(at + 7, 21)).second);
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen.size(), 12u);
}

TEST_F(DispatcherTest, PageTokensSurviveARestartAndWorkForNobodyElse) {
  for (int i = 0; i < 6; ++i) post("Action=CreateVpc&CidrBlock=10." + std::to_string(i) + ".0.0/16");
  const auto token = between(post("Action=DescribeVpcs&MaxResults=5").body, "<nextToken>", "</nextToken>");
  ASSERT_FALSE(token.empty());

  dispatcher_ = make();
  EXPECT_EQ(post("Action=DescribeVpcs&MaxResults=5&NextToken=" + token).status, 200);
  EXPECT_EQ(code(post("Action=DescribeVpcs&MaxResults=5&NextToken=" + token, "other")), "InvalidNextToken");
  EXPECT_EQ(code(post("Action=DescribeVpcs&MaxResults=5&Filter.1.Name=cidr&Filter.1.Value.1=*&NextToken=" + token)),
            "InvalidNextToken");
  auto edited = token;
  edited[5] = edited[5] == 'A' ? 'B' : 'A';
  EXPECT_EQ(code(post("Action=DescribeVpcs&MaxResults=5&NextToken=" + edited)), "InvalidNextToken");
}

TEST_F(DispatcherTest, BoundsThePageSize) {
  EXPECT_EQ(code(post("Action=DescribeVpcs&MaxResults=4")), "InvalidParameterValue");
  EXPECT_EQ(code(post("Action=DescribeVpcs&MaxResults=1001")), "InvalidParameterValue");
  EXPECT_EQ(post("Action=DescribeVpcs&MaxResults=1000").status, 200);
}

TEST_F(DispatcherTest, AppliesFilters) {
  post("Action=CreateVpc&CidrBlock=10.1.0.0/16");
  post("Action=CreateVpc&CidrBlock=10.2.0.0/16");
  const auto one = post("Action=DescribeVpcs&Filter.1.Name=cidr&Filter.1.Value.1=10.2.*");
  EXPECT_EQ(one.body.find("10.1.0.0"), std::string::npos);
  EXPECT_NE(one.body.find("10.2.0.0"), std::string::npos);
  EXPECT_NE(post("Action=DescribeVpcs&Filter.1.Name=isDefault&Filter.1.Value.1=true").body.find("<vpcSet/>"),
            std::string::npos);
  const auto unknown = post("Action=DescribeVpcs&Filter.1.Name=colour&Filter.1.Value.1=blue");
  EXPECT_EQ(code(unknown), "InvalidParameterValue");
  EXPECT_NE(unknown.body.find("The filter &apos;colour&apos; is invalid"), std::string::npos) << unknown.body;
}

TEST_F(DispatcherTest, SpeaksJson) {
  const auto created = dispatcher_->handle(json("CreateVpc", R"({"CidrBlock": "10.0.0.0/16"})"));
  ASSERT_EQ(created.status, 200) << created.body;
  const auto listed = dispatcher_->handle(json("DescribeVpcs", ""));
  EXPECT_EQ(nlohmann::json::parse(listed.body)["Vpcs"][0]["CidrBlock"], "10.0.0.0/16");
  EXPECT_EQ(listed.content_type, "application/json");

  const auto unknown = dispatcher_->handle(json("DescribeVpcs", R"({"Colour": 1})"));
  EXPECT_EQ(unknown.status, 400);
  const auto problem = nlohmann::json::parse(unknown.body);
  EXPECT_EQ(problem["code"], "UnknownParameter");
  EXPECT_EQ(problem["request_id"], *unknown.headers.find("x-amzn-requestid"));
}

TEST_F(DispatcherTest, JsonDialectWantsJson) {
  auto request = json("DescribeVpcs", "{}");
  request.headers = form("").headers;
  EXPECT_EQ(dispatcher_->handle(request).status, 400);
}

TEST_F(DispatcherTest, TellsCallersWhoTheyAre) {
  const auto response = post("Action=GetCallerIdentity&Version=2011-06-15", "sts");
  ASSERT_EQ(response.status, 200);
  EXPECT_NE(response.body.find("<GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/sts</Arn>"
                               "<UserId>AIDAsts</UserId><Account>111111111111</Account></GetCallerIdentityResult>"),
            std::string::npos)
      << response.body;
  EXPECT_EQ(code(post("Action=GetCallerIdentity&Version=2011-06-15")), "InvalidAction");
}

TEST_F(DispatcherTest, OtherServicesAnswerInTheirOwnEnvelope) {
  for (const std::string who : {"sts", "iam"}) {
    const auto response = post("Action=DescribeVpcs&Version=2011-06-15", who);
    EXPECT_EQ(response.status, 400);
    EXPECT_NE(response.body.find("<ErrorResponse xmlns=\"https://" + who), std::string::npos);
    EXPECT_NE(response.body.find("<Type>Sender</Type><Code>InvalidAction</Code>"), std::string::npos);
  }
}

}  // namespace
}  // namespace virga::api
