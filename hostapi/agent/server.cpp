#include "hostapi/agent/server.h"

#include "core/json_values.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "hostapi/agent/relay.h"
#include "hostapi/wire.h"

namespace virga::hostapi {
namespace {

int status_of(Code code, std::string_view name) {
  if (code == Code::internal) return 500;
  if (code == Code::access_denied) return 403;
  if (code == Code::unavailable || code == Code::request_limit_exceeded) return 503;
  if (code == Code::incorrect_state) return 409;
  if (code == Code::invalid_action) return 404;
  return name.ends_with("not_found") ? 404 : 400;
}

HttpResponse error_response(const Error& error) {
  const auto name = code_name(error.code);
  HttpResponse response;
  response.status = status_of(error.code, name);
  response.body = nlohmann::json{{"code", name}, {"message", error.message}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

HttpResponse json_response(int status, const nlohmann::json& body) {
  HttpResponse response;
  response.status = status;
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

HttpResponse empty_response(int status) {
  HttpResponse response;
  response.status = status;
  return response;
}

tl::unexpected<Error> no_such_route() { return fail(Code::invalid_action, "The host API has no such call."); }

/// Plain values only: nothing of the host API's needs an escape.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const auto mark = pair.find('=');
    if (mark != std::string_view::npos && pair.substr(0, mark) == name) return pair.substr(mark + 1);
  }
  return std::nullopt;
}

template <class T>
Result<T> number(std::string_view query, std::string_view name) {
  const auto text = query_value(query, name);
  T value{};
  if (!text) return fail(Code::missing_parameter, fmt::format("The parameter {} is missing.", name));
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) {
    return fail(Code::invalid_parameter_value, fmt::format("The parameter {} is not a number in range.", name));
  }
  return value;
}

Result<void> require_upgrade(const HttpRequest& request) {
  if (request.headers.find("Upgrade") == nullptr)
    return fail(Code::invalid_parameter, "This call needs an Upgrade to a stream.");
  return {};
}

Result<UniqueFd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(internal_error(path + ": too long for a socket"));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(Code::unavailable, "The guest's console cannot be reached.", path + ": " + std::strerror(errno));
  }
  return fd;
}

std::optional<DocumentKind> kind_of(std::string_view collection) {
  if (collection == "vpcs") return DocumentKind::vpc;
  if (collection == "volumes") return DocumentKind::volume;
  if (collection == "instances") return DocumentKind::instance;
  if (collection == "snapshots") return DocumentKind::snapshot;
  if (collection == "images") return DocumentKind::image;
  return std::nullopt;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (path.starts_with('/') && parts.size() <= 5) {
    path.remove_prefix(1);
    parts.push_back(path.substr(0, path.find('/')));
    path.remove_prefix(parts.back().size());
  }
  return parts;
}

}  // namespace

Server::Server(Agent& agent, ServerOptions options)
    : agent_(agent), options_(options), stop_(std::make_shared<UniqueFd>(::eventfd(0, EFD_CLOEXEC))) {}

Server::~Server() { close(); }

void Server::close() {
  const std::uint64_t one = 1;
  // It stays readable for every stream; a write that fails leaves a stream to its peers, which end it.
  static_cast<void>(!::write(stop_->get(), &one, sizeof one));
}

bool Server::Route::is(std::string_view method, std::string_view collection, std::size_t size) const {
  return request.method == method && parts.size() == size && parts[1] == collection;
}

HttpResponse Server::handle(const HttpRequest& request) {
  if (request.peer.uid != 0 && (request.peer.uid < 0 || request.peer.uid != options_.control_uid)) {
    return error_response({Code::access_denied, "The host API is for root and the control role.", {}});
  }
  auto response = dispatch({request, split(request.path())});
  return response ? std::move(*response) : error_response(response.error());
}

Result<HttpResponse> Server::dispatch(const Route& route) {
  const auto& request = route.request;
  if (route.parts.size() < 2 || route.parts[0] != "v1") return no_such_route();
  if (route.is("GET", "state", 2)) return json_response(200, agent_.state());
  if (route.is("GET", "events", 2)) return events(request);
  if (route.is("PUT", "inventory", 2)) return confirm(request);
  if (route.is("POST", "simulate", 2)) return simulate(request);
  if (route.is("POST", "images", 3)) return import_image(request, route.parts[2]);
  if (route.is("GET", "instances", 4) && route.parts[3] == "console") return console(route.parts[2]);
  if (route.is("GET", "instances", 4) && route.parts[3] == "serial") return serial(request, route.parts[2]);
  if (route.is("GET", "vpcs", 4) && route.parts[3] == "connect") return connect(request, route.parts[2]);
  return documents(route);
}

Result<HttpResponse> Server::documents(const Route& route) {
  const auto kind = kind_of(route.parts[1]);
  if (!kind || route.parts.size() != 3) return no_such_route();
  if (route.request.method == "PUT" && *kind != DocumentKind::image)
    return put(*kind, route.parts[2], route.request.body);
  if (route.request.method != "DELETE") return no_such_route();
  TRY_VOID(agent_.remove(*kind, std::string(route.parts[2])));
  return empty_response(204);
}

