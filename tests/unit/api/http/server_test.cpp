#include "api/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <regex>
#include <thread>

#include "tests/unit/api/http/raw_client.h"

namespace virga::http {
namespace {

using test::RawClient;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

HttpResponse text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

HttpResponse echo(const HttpRequest& request) {
  return text(request.method + " " + request.target + " " + request.body);
}

std::unique_ptr<Server> make_server(const Limits& limits = {}, int threads = 2) {
  auto server = Server::create(limits, threads);
  (*server)->start();
  return std::move(*server);
}

std::uint16_t listen(Server& server, HttpHandler handler) {
  return server.listen_tcp("127.0.0.1", 0, std::move(handler)).value();
}

constexpr std::string_view get = "GET /x?y=1 HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(HttpServer, AnswersWithDateServerAndLength) {
  auto server = make_server();
  RawClient client(listen(*server, echo));

  client.send(get);

  const std::string answer = client.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nServer: virga\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nGET /x?y=1 "));
  EXPECT_TRUE(std::regex_search(
      answer,
      std::regex("\r\nDate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d\\d [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT\r\n")))
      << answer;
}

TEST(HttpServer, ServesSeveralRequestsOnOneConnection) {
  auto server = make_server();
  RawClient client(listen(*server, echo));
  for (int i = 0; i < 3; ++i) {
    client.send("POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    EXPECT_THAT(client.read_answer(), HasSubstr("POST /" + std::to_string(i) + " ab"));
  }
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  auto server = make_server();
  RawClient client(listen(*server, echo));
  client.send(
      "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 "
      "HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_answer(), HasSubstr("POST /1 ab"));
  EXPECT_THAT(client.read_answer(), HasSubstr("GET /2 "));
  EXPECT_THAT(client.read_answer(), HasSubstr("GET /3 "));
}

TEST(HttpServer, ClosesWhenAskedTo) {
  auto server = make_server();
  const auto port = listen(*server, echo);
  RawClient modern(port), old(port);
  modern.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(modern.read_all(), HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(old.read_all(), StartsWith("HTTP/1."));
}

TEST(HttpServer, AnswersHeadWithLengthAndWithoutBody) {
  auto server = make_server();
  RawClient client(listen(*server, echo));
  client.send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_answer(true), HasSubstr("\r\nContent-Length: 8\r\n"));
  client.send(get);
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, SendsContinueToWhoWaitsForIt) {
  auto server = make_server();
  RawClient client(listen(*server, echo));
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_THAT(client.read_answer(), HasSubstr("POST / abc"));
}

TEST(HttpServer, ReadsChunkedBodiesAndIgnoresTheirTrailers) {
  auto server = make_server();
  RawClient client(listen(*server, [](const HttpRequest& request) {
    return text(request.body + (request.headers.find("X-Late") != nullptr ? " trailer" : ""));
  }));
  client.send(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nX-Late: "
      "1\r\n\r\n");
  EXPECT_THAT(client.read_answer(), testing::EndsWith("\r\n\r\nabc"));
}

TEST(HttpServer, AHandlersExceptionIsAnsweredWithAFixedText) {
  auto server = make_server();
  RawClient client(listen(*server, [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("secret"); }));
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("secret")));
  client.send(get);
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 500 ")) << "the connection and the thread live on";
}

TEST(HttpServer, AHandlersHeaderCannotSplitTheAnswer) {
  auto server = make_server();
  RawClient client(listen(*server, [](const HttpRequest&) {
    HttpResponse response = text("x");
    response.headers.add("Location", "/a\r\nSet-Cookie: b");
    return response;
  }));
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("Set-Cookie")));
}

TEST(HttpServer, TellsTheHandlerWhoCalls) {
  test::TemporaryFolder folder;
  auto server = make_server();
  const auto who = [](const HttpRequest& request) {
    return text(request.peer.address + " " + std::to_string(request.peer.uid) + " " + std::to_string(request.peer.pid));
  };
  RawClient tcp(listen(*server, who), "127.0.0.7");
  tcp.send(get);
  EXPECT_THAT(tcp.read_answer(), testing::EndsWith("127.0.0.7 -1 -1"));

  ASSERT_TRUE(server->listen_unix(folder / "s", 0660, who));
  RawClient local(folder / "s");
  local.send(get);
  EXPECT_THAT(local.read_answer(),
              testing::EndsWith("unix " + std::to_string(::getuid()) + " " + std::to_string(::getpid())));
}

