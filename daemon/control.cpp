#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>

#include "api/auth/authenticator.h"
#include "api/authentication.h"
#include "api/dispatcher.h"
#include "api/http/server.h"
#include "api/idempotency.h"
#include "control/admin.h"
#include "control/host_sync.h"
#include "core/identity/identity.h"
#include "daemon/process.h"
#include "daemon/roles.h"
#include "hostapi/client/client.h"

namespace virga::daemon {

namespace {

using namespace std::chrono_literals;

/// Joins SigV4 verification to the dispatcher's port.
class SignatureAuthentication final : public api::Authentication {
 public:
  SignatureAuthentication(identity::KeySource& keys, const Clock& clock, const std::string& region)
      : authenticator_(keys, clock, region) {}
  Result<api::Identification> authenticate(const HttpRequest& request) override {
    static constexpr std::array<std::string_view, 3> services = {"ec2", "sts", "iam"};
    auto done = TRY(authenticator_.authenticate(request, services));
    return api::Identification{std::move(done.key), std::move(done.service)};
  }

 private:
  auth::Authenticator authenticator_;
};

/// The one host of this release, under the name it gave itself.
class OneHost final : public api::Hosts {
 public:
  OneHost(std::shared_ptr<hostapi::Host> host, const control::HostSync& sync) : host_(std::move(host)), sync_(sync) {}
  std::shared_ptr<hostapi::Host> find(const std::string& name) override { return name == sync_.name() ? host_ : nullptr; }

 private:
  std::shared_ptr<hostapi::Host> host_;
  const control::HostSync& sync_;
};

/// Every connection is a descriptor, so is every file of the database.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

http::Limits limits_of(const Config& config) {
  http::Limits limits;
  limits.max_body_bytes = static_cast<std::size_t>(config.max_body_bytes);
  limits.max_connections = static_cast<std::size_t>(config.max_connections);
  limits.max_connections_per_source = static_cast<std::size_t>(config.max_connections_per_source);
  return limits;
}

Result<void> prepare_directories(const Paths& paths, const Config& config) {
  const std::string owner = geteuid() == 0 ? config.control_user : "root";
  TRY_VOID(make_directory(paths.state, 0711));
  TRY_VOID(make_directory(paths.control_state(), 0700, owner));
  TRY_VOID(make_directory(paths.run, 0755));
  return make_directory(paths.admin_socket().parent_path(), 0700, owner);
}

Result<void> serve(const Paths& paths, const Config& config) {
  TRY_VOID(prepare_directories(paths, config));
  TRY_VOID(drop_privileges(config.control_user));
  raise_descriptor_limit();
  const SystemClock clock;
  SystemIdSource ids;
  const auto store = TRY(store::Store::open(paths.database().string()));
  const auto sealer = TRY(identity::Sealer::open(paths.master_key().string()));
  const auto keys = identity::make_key_source(*store, *sealer);
  SignatureAuthentication authentication(*keys, clock, config.region);

  const std::shared_ptr<hostapi::Host> host = hostapi::make_unix_client(paths.host_socket());
  control::HostSync sync(*store, clock, ids, config, *host, "unix:" + paths.host_socket().string());
  OneHost hosts(host, sync);
  const auto dispatcher = TRY(api::Dispatcher::create(*store, clock, ids, config, hosts, authentication));
  control::Admin admin(*store, clock, ids, config, *sealer, sync);

  const auto api_server = TRY(http::Server::create(limits_of(config), config.api_threads));
  const auto port = TRY(api_server->listen_tcp(config.listen_address, config.listen_port,
                                               [&](const HttpRequest& request) { return dispatcher->handle(request); }));
  const auto admin_server = TRY(http::Server::create({}, 2));
  TRY(admin_server->listen_unix(paths.admin_socket().string(), 0600,
                                [&](const HttpRequest& request) { return admin.handle(request); }));
  store->on_wake([&] { sync.wake(); });
  sync.start();
  admin_server->start();
  api_server->start();
  spdlog::info("control role: API at {}:{}, region {}", config.listen_address, port, config.region);
  if (config.listen_address != "127.0.0.1" && config.listen_address != "::1")
    spdlog::warn("the API is served without TLS on {}: signatures protect requests, nothing hides them", config.listen_address);
  wait_for_end();
  api_server->stop();
  admin_server->stop();
  store->on_wake({});
  sync.stop();
  return {};
}

}  // namespace

int run_control() {
  block_signals();
  const auto paths = Paths::from_environment();
  const auto config = Config::load(paths);
  if (!config) return refuse(config.error());
  set_up_log(*config);
  const auto done = serve(paths, *config);
  return done ? 0 : refuse(done.error());
}

}  // namespace virga::daemon
