#include "compute/host/metadata_service.h"

#include "core/json_values.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace virga::compute {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

WantedInstance instance(char last_digit = '0', const std::string& address = "172.31.0.10") {
  WantedInstance wanted;
  wanted.id = InstanceId::trusted(std::string("i-0123456789abcdef") + last_digit);
  auto& m = wanted.metadata;
  m.ami_id = "ami-0123456789abcdef0";
  m.instance_type = "t3.micro";
  m.local_hostname = "ip-172-31-0-10.ec2.internal";
  m.availability_zone = "us-east-1a";
  m.region = "us-east-1";
  m.reservation_id = "r-0123456789abcdef0";
  m.account = "123456789012";
  m.architecture = "x86_64";
  m.pending_time = "2026-11-22T07:52:15Z";
  m.key_name = "my-key";
  m.public_key = "ssh-ed25519 AAAA my-key";
  m.block_devices = {{"ami", "/dev/sda1"}, {"root", "/dev/sda1"}};
  m.nics = {{.interface = NetworkInterfaceId::trusted(std::string("eni-0123456789abcdef") + last_digit),
             .device_index = 0,
             .mac = "02:00:00:00:00:01",
             .private_ip = address,
             .subnet = SubnetId::trusted("subnet-0123456789abcdef0"),
             .subnet_cidr = "172.31.0.0/20",
             .vpc = VpcId::trusted("vpc-0123456789abcdef0"),
             .vpc_cidr = "172.31.0.0/16",
             .security_groups = {"default", "web"},
             .security_group_ids = {"sg-0123456789abcdef0", "sg-0123456789abcdef1"},
             .public_ip = {},
             .public_hostname = {}}};
  return wanted;
}

class MetadataServiceTest : public testing::Test {
 protected:
  HttpResponse ask(const std::string& method, const std::string& target,
                   const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    return ask_as(wanted_, method, target, headers);
  }
  HttpResponse ask_as(const WantedInstance& who, const std::string& method, const std::string& target,
                      const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.peer.address = who.metadata.nics.at(0).private_ip;
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    return service_.respond(who, request);
  }
  HttpResponse get(const std::string& path) { return ask("GET", "/latest/" + path); }
  std::string body(const std::string& path) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 200) << path;
    return response.body;
  }
  HttpResponse ask_token(const std::string& lifetime) {
    return ask("PUT", "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", lifetime}});
  }
  std::string token(const std::string& lifetime = "60") { return ask_token(lifetime).body; }
  int status_with(const std::string& token) {
    return ask("GET", "/latest/meta-data/instance-id", {{"X-aws-ec2-metadata-token", token}}).status;
  }

  ManualClock clock_;
  MetadataService service_{MetadataTokens({1, 2, 3}), clock_};
  WantedInstance wanted_ = instance();
};

TEST_F(MetadataServiceTest, ServesTheTreeThatCloudInitReads) {
  EXPECT_EQ(body("meta-data/ami-id"), "ami-0123456789abcdef0");
  EXPECT_EQ(body("meta-data/ami-launch-index"), "0");
  EXPECT_EQ(body("meta-data/hostname"), "ip-172-31-0-10.ec2.internal");
  EXPECT_EQ(body("meta-data/instance-action"), "none");
  EXPECT_EQ(body("meta-data/instance-id"), "i-0123456789abcdef0");
  EXPECT_EQ(body("meta-data/instance-type"), "t3.micro");
  EXPECT_EQ(body("meta-data/local-hostname"), "ip-172-31-0-10.ec2.internal");
  EXPECT_EQ(body("meta-data/local-ipv4"), "172.31.0.10");
  EXPECT_EQ(body("meta-data/mac"), "02:00:00:00:00:01");
  EXPECT_EQ(body("meta-data/placement/availability-zone"), "us-east-1a");
  EXPECT_EQ(body("meta-data/placement/region"), "us-east-1");
  EXPECT_EQ(body("meta-data/profile"), "default-hvm");
  EXPECT_EQ(body("meta-data/public-keys/"), "0=my-key");
  EXPECT_EQ(body("meta-data/public-keys/0/openssh-key"), "ssh-ed25519 AAAA my-key");
  EXPECT_EQ(body("meta-data/reservation-id"), "r-0123456789abcdef0");
  EXPECT_EQ(body("meta-data/security-groups"), "default\nweb");
  EXPECT_EQ(body("meta-data/services/domain"), "amazonaws.com");
  EXPECT_EQ(body("meta-data/services/partition"), "aws");
  EXPECT_EQ(body("meta-data/block-device-mapping/"), "ami\nroot");
  EXPECT_EQ(body("meta-data/block-device-mapping/root"), "/dev/sda1");
}