TEST(HttpServer, TheUnixSocketHasItsModeAndGoesWithTheServer) {
  test::TemporaryFolder folder;
  struct stat status {};
  {
    auto server = make_server();
    ASSERT_TRUE(server->listen_unix(folder / "s", 0620, echo));
    ASSERT_EQ(::stat((folder / "s").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0620u);
  }
  EXPECT_NE(::stat((folder / "s").c_str(), &status), 0);
}

TEST(HttpServer, ReplacesAStaleUnixSocketButNotALiveOneOrAFile) {
  test::TemporaryFolder folder;
  const std::string path = folder / "s";
  {
    UniqueFd left_behind(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(left_behind.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  auto server = make_server();
  ASSERT_TRUE(server->listen_unix(path, 0600, echo));
  EXPECT_EQ(server->listen_unix(path, 0600, echo).error().code, Code::unavailable);
  RawClient client(path);
  client.send(get);
  EXPECT_THAT(client.read_answer(), HasSubstr("200 OK"));

  std::filesystem::create_directory(folder / "d");
  EXPECT_FALSE(server->listen_unix(folder / "d", 0600, echo));
  EXPECT_TRUE(std::filesystem::exists(folder / "d"));
}

TEST(HttpServer, ServesAnAdoptedSocket) {
  UniqueFd listening(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  auto server = make_server();
  EXPECT_FALSE(server->adopt(UniqueFd(::socket(AF_INET, SOCK_STREAM, 0)), echo)) << "it does not listen";
  ASSERT_EQ(::listen(listening.get(), 8), 0);
  ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);

  ASSERT_TRUE(server->adopt(std::move(listening), echo));

  RawClient client(ntohs(address.sin_port));
  client.send(get);
  EXPECT_THAT(client.read_answer(), HasSubstr("200 OK"));
}

TEST(HttpServer, ClosingAListenerEndsItsConnectionsOnly) {
  test::TemporaryFolder folder;
  auto server = make_server();
  RawClient stays(listen(*server, echo));
  const auto id = server->listen_unix(folder / "s", 0600, echo).value();
  RawClient goes(folder / "s");
  goes.send(get);
  goes.read_answer();

  server->close(id);

  EXPECT_TRUE(goes.closed());
  EXPECT_FALSE(RawClient(folder / "s").connected());
  stays.send(get);
  EXPECT_THAT(stays.read_answer(), HasSubstr("200 OK"));
}

TEST(HttpServer, RefusesBadAddressesAndPortsInUse) {
  auto server = make_server();
  const auto port = listen(*server, echo);
  EXPECT_EQ(server->listen_tcp("127.0.0.1", port, echo).error().code, Code::unavailable);
  EXPECT_EQ(server->listen_tcp("localhost", 0, echo).error().code, Code::invalid_parameter_value);
  EXPECT_FALSE(Server::create({}, 0));
}

TEST(HttpServer, StopLetsARunningRequestFinish) {
  auto server = make_server();
  std::promise<void> begun, proceed;
  const auto port = listen(*server, [&](const HttpRequest&) {
    begun.set_value();
    proceed.get_future().wait();
    return text("done");
  });
  RawClient client(port);
  client.send(get);
  begun.get_future().wait();

  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::seconds(30)); });
  while (RawClient(port).connected()) std::this_thread::yield();
  proceed.set_value();

  stopped.wait();
  const auto answer = client.read_all();
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("done"));
  EXPECT_EQ(server->connections(), 0u);
}

TEST(HttpServer, StopDoesNotWaitForIdleOrHalfRequests) {
  auto server = make_server();
  const auto port = listen(*server, echo);
  RawClient idle(port), half(port), used(port);
  half.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
  used.send(get);
  used.read_answer();

  server->stop(std::chrono::hours(1));

  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(half.closed());
  EXPECT_TRUE(used.closed());
  EXPECT_FALSE(RawClient(port).connected());
}

TEST(HttpServer, AfterTheGraceWaitingRequestsAreNotBegun) {
  auto server = make_server({}, 1);
  std::promise<void> begun, proceed;
  std::atomic<int> calls = 0;
  const auto port = listen(*server, [&](const HttpRequest&) {
    if (++calls == 1) {
      begun.set_value();
      proceed.get_future().wait();
    }
    return text("done");
  });
  RawClient running(port), waiting(port);
  running.send(get);
  begun.get_future().wait();
  waiting.send(get);

  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::milliseconds(0)); });
  EXPECT_TRUE(running.closed()) << "cut when the grace is over";
  proceed.set_value();
  stopped.wait();

  EXPECT_EQ(calls, 1);
}

TEST(HttpServer, StopsWithoutHavingStartedAndTwice) {
  auto server = Server::create({}, 1).value();
  const auto port = listen(*server, echo);
  server->stop();
  server->stop();
  EXPECT_FALSE(RawClient(port).connected());
}

}  // namespace
}  // namespace virga::http
