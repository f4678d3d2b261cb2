#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <latch>
#include <list>
#include <thread>
#include <vector>

#include "api/http/server.h"
#include "tests/unit/api/http/raw_client.h"

namespace virga::http {
namespace {

using test::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

HttpResponse length_of_body(const HttpRequest& request) {
  HttpResponse response;
  response.body = std::to_string(request.body.size());
  return response;
}

struct Served {
  explicit Served(const Limits& limits, HttpHandler handler = length_of_body, int threads = 2)
      : server(Server::create(limits, threads).value()) {
    server->start();
    port = server->listen_tcp("127.0.0.1", 0, std::move(handler)).value();
  }
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// The answer to these bytes, when the server closes after it.
std::string refusal(std::uint16_t port, std::string_view bytes) {
  RawClient client(port);
  client.send(bytes);
  client.end_sending();
  return client.read_all();
}

void expect_empty_refusal(const std::string& answer, int status) {
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(status) + " "));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 0\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

std::string header_of(std::size_t bytes) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
}

TEST(Threat_C05, HeaderBytesAreLimitedExactly) {
  Served served(Limits{.max_header_bytes = 1024});
  for (const std::size_t bytes : {1023u, 1024u}) {
    RawClient client(served.port);
    client.send(header_of(bytes));
    EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200")) << bytes;
  }
  expect_empty_refusal(refusal(served.port, header_of(1025)), 431);
}

TEST(Threat_C05, HeaderLinesAreLimitedExactly) {
  Served served(Limits{});
  std::string lines = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 99; ++i) lines += "X: y\r\n";
  RawClient client(served.port);
  client.send(lines + "\r\n");
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200"));
  expect_empty_refusal(refusal(served.port, lines + "X: y\r\n\r\n"), 431);
}