TEST_F(MetadataServiceTest, DescribesEachInterface) {
  const std::string mac = "meta-data/network/interfaces/macs/02:00:00:00:00:01/";

  EXPECT_EQ(body("meta-data/network/interfaces/macs/"), "02:00:00:00:00:01/");
  EXPECT_EQ(body(mac),
            "device-number\ninterface-id\nlocal-hostname\nlocal-ipv4s\nmac\nowner-id\nsecurity-group-ids\n"
            "security-groups\nsubnet-id\nsubnet-ipv4-cidr-block\nvpc-id\nvpc-ipv4-cidr-block\nvpc-ipv4-cidr-blocks");
  EXPECT_EQ(body(mac + "interface-id"), "eni-0123456789abcdef0");
  EXPECT_EQ(body(mac + "owner-id"), "123456789012");
  EXPECT_EQ(body(mac + "subnet-ipv4-cidr-block"), "172.31.0.0/20");
  EXPECT_EQ(body(mac + "vpc-ipv4-cidr-blocks"), "172.31.0.0/16");
  EXPECT_EQ(body(mac + "security-group-ids"), "sg-0123456789abcdef0\nsg-0123456789abcdef1");
}

TEST_F(MetadataServiceTest, TellsOfAPublicAddressWhileThereIsOne) {
  const std::string nic = "meta-data/network/interfaces/macs/02:00:00:00:00:01/";
  for (const auto* path : {"meta-data/public-ipv4", "meta-data/public-hostname"}) EXPECT_EQ(get(path).status, 404);
  for (const auto* leaf : {"public-ipv4s", "public-hostname", "ipv4-associations/"})
    EXPECT_EQ(get(nic + leaf).status, 404) << leaf;

  wanted_.metadata.nics[0].public_ip = "203.0.113.7";
  EXPECT_EQ(body("meta-data/public-ipv4"), "203.0.113.7");
  EXPECT_EQ(body(nic + "public-ipv4s"), "203.0.113.7");
  EXPECT_EQ(body(nic + "ipv4-associations/"), "203.0.113.7");
  EXPECT_EQ(body(nic + "ipv4-associations/203.0.113.7"), "172.31.0.10");
  EXPECT_EQ(get("meta-data/public-hostname").status, 404) << "the VPC gives no public names";

  wanted_.metadata.nics[0].public_hostname = "ec2-203-0-113-7.compute-1.amazonaws.com";
  EXPECT_EQ(body("meta-data/public-hostname"), "ec2-203-0-113-7.compute-1.amazonaws.com");
  EXPECT_EQ(body(nic + "public-hostname"), "ec2-203-0-113-7.compute-1.amazonaws.com");
}

