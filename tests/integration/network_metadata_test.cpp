// The metadata service's doors in real namespaces.

#include <sys/socket.h>

#include "compute/host/metadata_service.h"
#include "daemon/metadata_listeners.h"
#include "tests/integration/network_fixture.h"
#include "tests/support/temporary_directory.h"

namespace virga::test {
namespace {

using namespace std::chrono_literals;

class NetworkMetadata : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (!network_) return;
    server_->start();
    listeners_ = std::make_unique<daemon::MetadataListeners>(*network_, *server_, service_);
  }
  void TearDown() override {
    server_->stop();
    NetworkTest::TearDown();
  }
  /// The first line of the answer to a request made inside the VPC; empty: nobody answers.
  std::string ask(const network::WantedVpc& vpc) {
    auto socket = network_->connect(vpc, "169.254.169.254", 80, 2s);
    if (!socket) return {};
    constexpr std::string_view request = "GET /latest/ HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n";
    EXPECT_EQ(::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    pollfd ready{.fd = socket->get(), .events = POLLIN, .revents = 0};
    std::array<char, 256> answer{};
    if (::poll(&ready, 1, 5000) != 1 || ::recv(socket->get(), answer.data(), answer.size() - 1, 0) <= 0) return {};
    std::string_view text(answer.data());
    return std::string(text.substr(0, text.find('\r')));
  }
  SystemClock clock_;
  compute::MetadataService service_{compute::MetadataTokens({1, 2, 3}), clock_};
  std::unique_ptr<http::Server> server_ = http::Server::create({}, 1).value();
  std::unique_ptr<daemon::MetadataListeners> listeners_;
};

constexpr const char* somebody_answers = "HTTP/1.1 404 Not Found";

TEST_F(NetworkMetadata, IsReopenedInANamespaceThatWasMadeAnew) {
  auto vpc = make_vpc(16);
  apply(vpc);
  listeners_->open(vpc);
  ASSERT_EQ(ask(vpc), somebody_answers);
  listeners_->open(vpc);
  ASSERT_EQ(ask(vpc), somebody_answers);

  ASSERT_TRUE(network::remove_name_space(names_.name_space(vpc.number)));
  apply(vpc);
  EXPECT_EQ(ask(vpc), "") << "the old door leads elsewhere";
  listeners_->open(vpc);

  EXPECT_EQ(ask(vpc), somebody_answers);
  listeners_->close(vpc.id);
  EXPECT_EQ(ask(vpc), "");
}

TEST_F(NetworkMetadata, ComesBackWithTheNextApplicationWhenTheNamespaceWasNotThere) {
  auto vpc = make_vpc(16);
  listeners_->open(vpc);
  apply(vpc);

  listeners_->open(vpc);

  EXPECT_EQ(ask(vpc), somebody_answers);
}

}  // namespace
}  // namespace virga::test
