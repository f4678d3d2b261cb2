#include "hostapi/agent/server.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <fstream>
#include <thread>

#include "hostapi/agent/relay.h"
#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t control_uid = 990;

class ServerTest : public AgentTest {
 protected:
  ServerTest()
      : server_(std::make_unique<Server>(*agent_, ServerOptions{.control_uid = control_uid, .faults = faults_.get()})) {
  }
  ~ServerTest() override { server_.reset(); }

  HttpResponse ask(std::string method, std::string target, std::string body = {}, std::int64_t uid = control_uid) {
    HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    request.peer.address = "unix";
    request.peer.uid = uid;
    return server_->handle(request);
  }
  static std::string code(const HttpResponse& response) { return nlohmann::json::parse(response.body).at("code"); }

  std::unique_ptr<Server> server_;
};

std::string of(const char* collection, const std::string& object) {
  return std::string("/v1/") + collection + "/" + object;
}

TEST_F(ServerTest, Threat_H01_AnswersOnlyRootAndTheControlRole) {
  EXPECT_EQ(ask("GET", "/v1/state", {}, 0).status, 200);
  EXPECT_EQ(ask("GET", "/v1/state", {}, control_uid).status, 200);
  EXPECT_EQ(ask("GET", "/v1/state", {}, 1000).status, 403);
  EXPECT_EQ(ask("GET", "/v1/state", {}, -1).status, 403);
  Server nobodys(*agent_, {});
  HttpRequest request;
  request.method = "GET";
  request.target = "/v1/state";
  EXPECT_EQ(nobodys.handle(request).status, 403) << "without a control user, a peer without credentials is nobody";
}

TEST_F(ServerTest, Threat_H01_EveryCallAsksWhoIsThere) {
  const auto instance = of("instances", id<InstanceId>(1).str());
  const std::pair<const char*, std::string> calls[] = {{"GET", "/v1/state"},
                                                       {"GET", "/v1/events?after=0&wait_ms=0&boot_id=b"},
                                                       {"PUT", instance},
                                                       {"DELETE", instance},
                                                       {"GET", instance + "/console"},
                                                       {"PUT", of("volumes", id<VolumeId>(1).str())},
                                                       {"PUT", of("vpcs", id<VpcId>(1).str())},
                                                       {"POST", of("images", id<ImageId>(1).str())},
                                                       {"POST", "/v1/simulate"},
                                                       {"GET", "/nothing"}};
  for (const auto& [method, target] : calls) {
    for (const std::int64_t stranger : {std::int64_t{1000}, std::int64_t{-1}, control_uid + 1, std::int64_t{65534}})
      EXPECT_EQ(ask(method, target, "{}", stranger).status, 403) << method << " " << target << " as " << stranger;
  }
  EXPECT_TRUE(agent_->state().instances.empty());
}

TEST_F(ServerTest, Threat_H01_DoesNotSpeakThePublicApi) {
  for (const auto* method : {"GET", "POST"})
    for (const auto* target : {"/", "/?Action=RunInstances", "/api/v1/RunInstances", "/admin/v1/accounts"})
      EXPECT_EQ(ask(method, target, "Action=DescribeInstances&Version=2016-11-15").status, 404) << method << target;
}

TEST_F(ServerTest, TakesDocumentsAndShowsTheState) {
  EXPECT_EQ(ask("PUT", of("volumes", id<VolumeId>(1).str()), nlohmann::json(wanted_volume(1)).dump()).status, 204);
  EXPECT_EQ(ask("PUT", of("vpcs", id<VpcId>(1).str()), nlohmann::json(wanted_vpc(1, {1})).dump()).status, 204);
  EXPECT_EQ(ask("PUT", of("instances", id<InstanceId>(1).str()), nlohmann::json(wanted_instance(1)).dump()).status,
            204);
  settle();
  const auto state = nlohmann::json::parse(ask("GET", "/v1/state").body).get<HostState>();
  ASSERT_EQ(state.instances.size(), 1U);
  EXPECT_EQ(state.instances[0].state, compute::GuestState::running);
  EXPECT_EQ(state.name, "host-1");
  EXPECT_EQ(ask("DELETE", of("instances", id<InstanceId>(1).str())).status, 204);
  EXPECT_EQ(ask("DELETE", of("instances", id<InstanceId>(2).str())).status, 204) << "of one that is not there";
}