TEST_F(MetadataServiceTest, ListsDirectoriesAsEc2Does) {
  EXPECT_THAT(ask("GET", "/").body, StartsWith("1.0\n2007-01-19\n"));
  EXPECT_THAT(ask("GET", "/").body, HasSubstr("\n2009-04-04\n"));
  EXPECT_THAT(ask("GET", "/").body, HasSubstr("\n2021-03-23\nlatest"));
  EXPECT_EQ(ask("GET", "/latest").body, "dynamic\nmeta-data");
  EXPECT_EQ(ask("GET", "/latest/").body, "dynamic\nmeta-data");
  EXPECT_EQ(ask("GET", "/2021-03-23/meta-data/instance-id").body, "i-0123456789abcdef0");
  EXPECT_EQ(body("meta-data"), body("meta-data/"));
  EXPECT_THAT(body("meta-data/"), HasSubstr("\nnetwork/\n"));
  EXPECT_THAT(body("meta-data/"), HasSubstr("\nlocal-ipv4\nmac\n"));
  EXPECT_EQ(body("dynamic"), "instance-identity/");
  EXPECT_EQ(body("dynamic/instance-identity"), "document");
  EXPECT_EQ(get("meta-data/").content_type, "text/plain");
  EXPECT_EQ(*get("meta-data/").headers.find("Server"), "EC2ws");
}

TEST_F(MetadataServiceTest, SaysNotFoundForEverythingElse) {
  for (const char* target :
       {"/2020-01-01/meta-data/", "/latest/meta-data/nothing", "/latest/meta-data/instance-id/",
        "/latest/meta-data/instance-id/x", "/latest/meta-data//instance-id", "/latest/../latest/", "/latest/user-data",
        "/latest/meta-data/tags/", "/latest/meta-data/public-ipv4", "/latest/meta-data/public-keys/1/openssh-key",
        "/latest/meta-data/%zz", "latest/meta-data/", "*", "/latest/meta-data/network/interfaces/macs/02:00"}) {
    EXPECT_EQ(ask("GET", target).status, 404) << target;
  }
}

TEST_F(MetadataServiceTest, HasNoKeyDirectoryWithoutAKeyPair) {
  wanted_.metadata.public_key.clear();

  EXPECT_EQ(get("meta-data/public-keys/").status, 404);
  EXPECT_THAT(body("meta-data/"), Not(HasSubstr("public-keys")));
}

TEST_F(MetadataServiceTest, GivesUserDataAsItsBytes) {
  wanted_.metadata.has_user_data = true;
  wanted_.metadata.user_data = "IyEvYmluL3NoCgD/";  // "#!/bin/sh\n", NUL, 0xff

  const auto response = get("user-data");

  EXPECT_EQ(response.body, std::string("#!/bin/sh\n\0\xff", 12));
  EXPECT_EQ(response.content_type, "application/octet-stream");
  EXPECT_EQ(ask("GET", "/latest/").body, "dynamic\nmeta-data\nuser-data");
  wanted_.metadata.user_data = "YQ==";
  EXPECT_EQ(body("user-data"), "a");
  wanted_.metadata.user_data = "";
  EXPECT_EQ(body("user-data"), "");
}

TEST_F(MetadataServiceTest, GivesTheIdentityDocument) {
  const auto document = nlohmann::json::parse(body("dynamic/instance-identity/document"));

  EXPECT_EQ(document["accountId"], "123456789012");
  EXPECT_EQ(document["instanceId"], "i-0123456789abcdef0");
  EXPECT_EQ(document["imageId"], "ami-0123456789abcdef0");
  EXPECT_EQ(document["privateIp"], "172.31.0.10");
  EXPECT_EQ(document["pendingTime"], "2026-11-22T07:52:15Z");
  EXPECT_EQ(document["architecture"], "x86_64");
  EXPECT_TRUE(document["kernelId"].is_null());
}

TEST_F(MetadataServiceTest, ShowsTagsOnlyWhereEnabled) {
  wanted_.metadata.tags = {{"Name", "web 1"}, {"a b", "spaced"}, {"path/like", "x"}, {"two\nlines", "x"}};
  EXPECT_EQ(get("meta-data/tags/instance/Name").status, 404);

  wanted_.metadata.options.instance_metadata_tags = "enabled";

  EXPECT_EQ(body("meta-data/tags/instance/"), "Name\na b");
  EXPECT_EQ(body("meta-data/tags/instance/Name"), "web 1");
  EXPECT_EQ(body("meta-data/tags/instance/a%20b"), "spaced");
}

