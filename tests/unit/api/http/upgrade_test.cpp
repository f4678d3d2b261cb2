#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "api/http/server.h"
#include "tests/unit/api/http/raw_client.h"

namespace virga::http {
namespace {

using test::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view ask = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

struct Served {
  explicit Served(std::function<void(int)> run, Limits limits = {}) : server(Server::create(limits, 1).value()) {
    server->start();
    port = server
               ->listen_tcp("127.0.0.1", 0,
                            [run](const HttpRequest&) {
                              HttpResponse response;
                              response.status = 101;
                              response.headers.add("Connection", "Upgrade");
                              response.headers.add("Upgrade", "echo");
                              response.upgrade = run;
                              return response;
                            })
               .value();
  }
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;
};

void echo(int fd) {
  const UniqueFd owned(fd);
  char bytes[256];
  for (ssize_t got; (got = ::read(fd, bytes, sizeof(bytes))) > 0;)
    if (::write(fd, bytes, static_cast<std::size_t>(got)) != got) return;
}

TEST(HttpUpgrade, HandsTheBlockingDescriptorOver) {
  Served served(echo, Limits{.idle_timeout = std::chrono::milliseconds(10)});
  RawClient client(served.port);

  client.send(ask);

  const auto answer = client.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: Upgrade\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nUpgrade: echo\r\n"));
  client.send("hello");
  EXPECT_EQ(client.read_until("hello"), "hello");
  EXPECT_EQ(served.server->connections(), 0u);
  client.end_sending();
  EXPECT_TRUE(client.closed());
}

TEST(HttpUpgrade, BytesSentBeforeTheAnswerAreRefusedNotLost) {
  std::atomic<bool> called = false;
  Served served([&](int fd) {
    called = true;
    ::close(fd);
  });
  RawClient client(served.port);
  client.send(std::string(ask) + "early");
  client.end_sending();
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 400 "));
  EXPECT_FALSE(called);
}

TEST(HttpUpgrade, StopEndsUpgradedConnections) {
  Served served(echo);
  RawClient client(served.port);
  client.send(ask);
  client.read_answer();

  served.server->stop(std::chrono::hours(1));

  EXPECT_TRUE(client.closed());
}

TEST(HttpUpgrade, APeerThatLeftIsAnErrorNotASignal) {
  std::promise<bool> failed;
  Served served([&](int fd) {
    const UniqueFd owned(fd);
    const std::string block(65536, 'x');
    while (::write(fd, block.data(), block.size()) > 0) {
    }
    failed.set_value(errno == EPIPE || errno == ECONNRESET);
  });
  {
    RawClient client(served.port);
    client.send(ask);
    client.read_answer();
  }
  EXPECT_TRUE(failed.get_future().get());
}

TEST(HttpUpgrade, AnExceptionEndsOnlyThatConnection) {
  Served served([](int fd) {
    const UniqueFd owned(fd);
    throw std::runtime_error("gone");
  });
  for (int i = 0; i < 2; ++i) {
    RawClient client(served.port);
    client.send(ask);
    EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 101 "));
    EXPECT_TRUE(client.closed());
  }
}

TEST(HttpUpgrade, AStatusThatDoesNotFitTheUpgradeIsAServerError) {
  auto server = Server::create({}, 1).value();
  server->start();
  const auto port = server
                        ->listen_tcp("127.0.0.1", 0,
                                     [](const HttpRequest&) {
                                       HttpResponse response;
                                       response.status = 101;
                                       return response;
                                     })
                        .value();
  RawClient client(port);
  client.send(ask);
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 500 "));
}

}  // namespace
}  // namespace virga::http
