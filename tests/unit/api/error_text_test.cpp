// Threat B07: whatever goes wrong inside, the caller is told nothing about the machine.

#include "ec2/op/AttachInternetGateway.h"
#include "ec2/op/CreateVolume.h"
#include "ec2/op/DescribeVpcs.h"
#include "tests/unit/api/dispatcher_fixture.h"

namespace virga::api {
namespace {

Result<ec2::NoOutput> throws(Call&, const ec2::AttachInternetGatewayRequest&) {
  throw std::runtime_error("libvirt: cannot open /var/lib/virga/secret");
}

Result<ec2::Volume> breaks_the_schema(Call& call, const ec2::CreateVolumeRequest&) {
  call.scope().tx.execute("INSERT INTO setting (name, value) VALUES (?, ?)", nullptr, "secret");
  return ec2::Volume{};
}

Result<ec2::DescribeVpcsResult> fails_with_context(Call&, const ec2::DescribeVpcsRequest&) {
  return fail(within("read /var/lib/virga/secret", Error{Code::unavailable, "The host cannot be reached now.",
                                                         "SELECT secret FROM host; libvirt: secret"}));
}

class Threat_B07 : public DispatcherFixture {
 protected:
  std::vector<Action> rows() override {
    return {action("AttachInternetGateway", Access::write, &throws),
            action("CreateVolume", Access::write, &breaks_the_schema),
            action("DescribeVpcs", Access::read, &fails_with_context)};
  }
  static void expect_nothing_inside(const HttpResponse& response) {
    EXPECT_GE(response.status, 500);
    for (const std::string word :
         {"secret", "libvirt", "/var", "SELECT", "INSERT", "setting", "NOT NULL", "sqlite", "what()"})
      EXPECT_EQ(response.body.find(word), std::string::npos) << word << " in " << response.body;
  }
};

TEST_F(Threat_B07, AnExceptionIsHidden) {
  const auto response = post("Action=AttachInternetGateway&InternetGatewayId=igw-1&VpcId=vpc-1");
  expect_nothing_inside(response);
  EXPECT_EQ(code(response), "InternalError");
}

TEST_F(Threat_B07, TheDatabasesWordsAreHidden) {
  const auto response = post("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1");
  expect_nothing_inside(response);
  EXPECT_EQ(code(response), "InternalError");
}

TEST_F(Threat_B07, TheContextIsForTheLogOnly) {
  const auto response = post("Action=DescribeVpcs");
  expect_nothing_inside(response);
  EXPECT_NE(response.body.find("The host cannot be reached now."), std::string::npos);
}

TEST_F(Threat_B07, JsonHidesTheSame) {
  expect_nothing_inside(dispatcher_->handle(json("DescribeVpcs", "{}")));
  expect_nothing_inside(dispatcher_->handle(json("CreateVolume", R"({"AvailabilityZone":"us-east-1a","Size":1})")));
}

}  // namespace
}  // namespace virga::api