TEST_F(MetadataServiceTest, AKeyNameCannotForgeLinesOfAListing) {
  wanted_.metadata.key_name = "mine\n1=other";

  EXPECT_EQ(body("meta-data/public-keys/"), "0=mine_1=other");
}

TEST_F(MetadataServiceTest, HeadAndOtherMethods) {
  EXPECT_EQ(ask("HEAD", "/latest/meta-data/instance-id").status, 200);
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "BREW"}) {
    EXPECT_EQ(ask(method, "/latest/meta-data/").status, 405) << method;
  }
  EXPECT_EQ(*ask("POST", "/latest/").headers.find("Allow"), "GET, HEAD");
}

TEST_F(MetadataServiceTest, Threat_M01_NoHeaderSelectsAnInstance) {
  for (const char* header : {"X-Instance-ID", "X-Tenant-ID", "X-Forwarded-For", "X-Real-IP", "Forwarded", "Host",
                             "X-Instance-ID-Signature"}) {
    const auto response = ask("GET", "/latest/meta-data/instance-id", {{header, "i-0fffffffffffffff0"}});
    EXPECT_EQ(response.body, "i-0123456789abcdef0") << header;
  }
}

TEST_F(MetadataServiceTest, Threat_M01_EqualAddressesInTwoVpcsAreTwoInstances) {
  auto other = instance('1');
  other.metadata.nics[0].vpc = VpcId::trusted("vpc-0123456789abcdef1");
  const std::vector<WantedInstance> all = {wanted_, other};

  EXPECT_EQ(find_by_address(all, wanted_.metadata.nics[0].vpc, "172.31.0.10")->id, wanted_.id);
  EXPECT_EQ(find_by_address(all, other.metadata.nics[0].vpc, "172.31.0.10")->id, other.id);
  EXPECT_EQ(find_by_address(all, other.metadata.nics[0].vpc, "172.31.0.11"), nullptr);
  EXPECT_EQ(find_by_address(all, VpcId::trusted("vpc-0123456789abcdef2"), "172.31.0.10"), nullptr);
}

TEST_F(MetadataServiceTest, Threat_M01_AnAddressThatIsNotTheInstancesGetsNothing) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/latest/meta-data/instance-id";
  request.peer.address = "172.31.0.99";

  EXPECT_EQ(service_.respond(wanted_, request).status, 404);
}

TEST_F(MetadataServiceTest, Threat_M02_RequiredMeansNoAnswerWithoutAToken) {
  wanted_.metadata.options.http_tokens = "required";

  EXPECT_EQ(get("meta-data/instance-id").status, 401);
  EXPECT_EQ(ask("GET", "/").status, 401);
  EXPECT_EQ(get("user-data").status, 401);
  EXPECT_EQ(status_with("nonsense"), 401);
  EXPECT_EQ(status_with(token()), 200);
}

TEST_F(MetadataServiceTest, Threat_M02_TokensEndWithTheirTime) {
  const auto mine = token("60");
  clock_.advance(std::chrono::seconds(59));
  EXPECT_EQ(status_with(mine), 200);
  EXPECT_EQ(*ask("GET", "/", {{"X-aws-ec2-metadata-token", mine}}).headers.find("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"),
            "1");
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(status_with(mine), 401);
}

TEST_F(MetadataServiceTest, Threat_M02_LifetimesAreFrom1To21600Seconds) {
  for (const char* good : {"1", "60", "21600"}) {
    const auto response = ask_token(good);
    EXPECT_EQ(response.status, 200) << good;
    EXPECT_EQ(*response.headers.find("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"), good);
  }
  for (const char* bad : {"", "0", "21601", "-1", "+1", " 1", "1 ", "1.0", "0x10", "99999999999999999999", "abc"}) {
    EXPECT_EQ(ask_token(bad).status, 400) << bad;
  }
  EXPECT_EQ(ask("PUT", "/latest/api/token").status, 400);
}

