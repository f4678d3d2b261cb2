#include <spdlog/spdlog.h>
#include <unistd.h>

#include <thread>

#include "api/http/server.h"
#include "compute/host/libvirt_hypervisor.h"
#include "compute/host/metadata_service.h"
#include "compute/host/simulated_hypervisor.h"
#include "daemon/metadata_listeners.h"
#include "daemon/process.h"
#include "daemon/roles.h"
#include "hostapi/agent/agent.h"
#include "hostapi/agent/host_identity.h"
#include "hostapi/agent/server.h"
#include "hostapi/wire.h"
#include "network/host/linux_network.h"
#include "network/host/simulated_network.h"
#include "storage/host/qcow2_backend.h"
#include "storage/host/simulated_volumes.h"

namespace virga::daemon {

namespace {

constexpr int api_threads = 8;  // one is taken by the control role's long poll, one by each console or tunnel set up
constexpr int metadata_threads = 4;
constexpr std::int64_t simulated_storage_gib = 100'000;

/// The three ports of the host role, real or simulated.
struct HostParts {
  std::unique_ptr<compute::Hypervisor> hypervisor;
  std::unique_ptr<network::HostNetwork> network;
  std::unique_ptr<storage::VolumeBackend> volumes;
};

Result<HostParts> real_parts(const Paths& paths, const Config& config, CommandRunner& commands) {
  HostParts parts;
  parts.hypervisor = TRY(compute::create_libvirt_hypervisor({.uri = config.libvirt_uri,
                                                             .realm = config.realm,
                                                             .state_dir = paths.host_state() / "compute",
                                                             .accelerator = config.accelerator,
                                                             .disk_cache = config.disk_cache,
                                                             .pci_ports = config.pci_ports}));
  parts.network = TRY(network::LinuxNetwork::create({.realm = config.realm,
                                                     .runtime_dir = (paths.run / "dns").string(),
                                                     .dns_upstream = config.dns_upstream,
                                                     .commands = commands}));
  storage::ImportLimits limits;
  limits.reserve = {static_cast<std::uint64_t>(config.reserved_storage_gib) << 30, config.reserved_storage_percent};
  parts.volumes = TRY(storage::Qcow2Backend::create(
      {.directory = (paths.host_state() / "storage").string(), .runner = commands, .limits = limits}));
  return parts;
}

Result<HostParts> simulated_parts(const Paths& paths, const Clock& clock, Faults& faults) {
  const auto directory = paths.host_state() / "simulated";
  TRY_VOID(make_directory(directory, 0700));
  HostParts parts;
  parts.volumes = TRY(storage::SimulatedVolumes::create(directory / "volumes", simulated_storage_gib, faults));
  const auto grow = [volumes = parts.volumes.get()](const VolumeId& id, std::uint64_t size_gib) {
    return volumes->resize(id, size_gib);
  };
  parts.hypervisor = TRY(compute::SimulatedHypervisor::create(
      {.directory = directory / "guests", .cpus = 128, .memory_mib = 1 << 20, .latencies = {}, .grow_volume = grow},
      clock, faults));
  parts.network = TRY(network::SimulatedNetwork::create(directory / "networks", faults));
  return parts;
}

Result<void> prepare_directories(const Paths& paths) {
  TRY_VOID(make_directory(paths.state, 0711));
  TRY_VOID(make_directory(paths.host_state(), 0711));  // QEMU's own user reaches the files it is given, and lists none
  TRY_VOID(make_directory(paths.host_state() / "compute", 0711));
  TRY_VOID(make_directory(paths.host_state() / "agent", 0700));
  TRY_VOID(make_directory(paths.run, 0755));
  TRY_VOID(make_directory(paths.run / "dns", 0755));
  return make_directory(paths.host_socket().parent_path(), 0755);
}

std::string host_name(const Config& config) {
  if (!config.host_name.empty()) return config.host_name;
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

/// Whoever may speak to this role besides root. When not root (a simulated host), only this user itself.
Result<std::int64_t> control_uid(const Config& config) {
  if (geteuid() != 0) return static_cast<std::int64_t>(geteuid());
  return static_cast<std::int64_t>(TRY(uid_of(config.control_user)));
}

Result<void> serve(HostKind kind, const Paths& paths, const Config& config) {
  if (kind == HostKind::real && geteuid() != 0)
    return fail(Code::operation_not_permitted, "The host role needs root; without, try 'virga host --simulate'.");
  TRY_VOID(prepare_directories(paths));
  const SystemClock clock;
  SystemIdSource ids;
  SystemCommandRunner commands;
  Faults faults;
  const bool simulated = kind == HostKind::simulated;
  const auto parts = simulated ? TRY(simulated_parts(paths, clock, faults)) : TRY(real_parts(paths, config, commands));

  const auto metadata_server =
      TRY(http::Server::create({.max_header_bytes = compute::MetadataLimits::header_bytes,
                                .max_body_bytes = compute::MetadataLimits::body_bytes,
                                .max_connections_per_source = compute::MetadataLimits::connections_per_interface},
                               metadata_threads));
  compute::MetadataService metadata(TRY(compute::MetadataTokens::create(paths.host_state() / "agent" / "metadata.key")),
                                    clock);
  MetadataListeners listeners(*parts.network, *metadata_server, metadata);
  hostapi::VpcHooks hooks;
  if (!simulated) {
    hooks.applied = [&](const network::WantedVpc& vpc) { listeners.open(vpc); };
    hooks.removed = [&](const network::WantedVpc& vpc) { listeners.close(vpc.id); };
  }
  const auto identity = TRY(hostapi::host_identity(paths.host_state() / "identity", ids));
  const auto kernel_boot = TRY(hostapi::kernel_boot_id());
  const auto agent =
      TRY(hostapi::Agent::create({.directory = paths.host_state() / "agent",
                                  .host_identity = identity,
                                  .host_name = host_name(config),
                                  .version = VIRGA_VERSION,
                                  .boot_id = ids.uuid(),
                                  .kernel_boot_id = kernel_boot},
                                 config, {*parts.hypervisor, *parts.network, *parts.volumes, clock}, hooks));
  listeners.serve_for(*agent);
  hostapi::Server api(*agent, {.control_uid = TRY(control_uid(config)), .faults = simulated ? &faults : nullptr});
  const auto server = TRY(http::Server::create(
      {.max_body_bytes = hostapi::max_document_bytes, .max_held_bytes = 4 * hostapi::max_document_bytes}, api_threads));
  const auto socket = paths.host_socket().string();
  TRY(server->listen_unix(socket, 0660, [&](const HttpRequest& request) { return api.handle(request); }));
  if (geteuid() == 0 && chown(socket.c_str(), 0, TRY(gid_of(config.control_user))) != 0)
    return fail(internal_error("chown " + socket));
  metadata_server->start();
  agent->start();
  server->start();
  spdlog::info("host role: {} at {}", simulated ? "simulated" : "real guests", socket);
  wait_for_end();
  server->stop();
  agent->stop();
  metadata_server->stop();
  return {};
}

}  // namespace

int run_host(HostKind kind) {
  block_signals();
  const auto paths = Paths::from_environment();
  const auto config = Config::load(paths);
  if (!config) return refuse(config.error());
  set_up_log(*config);
  const auto done = serve(kind, paths, *config);
  return done ? 0 : refuse(done.error());
}

}  // namespace virga::daemon