TEST(Threat_C05, BodyBytesAreLimitedExactly) {
  Served served(Limits{.max_body_bytes = 5000});
  for (const std::size_t bytes : {4999u, 5000u}) {
    RawClient client(served.port);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
                std::string(bytes, 'b'));
    EXPECT_THAT(client.read_answer(), testing::EndsWith("\r\n\r\n" + std::to_string(bytes)));
  }
  expect_empty_refusal(
      refusal(served.port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5001\r\n\r\n" + std::string(5001, 'b')), 413);
  expect_empty_refusal(
      refusal(served.port, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5001\r\n\r\n"), 413);
}

std::string chunked(std::size_t chunks) {
  std::string request = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < chunks; ++i) request += "1\r\nx\r\n";
  return request + "0\r\n\r\n";
}

TEST(Threat_C05, OneByteChunksCountAgainstTheBodyLimit) {
  Served served(Limits{.max_body_bytes = 5000});
  RawClient client(served.port);
  client.send(chunked(5000));
  EXPECT_THAT(client.read_answer(), testing::EndsWith("5000"));
  expect_empty_refusal(refusal(served.port, chunked(5001)), 413);
}

TEST(Threat_C05, AmbiguousFramingIsRefusedAndTheConnectionClosed) {
  Served served(Limits{});
  for (const std::string_view bad : {
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
           "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
           "GET / HTTP/1.1\nHost: h\n\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
           "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
           "nonsense\r\n\r\n",
       }) {
    SCOPED_TRACE(bad);
    expect_empty_refusal(refusal(served.port, bad), 400);
  }
}

TEST(Threat_C05, CompressedBodiesAreRefused) {
  Served served(Limits{});
  expect_empty_refusal(
      refusal(served.port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
      415);
  expect_empty_refusal(refusal(served.port, "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n"), 417);
}

TEST(Threat_C05, AnEndlessChunkExtensionIsCutOff) {
  Served served(Limits{});
  RawClient client(served.port);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;");
  client.send(std::string(200'000, 'x'));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 400"));
}

TEST(Threat_C04, SlowSendersAndIdleConnectionsAreClosed) {
  const std::chrono::milliseconds brief(20);
  Served served(Limits{.header_timeout = brief, .body_timeout = brief, .idle_timeout = brief});
  RawClient silent(served.port), slow_header(served.port), slow_body(served.port), kept(served.port);
  slow_header.send("GET / HTTP/1.1\r\nHos");
  slow_body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  kept.send(get);
  EXPECT_THAT(kept.read_answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(slow_header.closed());
  EXPECT_TRUE(slow_body.closed());
  EXPECT_TRUE(kept.closed());
}

TEST(HttpLimits, HalfARequestThenTheEndIsForgotten) {
  Served served(Limits{});
  EXPECT_EQ(refusal(served.port, "GET / HT"), "");
  EXPECT_EQ(refusal(served.port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"), "");
  EXPECT_EQ(refusal(served.port, ""), "");
}

TEST(Threat_C04, IdleConnectionsNeverLockOutANewOne) {
  Served served(Limits{.max_connections = 8});
  std::list<RawClient> idle;
  for (int i = 0; i < 200; ++i) {
    idle.emplace_back(served.port);
    if (idle.size() > 20) idle.pop_front();
  }
  RawClient client(served.port);
  client.send(get);
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_LE(served.server->connections(), 8u);
  EXPECT_TRUE(idle.front().closed());
}

TEST(Threat_C04, OneSourceCannotPushOutAnother) {
  Served served(Limits{.max_connections = 100, .max_connections_per_source = 3});
  RawClient other(served.port, "127.0.0.9");
  other.send(get);
  EXPECT_THAT(other.read_answer(), StartsWith("HTTP/1.1 200"));
  std::list<RawClient> greedy;
  for (int i = 0; i < 10; ++i) greedy.emplace_back(served.port);
  greedy.back().send(get);
  EXPECT_THAT(greedy.back().read_answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(greedy.front().closed());
  EXPECT_LE(served.server->connections(), 4u);
  EXPECT_TRUE(other.quiet());
}

TEST(Threat_C04, EqualAddressesBehindTwoListenersAreTwoSources) {
  Served served(Limits{.max_connections_per_source = 2});
  const auto second = served.server->listen_tcp("127.0.0.1", 0, length_of_body).value();
  std::list<RawClient> here;
  std::list<RawClient> there;
  for (int i = 0; i < 2; ++i) {  // two networks may have the same address, as guests of two VPCs do
    for (auto [clients, port] : {std::pair(&here, served.port), std::pair(&there, second)}) {
      clients->emplace_back(port).send(get);
      EXPECT_THAT(clients->back().read_answer(), StartsWith("HTTP/1.1 200"));
    }
  }
  EXPECT_EQ(served.server->connections(), 4u);
  for (auto* clients : {&here, &there})
    for (auto& client : *clients) EXPECT_TRUE(client.quiet());
}

std::string body_of(std::size_t announced, std::size_t sent) {
  return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(announced) + "\r\n\r\n" +
         std::string(sent, 'x');
}

TEST(Threat_C04, BodiesOfAllConnectionsTogetherAreLimitedAndSmallOnesStillServed) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::latch both_held(2);
  const auto hold_large = [&](const HttpRequest& request) {
    if (request.body.size() >= 100'000) {
      both_held.count_down();
      released.wait_for(std::chrono::milliseconds(test::patience_ms));
    }
    return length_of_body(request);
  };
  Served served(Limits{.max_held_bytes = 200'000}, hold_large, 3);
  RawClient first(served.port);
  RawClient second(served.port);
  first.send(body_of(100'000, 100'000));
  second.send(body_of(100'000, 100'000));
  both_held.wait();

  expect_empty_refusal(refusal(served.port, body_of(100'000, 100'000)), 503);
  RawClient small(served.port);
  small.send(body_of(10'000, 10'000));
  EXPECT_THAT(small.read_answer(), testing::EndsWith("10000"));

  release.set_value();
  EXPECT_THAT(first.read_answer(), testing::EndsWith("100000"));
  EXPECT_THAT(second.read_answer(), testing::EndsWith("100000"));
  small.send(body_of(99'999, 99'999));
  EXPECT_THAT(small.read_answer(), testing::EndsWith("99999")) << "what was held is given back";
}

TEST(Threat_C04, AnnouncedBodiesThatDoNotComeKeepNobodyOut) {
  Served served(Limits{.max_held_bytes = 100'000});
  std::list<RawClient> silent;
  for (int i = 0; i < 20; ++i) silent.emplace_back(served.port).send(body_of(100'000, 10));
  RawClient client(served.port);
  client.send(body_of(80'000, 80'000));
  EXPECT_THAT(client.read_answer(), testing::EndsWith("80000"));
}

TEST(Threat_C04, AnswersNobodyReadsAreLimitedTogether) {
  std::atomic<int> asked = 0;
  Served served(Limits{.max_held_bytes = 20 << 20}, [&](const HttpRequest&) {
    ++asked;
    HttpResponse response;
    response.body = std::string(8 << 20, 'x');
    return response;
  });
  std::list<RawClient> deaf;
  for (int i = 0; i < 2; ++i) {  // more than the sockets' buffers take
    deaf.emplace_back(served.port).send(get);
    EXPECT_THAT(deaf.back().read_until("\r\n"), StartsWith("HTTP/1.1 200"));
  }
  RawClient third(served.port);
  third.send(get);
  EXPECT_THAT(third.read_answer(), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(asked, 3);
  for (auto& one : deaf) one.read_answer();
  RawClient afterwards(served.port);
  afterwards.send(get);
  EXPECT_THAT(afterwards.read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST(HttpLimits, RequestsBeyondTheQueueAreTurnedAwayAtOnce) {
  std::promise<void> begun, proceed;
  auto release = proceed.get_future().share();
  std::atomic<int> calls = 0;
  Served served(
      Limits{.max_waiting_requests = 1},
      [&](const HttpRequest& request) {
        if (++calls == 1) begun.set_value();
        release.wait();
        return length_of_body(request);
      },
      1);
  RawClient running(served.port), one(served.port), two(served.port);
  running.send(get);
  begun.get_future().wait();
  one.send(get);
  two.send(get);

  // Either of the two may have come first; the other is answered while the only thread is still busy.
  while (one.quiet() && two.quiet()) std::this_thread::yield();
  RawClient& refused = one.quiet() ? two : one;
  RawClient& waiting = one.quiet() ? one : two;
  EXPECT_THAT(refused.read_answer(), StartsWith("HTTP/1.1 503 "));

  proceed.set_value();
  EXPECT_THAT(running.read_answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(waiting.read_answer(), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpLimits, RunningOutOfDescriptorsMakesRoomInsteadOfLockingOut) {
  Served served(Limits{});
  // Both ends are in this process: ours have their descriptors before the table gets tight.
  std::vector<RawClient> clients(12);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(UniqueFd(::dup(0)).get()) + 4;
  ::setrlimit(RLIMIT_NOFILE, &tight);

  for (auto& client : clients) client.connect(served.port);
  clients.back().send(get);
  const auto answer = clients.back().read_answer();
  ::setrlimit(RLIMIT_NOFILE, &before);

  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace virga::http