TEST_F(MetadataServiceTest, Threat_M02_ForwardedTokenRequestsAreRefused) {
  const auto response =
      ask("PUT", "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}, {"x-forwarded-for", ""}});

  EXPECT_EQ(response.status, 403);
}

TEST_F(MetadataServiceTest, Threat_M02_TheTokenPathIsForPutAlone) {
  for (const char* method : {"GET", "HEAD", "POST", "DELETE"}) {
    const auto response = ask(method, "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}});
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_THAT(response.body, Not(HasSubstr("=="))) << method;
  }
}

TEST_F(MetadataServiceTest, Threat_M02_AnothersTokenIsOfNoUse) {
  const auto other = instance('1', "172.31.0.11");
  const auto stolen = ask_as(other, "PUT", "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}}).body;

  EXPECT_EQ(status_with(stolen), 401);
}

TEST_F(MetadataServiceTest, Threat_M02_AlteredTokensAreOfNoUse) {
  const auto good = token();
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto altered = good;
    altered[i] = altered[i] == '0' ? '1' : '0';
    EXPECT_EQ(status_with(altered), 401) << i;
    clock_.advance(std::chrono::milliseconds(20));  // stay within the allowed rate
  }
  EXPECT_EQ(status_with(good.substr(1)), 401);
  EXPECT_EQ(status_with(good + "0"), 401);
  EXPECT_EQ(status_with(""), 401);
}

TEST_F(MetadataServiceTest, Threat_M02_TokenAnswersHaveTheHopLimit) {
  EXPECT_EQ(ask_token("60").ip_ttl, 1);
  EXPECT_EQ(get("meta-data/").ip_ttl, 0);

  wanted_.metadata.options.http_put_response_hop_limit = 3;
  EXPECT_EQ(ask_token("60").ip_ttl, 3);
  wanted_.metadata.options.http_put_response_hop_limit = 0;
  EXPECT_EQ(hop_limit(wanted_), 1);
  wanted_.metadata.options.http_put_response_hop_limit = 1000;
  EXPECT_EQ(hop_limit(wanted_), 64);
}

TEST_F(MetadataServiceTest, ADisabledEndpointAnswersNothing) {
  const auto mine = token();
  wanted_.metadata.options.http_endpoint = "disabled";

  EXPECT_EQ(ask_token("60").status, 403);
  EXPECT_EQ(status_with(mine), 403);
  EXPECT_EQ(get("meta-data/").status, 403);
}

TEST_F(MetadataServiceTest, Threat_M04_AFloodGetsNoAnswersAndHarmsNobodyElse) {
  int answered = 0;
  for (int i = 0; i < 1000; ++i) answered += get("meta-data/").status == 200 ? 1 : 0;
  EXPECT_EQ(answered, MetadataLimits::requests_per_second);
  EXPECT_EQ(get("meta-data/").status, 503);

  EXPECT_EQ(ask_as(instance('1', "172.31.0.11"), "GET", "/").status, 200);
  clock_.advance(std::chrono::milliseconds(100));
  answered = 0;
  for (int i = 0; i < 100; ++i) answered += get("meta-data/").status == 200 ? 1 : 0;
  EXPECT_EQ(answered, 10);
}

TEST(MetadataTokensFile, KeepsItsKeyOverRestartsAndFromOthers) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "metadata.key";
  const TokenHolder holder{InstanceId::trusted("i-0123456789abcdef0"),
                           NetworkInterfaceId::trusted("eni-0123456789abcdef0")};
  const Time now{1'000'000};
  const auto token = MetadataTokens::create(path)->issue(holder, now, std::chrono::seconds(60));

  EXPECT_TRUE(MetadataTokens::create(path)->check(token, holder, now));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  std::ofstream(path, std::ios::trunc) << "short";
  EXPECT_FALSE(MetadataTokens::create(path)->check(token, holder, now)) << "a damaged key is replaced";
  EXPECT_FALSE(MetadataTokens::create(directory.path() / "absent" / "key"));
}

}  // namespace
}  // namespace virga::compute
