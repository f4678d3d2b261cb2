#include "api/http/connection.h"

#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

#include "api/http/framing.h"
#include "api/http/header_scan.h"

namespace virga::http {
namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
namespace {

using Protocol = asio::generic::stream_protocol;
using asio::awaitable;
constexpr auto token = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t max_header_lines = 100;
constexpr std::size_t read_size = 4096;
/// Room for a chunk's extension and trailers beside a header: they are parsed only as a whole.
constexpr std::size_t body_buffer = 16 << 10;
/// What is still read of a refused request, so that the answer is not lost to a reset: this much, this long.
constexpr std::size_t max_drained = 4 << 20;
constexpr std::chrono::seconds drain_timeout{2};

/// Steps of one request end in `go_on`, in `gone` (the connection is of no more use), or in a status to refuse with.
constexpr int go_on = 0;
constexpr int gone = -1;

HttpResponse empty_answer(int status) {
  HttpResponse response;
  response.status = status;
  return response;
}

class Connection final : public Crowd::Member {
 public:
  Connection(Edge& edge, Accepted accepted, int family)
      : edge_(edge),
        socket_(edge.io, Protocol(family, 0), accepted.fd.release()),
        peer_(std::move(accepted.peer)),
        handler_(std::move(accepted.handler)),
        buffer_(edge.limits.max_header_bytes + body_buffer),
        memory_(edge.memory) {
    edge_.census.enter();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override {
    edge_.crowd.leave(*this);
    edge_.census.leave();
  }

  awaitable<void> run();
  void drop() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  awaitable<bool> serve_one();
  awaitable<int> wait_for_request();
  awaitable<int> read_header();
  int judge_header();
  awaitable<int> read_body();
  awaitable<bool> handle();
  awaitable<HttpResponse> run_handler();
  HttpResponse call_handler();
  void limit_hops(int ip_ttl);
  awaitable<bool> answer(HttpResponse response, bool keep_alive);
  awaitable<void> refuse(int status);
  awaitable<void> upgrade(HttpResponse response);

  Crowd::Time in(std::chrono::milliseconds time) const { return std::chrono::steady_clock::now() + time; }
  std::string_view received() const { return {static_cast<const char*>(buffer_.cdata().data()), buffer_.size()}; }

  Edge& edge_;
  Protocol::socket socket_;
  HttpPeer peer_;
  std::shared_ptr<const HttpHandler> handler_;
  boost::beast::flat_buffer buffer_;  ///< received, not yet consumed
  std::optional<beast_http::request_parser<beast_http::string_body>> parser_;
  HttpRequest request_;
  MemoryBudget::Share memory_;  ///< for the request's body, then for its answer
  bool first_ = true;
};

awaitable<void> Connection::run() {
  // g++ 12 miscompiles co_await in a loop's condition when the body is empty.
  for (bool more = true; more;) more = co_await serve_one();
  drop();
}

/// False: the connection is over.
awaitable<bool> Connection::serve_one() {
  int outcome = co_await wait_for_request();
  if (outcome == go_on) outcome = co_await read_header();
  if (outcome == go_on) outcome = judge_header();
  if (outcome == go_on) outcome = co_await read_body();
  if (outcome == gone) co_return false;
  if (outcome != go_on) {
    co_await refuse(outcome);
    co_return false;
  }
  const bool more = co_await handle();
  // An idle connection keeps no memory of its last request.
  parser_.reset();
  request_ = HttpRequest();
  memory_.release();
  if (buffer_.size() == 0) buffer_.shrink_to_fit();
  co_return more;
}

awaitable<int> Connection::wait_for_request() {
  if (edge_.draining) co_return gone;
  if (buffer_.size() > 0) co_return go_on;  // pipelined
  const auto& limits = edge_.limits;
  edge_.crowd.set(*this, Crowd::State::idle, in(first_ ? limits.header_timeout : limits.idle_timeout));
  first_ = false;
  // No buffer is held for a connection that sends nothing.
  const auto [error] = co_await socket_.async_wait(Protocol::socket::wait_read, token);
  co_return error || edge_.draining ? gone : go_on;
}

awaitable<int> Connection::read_header() {
  const auto begin_receiving = [this] {
    edge_.crowd.set(*this, Crowd::State::receiving, in(edge_.limits.header_timeout));
  };
  bool receiving = buffer_.size() > 0;
  if (receiving) begin_receiving();
  HeaderScan scan(edge_.limits.max_header_bytes, max_header_lines);
  for (auto verdict = scan.scan(received()); verdict != HeaderScan::Verdict::complete;
       verdict = scan.scan(received())) {
    if (verdict == HeaderScan::Verdict::malformed) co_return 400;
    if (verdict == HeaderScan::Verdict::too_large) co_return 431;
    const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(read_size), token);
    if (error) co_return gone;
    buffer_.commit(bytes);
    // Only bytes end idleness: the wait before may have ended for nothing, since the reactor reuses a closed
    // connection's record for a new one together with an event not yet delivered.
    if (!receiving) begin_receiving();
    receiving = true;
  }
  parser_.emplace();
  parser_->eager(false);
  parser_->header_limit(static_cast<std::uint32_t>(edge_.limits.max_header_bytes));
  parser_->body_limit(edge_.limits.max_body_bytes);
  boost::system::error_code error;
  const auto used = parser_->put(asio::buffer(buffer_.cdata().data(), scan.size()), error);
  if (error == beast_http::error::body_limit) co_return 413;
  if (error || !parser_->is_header_done()) co_return 400;
  buffer_.consume(used);
  co_return go_on;
}

int Connection::judge_header() {
  // Taken before the body is read: fields of a chunked body's trailer are nobody's header.
  request_ = to_request(parser_->get(), peer_);
  return refuse_header(parser_->get());
}

awaitable<int> Connection::read_body() {
  if (parser_->is_done()) co_return go_on;
  edge_.crowd.set(*this, Crowd::State::receiving, in(edge_.limits.body_timeout));
  if (expects_continue(parser_->get()) && buffer_.size() == 0) {
    static constexpr std::string_view proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [error, bytes] = co_await asio::async_write(socket_, asio::buffer(proceed), token);
    if (error) co_return gone;
  }
  parser_->eager(true);
  while (!parser_->is_done()) {
    const auto [error, bytes] = co_await beast_http::async_read_some(socket_, buffer_, *parser_, token);
    if (error == beast_http::error::body_limit) co_return 413;
    if (error == beast_http::error::partial_message || error == beast_http::error::end_of_stream) co_return gone;
    if (error && error.category() == beast_http::make_error_code(beast_http::error::body_limit).category())
      co_return 400;
    if (error) co_return gone;
    // What has come is counted, not what is announced: who announces much and sends nothing keeps nobody out.
    if (!memory_.hold(parser_->get().body().size())) {
      parser_.reset();
      memory_.release();
      co_return 503;
    }
  }
  request_.body = std::move(parser_->get().body());
  co_return go_on;
}

/// False: the connection is over.
awaitable<bool> Connection::handle() {
  const bool keep_alive = parser_->get().keep_alive();
  edge_.crowd.set(*this, Crowd::State::busy, Crowd::Time::max());
  if (edge_.requests >= edge_.max_requests) co_return co_await answer(empty_answer(503), keep_alive);
  ++edge_.requests;
  auto response = co_await run_handler();
  --edge_.requests;
  edge_.crowd.set(*this, Crowd::State::busy, in(edge_.limits.body_timeout));
  if ((response.status == 101) != static_cast<bool>(response.upgrade)) {
    spdlog::error("{} {}: status {} does not fit its upgrade", request_.method, request_.path(), response.status);
    response = empty_answer(500);
  }
  if (response.status != 101) {
    // The peer may take its time to read: what waits for it counts too.
    request_.body = {};
    parser_.reset();
    if (!memory_.hold(response.body.size())) response = empty_answer(503);
    co_return co_await answer(std::move(response), keep_alive);
  }
  co_await upgrade(std::move(response));
  co_return false;
}

/// Runs the handler on the pool and resumes here, on the I/O thread.
awaitable<HttpResponse> Connection::run_handler() {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(HttpResponse)>(
      [this](auto completion) {
        asio::post(edge_.pool, [this, completion = std::move(completion)]() mutable {
          auto response = call_handler();
          asio::post(edge_.io, [completion = std::move(completion), response = std::move(response)]() mutable {
            std::move(completion)(std::move(response));
          });
        });
      },
      asio::use_awaitable);
}

HttpResponse Connection::call_handler() {
  if (edge_.abandoned) return empty_answer(503);
  try {
    return (*handler_)(request_);
  } catch (const std::exception& error) {
    spdlog::error("{} {:.256}: the handler threw: {}", request_.method, request_.path(), error.what());
  } catch (...) {
    spdlog::error("{} {:.256}: the handler threw something unknown", request_.method, request_.path());
  }
  HttpResponse response = empty_answer(500);
  response.content_type = "text/plain";
  response.body = "Internal error\n";
  return response;
}

void Connection::limit_hops(int ip_ttl) {
  if (ip_ttl <= 0) return;
  // Fails on unix sockets, which have no hops.
  ::setsockopt(socket_.native_handle(), IPPROTO_IP, IP_TTL, &ip_ttl, sizeof(ip_ttl));
}

awaitable<bool> Connection::answer(HttpResponse response, bool keep_alive) {
  keep_alive = keep_alive && !edge_.draining;
  const bool bodiless = request_.method == "HEAD" || response.status == 204 || response.status == 304;
  beast_http::response<beast_http::string_body> message;
  if (!to_header(response, message.base())) {
    spdlog::error("{} {:.256}: the handler's header fields cannot be sent", request_.method, request_.path());
    response = empty_answer(500);
    message.base() = {};
    to_header(response, message.base());
  }
  message.keep_alive(keep_alive);
  if (response.status != 204) message.content_length(response.body.size());
  limit_hops(response.ip_ttl);
  boost::system::error_code error;
  if (bodiless) {
    const beast_http::response<beast_http::empty_body> head(std::move(message.base()));
    std::tie(error, std::ignore) = co_await beast_http::async_write(socket_, head, token);
  } else {
    message.body() = std::move(response.body);
    std::tie(error, std::ignore) = co_await beast_http::async_write(socket_, message, token);
  }
  if (error) co_return false;
  if (!keep_alive) socket_.shutdown(Protocol::socket::shutdown_send, error);
  co_return keep_alive;
}

/// Answers a request that is not read to its end. Closing at once would reset the connection while the peer still
/// sends, and the answer would be lost; so the rest is read for a little while.
awaitable<void> Connection::refuse(int status) {
  edge_.crowd.set(*this, Crowd::State::receiving, in(drain_timeout));
  co_await answer(empty_answer(status), false);
  buffer_.clear();
  for (std::size_t drained = 0; drained < max_drained;) {
    const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(read_size), token);
    if (error) co_return;
    drained += bytes;
  }
}

awaitable<void> Connection::upgrade(HttpResponse response) {
  if (buffer_.size() > 0) {
    // Bytes of the new protocol must follow our answer (RFC 9110, 7.8). Those sent too early are in our buffer, where
    // the function given the descriptor would miss them.
    co_await refuse(400);
    co_return;
  }
  if (!edge_.upgrades.room()) {
    co_await answer(empty_answer(503), false);
    co_return;
  }
  beast_http::response<beast_http::empty_body> message;
  message.result(101);
  if (!to_header(response, message.base())) {
    co_await answer(empty_answer(500), false);
    co_return;
  }
  const auto [error, bytes] = co_await beast_http::async_write(socket_, message, token);
  if (error) co_return;
  boost::system::error_code release_error;
  UniqueFd fd(socket_.release(release_error));
  edge_.crowd.leave(*this);
  if (!release_error) edge_.upgrades.start(std::move(fd), std::move(response.upgrade));
}

awaitable<void> serve(std::unique_ptr<Connection> connection) { co_await connection->run(); }

}  // namespace

void serve_connection(Edge& edge, Accepted accepted) {
  const bool tcp = accepted.peer.uid < 0;
  // Users of a unix socket are told apart as TCP's addresses are.
  // Two listeners may be in two networks with equal addresses (the metadata service's): sources are told apart by both.
  const std::string source = std::to_string(accepted.listener) + ' ' +
                             (tcp ? accepted.peer.address : "uid " + std::to_string(accepted.peer.uid));
  const int family = !tcp ? AF_UNIX : AF_INET;
  const auto listener = accepted.listener;
  if (tcp) {
    const int on = 1;
    ::setsockopt(accepted.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  auto connection = std::make_unique<Connection>(edge, std::move(accepted), family);
  const auto deadline = std::chrono::steady_clock::now() + edge.limits.header_timeout;
  if (!edge.crowd.admit(*connection, source, listener, deadline)) return;
  asio::co_spawn(edge.io, serve(std::move(connection)), [](std::exception_ptr failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      spdlog::error("a connection ended with an exception: {}", error.what());
    }
  });
}

}  // namespace virga::http