Result<HttpResponse> Server::put(DocumentKind kind, std::string_view id, const std::string& body) {
  const auto json = TRY(parse_json(body));
  const auto take = [&](const auto& document) -> Result<HttpResponse> {
    if (document.id.str() != id || document.id.empty()) {
      return fail(Code::invalid_parameter_value, "The document is of another object than its address.");
    }
    TRY_VOID(agent_.put(document));
    return empty_response(204);
  };
  switch (kind) {
    case DocumentKind::vpc:
      return take(TRY(decode<network::WantedVpc>(json)));
    case DocumentKind::volume:
      return take(TRY(decode<storage::WantedVolume>(json)));
    case DocumentKind::instance:
      return take(TRY(decode<compute::WantedInstance>(json)));
    case DocumentKind::snapshot:
      return take(TRY(decode<storage::WantedSnapshot>(json)));
    case DocumentKind::image:
      break;
  }
  return no_such_route();
}

Result<HttpResponse> Server::confirm(const HttpRequest& request) {
  const auto json = TRY(parse_json(request.body));
  const auto inventory = TRY(decode<Inventory>(json));
  TRY_VOID(agent_.confirm(inventory));
  return empty_response(204);
}

Result<HttpResponse> Server::events(const HttpRequest& request) {
  const auto after = TRY(number<std::uint64_t>(request.query(), "after"));
  const auto wait = TRY(number<std::uint32_t>(request.query(), "wait_ms"));
  const auto boot_id = std::string(query_value(request.query(), "boot_id").value_or(""));
  const auto sequence = TRY(agent_.wait_for_change(after, boot_id, std::chrono::milliseconds(wait)));
  return json_response(200, {{"sequence", sequence}, {"boot_id", agent_.boot_id()}});
}

Result<HttpResponse> Server::console(std::string_view id) {
  HttpResponse response;
  response.content_type = "application/octet-stream";
  const auto instance = TRY(InstanceId::parse(id));
  response.body = TRY(agent_.console_output(instance));
  return response;
}

Result<HttpResponse> Server::serial(const HttpRequest& request, std::string_view id) {
  TRY_VOID(require_upgrade(request));
  const auto instance = TRY(InstanceId::parse(id));
  const auto socket = TRY(agent_.console_socket(instance));
  return stream_to(TRY(connect_unix(socket)));
}

Result<HttpResponse> Server::connect(const HttpRequest& request, std::string_view id) {
  TRY_VOID(require_upgrade(request));
  const auto vpc = TRY(VpcId::parse(id));
  const auto address = query_value(request.query(), "address");
  if (!address) return fail(Code::missing_parameter, "The parameter address is missing.");
  const auto port = TRY(number<std::uint16_t>(request.query(), "port"));
  return stream_to(TRY(agent_.connect_vpc(vpc, *address, port)));
}

HttpResponse Server::stream_to(UniqueFd other) const {
  HttpResponse response;
  response.status = 101;
  response.headers.add("Connection", "Upgrade");
  response.headers.add("Upgrade", "virga-stream");
  // shared: a std::function must be copyable; one copy runs.
  response.upgrade = [far = std::make_shared<UniqueFd>(std::move(other)), stop = stop_](int fd) {
    const UniqueFd near(fd);
    relay(near.get(), far->get(), stop->get());
  };
  return response;
}

Result<HttpResponse> Server::import_image(const HttpRequest& request, std::string_view id) {
  // The file is read with this role's rights: only for who has them anyway.
  if (request.peer.uid != 0 && request.peer.uid != static_cast<std::int64_t>(::geteuid())) {
    return fail(Code::access_denied, "Only the host role's own user may import a file by its path.");
  }
  const auto image = TRY(ImageId::parse(id));
  const auto json = TRY(parse_json(request.body));
  if (!json.is_object() || json.size() != 1 || !json.contains("path") || !json["path"].is_string()) {
    return fail(Code::invalid_parameter_value, "The body must be {\"path\": \"...\"}.");
  }
  TRY_VOID(agent_.import_image(image, json["path"].get<std::string>()));
  return empty_response(202);
}

Result<HttpResponse> Server::simulate(const HttpRequest& request) {
  if (options_.faults == nullptr) return no_such_route();
  const auto json = TRY(parse_json(request.body));
  Fault fault;
  try {
    fault.kind = TRY(parse_fault_kind(json.at("fault").get<std::string>()));
    fault.object = json.value("object", std::string("*"));
    fault.count = json.value("count", 1);
    fault.delay = std::chrono::milliseconds(json.value("delay_ms", std::int64_t{0}));
  } catch (const nlohmann::json::exception& exception) {
    return fail(Code::invalid_parameter_value, "The fault is malformed.", exception.what());
  }
  TRY_VOID(options_.faults->inject(std::move(fault)));
  return empty_response(204);
}

}  // namespace virga::hostapi
