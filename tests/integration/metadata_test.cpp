// The metadata service behind the real HTTP server.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "api/http/server.h"
#include "compute/host/metadata_service.h"

namespace virga::compute {
namespace {

using namespace std::chrono_literals;

class MetadataOverHttp : public testing::Test {
 protected:
  void SetUp() override {
    wanted_.id = InstanceId::trusted("i-0123456789abcdef0");
    MetadataNic nic;
    nic.interface = NetworkInterfaceId::trusted("eni-0123456789abcdef0");
    nic.private_ip = "127.0.0.1";
    wanted_.metadata.nics = {nic};
    port_ = server_
                ->listen_tcp("127.0.0.1", 0,
                             [this](const HttpRequest& request) { return service_.respond(wanted_, request); })
                .value();
    server_->start();
  }
  UniqueFd connect() const {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return client;
  }
  static void send(const UniqueFd& client, const std::string& text) {
    ASSERT_EQ(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // What comes within that time; empty: nothing.
  static std::string receive(const UniqueFd& client, std::chrono::milliseconds deadline) {
    pollfd ready{client.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.count())) <= 0) return {};
    std::array<char, 4096> buffer{};
    const auto count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
  // Packets with a smaller TTL are dropped on arrival, as by a router on the way.
  static void drop_below(const UniqueFd& client, int ttl) {
    ASSERT_EQ(::setsockopt(client.get(), IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl)), 0);
  }

  SystemClock clock_;
  WantedInstance wanted_;
  MetadataService service_{MetadataTokens({1, 2, 3}), clock_};
  std::unique_ptr<http::Server> server_ = http::Server::create({}, 1).value();
  std::uint16_t port_ = 0;
};

constexpr const char* token_request =
    "PUT /latest/api/token HTTP/1.0\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n";

TEST_F(MetadataOverHttp, Threat_M02_ATokenDoesNotPassARouter) {
  const auto client = connect();
  drop_below(client, 2);

  send(client, token_request);

  EXPECT_EQ(receive(client, 500ms), "");
  drop_below(client, 1);
  EXPECT_NE(receive(client, 10s).find("200 OK"), std::string::npos) << "the retransmission reaches a neighbour";
}

TEST_F(MetadataOverHttp, DataAnswersPassRouters) {
  const auto client = connect();
  drop_below(client, 2);

  send(client, "GET /latest/meta-data/instance-id HTTP/1.0\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n");

  const auto answer = receive(client, 10s);
  EXPECT_NE(answer.find("\r\nServer: EC2ws\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("i-0123456789abcdef0"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
}

}  // namespace
}  // namespace virga::compute