TEST_F(ServerTest, RefusesDocumentsThatAreNotExactlyRight) {
  const auto target = of("instances", id<InstanceId>(1).str());
  const auto with = [](const char* member, nlohmann::json value) {
    nlohmann::json json = wanted_instance(1);
    json[member] = std::move(value);
    return json.dump();
  };
  nlohmann::json missing = wanted_instance(1);
  missing.erase("vcpus");
  for (const auto& body :
       {std::string("{"), std::string("[]"), std::string("7"), missing.dump(), with("vcpus", "two"), with("vcpus", 1.5),
        with("generation", -1), with("power", "sideways"), with("id", "i-0"), with("account", "12"),
        with("surprise", 1), with("number", 4294967296), with("disks", {{{"volume", "vol-x"}}}),
        with("id", id<InstanceId>(2).str()), with("id", "")}) {
    const auto response = ask("PUT", target, body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_TRUE(nlohmann::json::parse(response.body).contains("message"));
  }
  EXPECT_EQ(ask("PUT", target, std::string(40, '[') + std::string(40, ']')).status, 400);
  EXPECT_TRUE(agent_->state().instances.empty());
}

TEST_F(ServerTest, RefusesDocumentsThatLackAMemberAtAnyDepth) {
  auto instance = wanted_instance(1);
  instance.metadata.nics.emplace_back();
  nlohmann::json nested = instance;
  nested["metadata"]["nics"][0].erase("public_ip");
  EXPECT_EQ(ask("PUT", of("instances", id<InstanceId>(1).str()), nested.dump()).status, 400);
  for (const auto* member : {"internet_gateway", "addresses"}) {
    nlohmann::json vpc = wanted_vpc(1, {1});
    vpc.erase(member);
    EXPECT_EQ(ask("PUT", of("vpcs", id<VpcId>(1).str()), vpc.dump()).status, 400) << member;
  }
  EXPECT_TRUE(agent_->state().vpcs.empty());
}

TEST_F(ServerTest, RefusesWhatIsNoCall) {
  for (const auto* target :
       {"/", "/v1", "/v2/state", "/v1/state/x", "/v1/instances", "/v1/subnets/x", "/v1/instances/a/b/c/d/e/f"}) {
    EXPECT_EQ(ask("GET", target).status, 404) << target;
  }
  EXPECT_EQ(ask("POST", "/v1/state").status, 404);
  EXPECT_EQ(ask("DELETE", "/v1/instances/i-nonsense").status, 400);
  EXPECT_EQ(ask("DELETE", "/v1/volumes/..%2f..%2fetc").status, 400);
  EXPECT_EQ(ask("PUT", of("images", id<ImageId>(1).str()), "{}").status, 404);
}

TEST_F(ServerTest, EventsAnswerAtOnceToWhoKnowsLess) {
  settle();
  const auto state = agent_->state();
  auto answer = nlohmann::json::parse(ask("GET", "/v1/events?after=0&wait_ms=30000&boot_id=" + state.boot_id).body);
  EXPECT_EQ(answer.at("sequence"), state.sequence);
  EXPECT_EQ(answer.at("boot_id"), state.boot_id);
  answer = nlohmann::json::parse(ask("GET", "/v1/events?after=999999&wait_ms=30000&boot_id=earlier").body);
  EXPECT_EQ(answer.at("sequence"), state.sequence);
  EXPECT_EQ(ask("GET", fmt::format("/v1/events?after={}&wait_ms=0&boot_id={}", state.sequence, state.boot_id)).status,
            200);
  EXPECT_EQ(ask("GET", "/v1/events?after=x&wait_ms=1&boot_id=b").status, 400);
  EXPECT_EQ(ask("GET", "/v1/events?after=1").status, 400);
}

TEST_F(ServerTest, ConsoleShowsTheGuestsLife) {
  put_all(1);
  EXPECT_EQ(ask("GET", of("instances", id<InstanceId>(1).str()) + "/console").body, "");
  settle();
  run_for(seconds(2));
  const auto response = ask("GET", of("instances", id<InstanceId>(1).str()) + "/console");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("tiny: ready"));
  EXPECT_EQ(ask("GET", of("instances", id<InstanceId>(9).str()) + "/console").status, 404);
}

