#include "hostapi/client/client.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "api/http/server.h"
#include "hostapi/agent/server.h"
#include "tests/unit/hostapi/fixture.h"

namespace virga::hostapi {
namespace {

/// Client and host over a real unix socket.
class ClientTest : public AgentTest {
 protected:
  ClientTest()
      : client_(directory_.path() / "host.sock"),
        host_(std::make_unique<Server>(*agent_, ServerOptions{.control_uid = ::getuid(), .faults = faults_.get()})) {
    auto server = http::Server::create({.max_body_bytes = 64 << 20}, 4);
    EXPECT_TRUE(server);
    server_ = std::move(*server);
    EXPECT_TRUE(server_->listen_unix((directory_.path() / "host.sock").string(), 0600,
                                     [this](const HttpRequest& request) { return host_->handle(request); }));
    server_->start();
  }
  ~ClientTest() override {
    server_.reset();
    host_.reset();
  }

  Client client_;
  std::unique_ptr<Server> host_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(ClientTest, PutsDocumentsAndReadsTheStateBack) {
  ASSERT_TRUE(client_.put_vpc(wanted_vpc(1, {1})));
  ASSERT_TRUE(client_.put_volume(wanted_volume(1)));
  ASSERT_TRUE(client_.put_instance(wanted_instance(1)));
  settle();
  const auto state = client_.state();
  ASSERT_TRUE(state) << describe(state.error());
  ASSERT_EQ(state->instances.size(), 1U);
  EXPECT_EQ(state->instances[0].state, compute::GuestState::running);
  EXPECT_GE(client_.wait_for_change(0, seconds(1)).value(), state->sequence);
  EXPECT_TRUE(client_.console_output(id<InstanceId>(1)));
  EXPECT_TRUE(client_.confirm({state->boot_id, {id<InstanceId>(1)}, {id<VpcId>(1)}}));
  EXPECT_EQ(client_.confirm({"another run", {}, {}}).error().code, Code::incorrect_state);
  ASSERT_TRUE(client_.remove(DocumentKind::instance, id<InstanceId>(1).str()));
  ASSERT_TRUE(client_.simulate("kill", id<InstanceId>(1).str()));
  settle();
  EXPECT_TRUE(client_.state()->instances.empty());
}

TEST_F(ClientTest, PassesTheHostsErrorsOn) {
  const auto missing = client_.console_output(id<InstanceId>(5));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::invalid_instance_id_not_found);
  put_all(1);
  settle();
  const auto serial = client_.open_serial(id<InstanceId>(1));
  ASSERT_FALSE(serial);
  EXPECT_EQ(serial.error().code, Code::unsupported_operation);
  EXPECT_FALSE(client_.connect_vpc(id<VpcId>(1), "172.31.0.1 HTTP/1.1", 22));
}

TEST(ClientWithoutAHost, IsToldSo) {
  Client client("/nonexistent/host.sock");
  EXPECT_EQ(client.state().error().code, Code::unavailable);
  EXPECT_EQ(client.open_serial(id<InstanceId>(1)).error().code, Code::unavailable);
}

}  // namespace
}  // namespace virga::hostapi
