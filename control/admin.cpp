#include "control/admin.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include "core/json_values.h"

#include "network/interfaces.h"
#include "network/vpcs.h"
#include "storage/images.h"

namespace virga::control {

namespace {

constexpr int max_depth = 8;
constexpr std::string_view first_user = "admin";

HttpResponse answer(int status, const nlohmann::json& body) {
  HttpResponse response;
  response.status = status;
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

Result<nlohmann::json> parse_body(const std::string& text) {
  if (text.empty()) return nlohmann::json::object();
  bool too_deep = false;
  auto body = nlohmann::json::parse(
      text,
      [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        too_deep = too_deep || depth > max_depth;
        return !too_deep;
      },
      false);
  if (too_deep || !body.is_object()) return fail(Code::validation_error, "The body must be a JSON object.");
  return body;
}

Result<std::string> text_of(const nlohmann::json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_string() || found->get_ref<const std::string&>().empty())
    return fail(Code::missing_parameter, fmt::format("'{}' is missing.", name));
  return found->get<std::string>();
}

/// The value of a query parameter. Values here are names and ids, which need no escaping.
std::string parameter(const HttpRequest& request, std::string_view name) {
  std::string_view query = request.query();
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    if (pair.starts_with(name) && pair.size() > name.size() && pair[name.size()] == '=')
      return std::string(pair.substr(name.size() + 1));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return {};
}

int status_of(Code code) {
  if (code == Code::internal) return 500;
  if (code == Code::unavailable) return 503;
  return code == Code::account_not_found ? 404 : 400;
}

nlohmann::json to_json(const identity::AccessKey& key) {
  return {{"account", key.account.str()}, {"user", key.user_name}, {"access_key_id", key.id}, {"secret_access_key", key.secret}};
}

}  // namespace

Admin::Admin(store::Store& store, const Clock& clock, IdSource& ids, const Config& config, identity::Sealer& sealer,
             const HostSync& host)
    : store_(store), clock_(clock), ids_(ids), config_(config), sealer_(sealer), host_(host) {}

HttpResponse Admin::handle(const HttpRequest& request) {
  if (request.peer.uid != 0 && request.peer.uid != static_cast<std::int64_t>(geteuid()))
    return answer(403, {{"code", "AccessDenied"}, {"message", "Only root and the control role's user may do this."}});
  const auto body = parse_body(request.body);
  const auto done = body ? dispatch(request, *body) : body;
  if (done) return answer(200, *done);
  if (done.error().code == Code::internal) spdlog::error("admin {}: {}", request.path(), describe(done.error()));
  return answer(status_of(done.error().code), {{"message", done.error().message}});
}

Result<Admin::Body> Admin::dispatch(const HttpRequest& request, const Body& body) {
  const auto path = std::string(request.path());
  const bool post = request.method == "POST";
  if (path == "/admin/v1/status") return status();
  if (path == "/admin/v1/accounts") return post ? create_account(body) : list_accounts();
  if (path == "/admin/v1/users") return post ? create_user(body) : list_users(parameter(request, "account"));
  if (path == "/admin/v1/keys")
    return post ? create_key(body) : list_keys(parameter(request, "account"), parameter(request, "user"));
  if (path == "/admin/v1/keys/active" && post) return set_key_active(body);
  if (path == "/admin/v1/keys/delete" && post) return delete_key(body);
  if (path == "/admin/v1/quotas" && post) return set_quota(body);
  if (path == "/admin/v1/images") return post ? create_image(body) : list_images();
  if (path == "/admin/v1/images/delete" && post) return delete_image(body);
  constexpr std::string_view images = "/admin/v1/images/";
  if (path.starts_with(images)) return find_image(path.substr(images.size()));
  constexpr std::string_view instances = "/admin/v1/instances/";
  if (path.starts_with(instances)) return find_instance(path.substr(instances.size()));
  return fail(Code::invalid_action, "There is no such admin call.");
}

Scope Admin::scope(store::Transaction& tx, const AccountId& account, const std::string& action) const {
  return Scope{.tx = tx, .account = account, .now = clock_.now(), .ids = ids_, .actor = "operator", .action = action,
               .request_id = {}};
}

template <class Function>
Result<Admin::Body> Admin::write_as(const std::string& account, const std::string& action, Function&& function) {
  return store_.write([&](store::Transaction& tx) -> Result<Body> {
    const auto owner = TRY(identity::find_account(tx, account));
    auto operators = scope(tx, owner.id, action);
    return function(operators);
  });
}

Result<Admin::Body> Admin::status() {
  Body status = {{"version", VIRGA_VERSION}, {"endpoint", config_.endpoint()}, {"region", config_.region}};
  Body problems = Body::array();
  const auto silence = host_.problem();
  if (!silence.empty()) problems.push_back("host: " + silence);
  TRY_VOID(store_.read([&](store::Transaction& tx) -> Result<void> {
    status["hosts"] = tx.all(
        "SELECT name, state, details, vcpus, vcpus_used, memory_mib, memory_mib_used, storage_gib, storage_gib_used,"
        " seen_ms, label, identity FROM host ORDER BY label, name",
        [&](store::Row& row) {
          const auto details = Body::parse(row.text(2), nullptr, false);
          for (const auto& problem : details.value("problems", Body::array())) problems.push_back(problem);
          return Body{{"name", row.text(10)}, {"key", row.text(0)}, {"identity", row.text(11)}, {"state", silence.empty() || row.text(1) == "down" ? row.text(1) : "silent"},
                      {"accelerator", details.value("accelerator", "")}, {"version", details.value("version", "")},
                      {"vcpus", row.integer(3)}, {"vcpus_used", row.integer(4)}, {"memory_mib", row.integer(5)},
                      {"memory_mib_used", row.integer(6)}, {"storage_gib", row.integer(7)},
                      {"storage_gib_used", row.integer(8)}, {"seen", to_iso8601(row.time(9))}};
        });
    std::map<std::string, std::int64_t> instances;
    tx.for_each("SELECT state, count(*) FROM instance GROUP BY state",
                [&](store::Row& row) { instances[row.text(0)] = row.integer(1); });
    status["instances"] = instances;
    return {};
  }));
  // A host that has not said what it can carry takes no instance yet (its libvirt may still be starting).
  const bool capable = std::ranges::any_of(status["hosts"], [](const Body& host) { return host.at("vcpus") > 0; });
  status["state"] = !silence.empty() || host_.name().empty() ? "waiting for the host role"
                    : capable                                ? "ready"
                                                             : "waiting for the hypervisor";
  status["problems"] = problems;
  return status;
}

Result<Admin::Body> Admin::create_account(const Body& body) {
  const auto name = TRY(text_of(body, "name"));
  return store_.write([&](store::Transaction& tx) -> Result<Body> {
    const auto account = TRY(identity::create_account(tx, ids_, clock_.now(), name));
    auto owner = scope(tx, account.id, "CreateAccount");
    owner.record(account.id.str(), nullptr, {{"account", account.id.str()}, {"name", name}});
    const auto user = TRY(identity::create_user(owner, std::string(first_user), identity::Role::administrator));
    const auto key = TRY(identity::create_access_key(owner, sealer_, user.name));
    TRY(network::create_default_vpc(owner, config_));
    auto made = to_json(key);
    made["name"] = name;
    return made;
  });
}

Result<Admin::Body> Admin::list_accounts() {
  return store_.read([&](store::Transaction& tx) -> Result<Body> {
    Body list = Body::array();
    for (const auto& account : identity::list_accounts(tx))
      list.push_back({{"account", account.id.str()}, {"name", account.name}, {"created", to_iso8601(account.created)}});
    return list;
  });
}

Result<Admin::Body> Admin::create_user(const Body& body) {
  const auto name = TRY(text_of(body, "name"));
  const auto role = identity::parse_role(TRY(text_of(body, "role")));
  if (!role) return fail(Code::validation_error, "The role is one of administrator, operator, read-only.");
  return write_as(TRY(text_of(body, "account")), "CreateUser", [&](Scope& owner) -> Result<Body> {
    const auto user = TRY(identity::create_user(owner, name, *role));
    return Body{{"name", user.name}, {"arn", user.arn}, {"user_id", user.user_id}, {"role", identity::to_string(user.role)}};
  });
}

Result<Admin::Body> Admin::list_users(const std::string& account) {
  return store_.read([&](store::Transaction& tx) -> Result<Body> {
    auto owner = scope(tx, TRY(identity::find_account(tx, account)).id, "ListUsers");
    Body list = Body::array();
    for (const auto& user : identity::list_users(owner))
      list.push_back({{"name", user.name}, {"arn", user.arn}, {"role", identity::to_string(user.role)},
                      {"created", to_iso8601(user.created)}});
    return list;
  });
}

Result<Admin::Body> Admin::create_key(const Body& body) {
  const auto user = TRY(text_of(body, "user"));
  return write_as(TRY(text_of(body, "account")), "CreateAccessKey", [&](Scope& owner) -> Result<Body> {
    const auto key = TRY(identity::create_access_key(owner, sealer_, user));
    auto made = to_json(key);
    const auto account = TRY(identity::find_account(owner.tx, owner.account.str()));
    made["account_name"] = account.name;
    return made;
  });
}

Result<Admin::Body> Admin::set_key_active(const Body& body) {
  const auto key = TRY(text_of(body, "access_key_id"));
  const bool active = body.value("active", false);
  return write_as(TRY(text_of(body, "account")), "UpdateAccessKey", [&](Scope& owner) -> Result<Body> {
    TRY_VOID(identity::set_access_key_active(owner, key, active));
    return Body{{"access_key_id", key}, {"active", active}};
  });
}

Result<Admin::Body> Admin::delete_key(const Body& body) {
  const auto key = TRY(text_of(body, "access_key_id"));
  return write_as(TRY(text_of(body, "account")), "DeleteAccessKey", [&](Scope& owner) -> Result<Body> {
    TRY_VOID(identity::delete_access_key(owner, key));
    return Body{{"access_key_id", key}, {"deleted", true}};
  });
}

Result<Admin::Body> Admin::list_keys(const std::string& account, const std::string& user) {
  return store_.read([&](store::Transaction& tx) -> Result<Body> {
    auto owner = scope(tx, TRY(identity::find_account(tx, account)).id, "ListAccessKeys");
    Body list = Body::array();
    for (const auto& key : identity::list_access_keys(owner, user))
      list.push_back({{"access_key_id", key.id}, {"active", key.active}});
    return list;
  });
}

Result<Admin::Body> Admin::create_image(const Body& body) {
  storage::ImportRequest request;
  request.name = TRY(text_of(body, "name"));
  request.description = body.value("description", "");
  request.visibility = body.value("public", true) ? storage::Visibility::everyone : storage::Visibility::own;
  request.min_memory_mib = body.value("min_memory_mib", request.min_memory_mib);
  return write_as(TRY(text_of(body, "account")), "ImportImage", [&](Scope& owner) -> Result<Body> {
    const auto id = TRY(storage::images::create_import(owner, request));
    return Body{{"image_id", id.str()}};
  });
}

Result<Admin::Body> Admin::delete_image(const Body& body) {
  const auto text = TRY(text_of(body, "image_id"));
  const auto id = TRY(ImageId::parse(text));
  const auto owner = TRY(store_.read([&](store::Transaction& tx) -> Result<std::string> {
    auto account = tx.one("SELECT account FROM image WHERE id = ?", [](store::Row& row) { return row.text(0); }, id);
    if (!account) return fail(id.not_found());
    return *std::move(account);
  }));
  return write_as(owner, "DeregisterImage", [&](Scope& account) -> Result<Body> {
    TRY_VOID(storage::images::deregister(account, id));
    return Body{{"image_id", id.str()}, {"deleted", true}};
  });
}

namespace {
nlohmann::json image_row(store::Row& row) {
  return {{"image_id", row.text(0)}, {"name", row.text(1)}, {"state", row.text(2)}, {"account", row.text(3)},
          {"problem", row.text(4)}};
}
}  // namespace

Result<Admin::Body> Admin::list_images() {
  return store_.read([&](store::Transaction& tx) -> Result<Body> {
    return Body(tx.all("SELECT id, name, state, account, problem FROM image WHERE deregistered = 0 ORDER BY id",
                       image_row));
  });
}

Result<Admin::Body> Admin::find_image(const std::string& id) {
  return store_.read([&](store::Transaction& tx) -> Result<Body> {
    const auto image =
        tx.one("SELECT id, name, state, account, problem FROM image WHERE id = ? AND deregistered = 0", image_row, id);
    if (!image) return fail(ImageId::not_found(id));
    return *image;
  });
}

Result<Admin::Body> Admin::find_instance(const std::string& id) {
  return store_.read([&](store::Transaction& tx) -> Result<Body> {
    const auto instance = tx.one(
        "SELECT account, state, host FROM instance WHERE id = ?",
        [](store::Row& row) { return std::tuple(AccountId::trusted(row.text(0)), row.text(1), row.text(2)); }, id);
    if (!instance) return fail(InstanceId::not_found(id));
    const auto& [account, state, host] = *instance;
    auto owner = scope(tx, account, "FindInstance");
    const auto interfaces = network::interfaces_of(owner, InstanceId::trusted(id));
    if (interfaces.empty())
      return fail(Code::incorrect_instance_state, fmt::format("{} is {} and has no network interface.", id, state));
    return Body{{"id", id}, {"account", account.str()}, {"state", state}, {"host", host},
                {"vpc", interfaces.front().vpc.str()}, {"private_ip", interfaces.front().private_ip}};
  });
}

Result<Admin::Body> Admin::set_quota(const Body& body) {
  const auto name = TRY(text_of(body, "name"));
  const auto limit = body.value("limit", std::int64_t{-1});
  if (limit < 0) return fail(Code::validation_error, "'limit' must be zero or more.");
  return write_as(TRY(text_of(body, "account")), "SetQuota", [&](Scope& owner) -> Result<Body> {
    const auto parsed = quota::parse(name);
    if (!parsed) return fail(Code::validation_error, fmt::format("There is no quota '{}'.", name));
    quota::set_limit(owner, *parsed, limit);
    return Body{{"name", name}, {"limit", limit}};
  });
}

}  // namespace virga::control