TEST_F(ServerTest, OnlyWhoMayReadAsTheRoleDoesImportsByPath) {
  const auto file = directory_.path() / "image.raw";
  std::ofstream(file) << "bytes";
  const auto body = nlohmann::json{{"path", file.string()}}.dump();
  const auto target = of("images", id<ImageId>(1).str());
  EXPECT_EQ(ask("POST", target, body, control_uid).status, 403);
  EXPECT_EQ(ask("POST", target, body, 0).status, 202);
  settle();
  EXPECT_TRUE(agent_->state().images.at(0).ready);
  EXPECT_EQ(ask("POST", target, R"({"path":"relative"})", 0).status, 400);
  EXPECT_EQ(ask("POST", target, R"({"path":"/a","mode":1})", 0).status, 400);
  EXPECT_EQ(ask("DELETE", target).status, 204);
}

TEST_F(ServerTest, SimulatesFaultsOnlyOnASimulatedHost) {
  put_all(1);
  settle();
  const auto body = fmt::format(R"({{"fault":"kill","object":"{}"}})", id<InstanceId>(1).str());
  Server real(*agent_, {.control_uid = control_uid, .faults = nullptr});
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/simulate";
  request.body = body;
  request.peer.uid = 0;
  EXPECT_EQ(real.handle(request).status, 404);
  EXPECT_EQ(ask("POST", "/v1/simulate", body).status, 204);
  settle();
  EXPECT_EQ(seen(1).exit_reason, compute::ExitReason::process_killed);
  EXPECT_EQ(ask("POST", "/v1/simulate", R"({"fault":"melt"})").status, 400);
  EXPECT_EQ(ask("POST", "/v1/simulate", R"({"fault":"forget"})").status, 400);
  EXPECT_EQ(ask("POST", "/v1/simulate", R"({"fault":"hang","delay_ms":99999999})").status, 400);
}

TEST_F(ServerTest, StreamsNeedAnUpgrade) {
  put_all(1);
  settle();
  EXPECT_EQ(ask("GET", of("instances", id<InstanceId>(1).str()) + "/serial").status, 400);
  EXPECT_EQ(ask("GET", of("vpcs", id<VpcId>(1).str()) + "/connect?address=172.31.0.1&port=22").status, 400);
}

TEST(Relay, CarriesBothWaysAndPassesTheEndOn) {
  int left[2];
  int right[2];
  int stop[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, left), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, right), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, stop), 0);
  std::jthread carrier([&] { relay(left[1], right[0], stop[0]); });
  char buffer[8] = {};
  ASSERT_EQ(::send(left[0], "ping", 4, 0), 4);
  ASSERT_EQ(::recv(right[1], buffer, 4, MSG_WAITALL), 4);
  ASSERT_EQ(::send(right[1], "pong", 4, 0), 4);
  ASSERT_EQ(::recv(left[0], buffer, 4, MSG_WAITALL), 4);
  EXPECT_EQ(std::string(buffer, 4), "pong");
  ::shutdown(left[0], SHUT_WR);
  EXPECT_EQ(::recv(right[1], buffer, 1, 0), 0);
  ASSERT_EQ(::send(right[1], "late", 4, 0), 4);
  ASSERT_EQ(::recv(left[0], buffer, 4, MSG_WAITALL), 4) << "the other direction goes on";
  ASSERT_EQ(::send(stop[1], "x", 1, 0), 1);
  carrier.join();
  for (const int fd : {left[0], left[1], right[0], right[1], stop[0], stop[1]}) ::close(fd);
}

}  // namespace
}  // namespace virga::hostapi
