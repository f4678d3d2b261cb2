#include "network/host/name_servers.h"

#include <spdlog/spdlog.h>

#include "network/host/name_space.h"

namespace virga::network {
namespace {

constexpr std::chrono::milliseconds busy_interval{100};
constexpr const char* started_again = "the VPC's DHCP and DNS server had ended and was started again";

}  // namespace

NameServers::NameServers(std::string root, Names names, CommandRunner& commands)
    : names_(std::move(names)), dnsmasq_(std::move(root), commands) {}

Result<std::unique_ptr<NameServers>> NameServers::create(std::string root, Names names, CommandRunner& commands) {
  std::unique_ptr<NameServers> servers(new NameServers(std::move(root), std::move(names), commands));
  servers->watch_ = TRY(ProcessWatch::create([it = servers.get()](std::uint32_t vpc) { return it->revive(vpc); }));
  for (std::uint32_t vpc : servers->vpcs()) servers->watch_->watch(vpc, servers->dnsmasq_.process(vpc));
  return servers;
}

NameServers::Server& NameServers::server_of(std::uint32_t vpc) {
  std::lock_guard lock(mutex_);
  auto& server = servers_[vpc];
  if (!server) server = std::make_unique<Server>();
  return *server;
}

Result<void> NameServers::apply(const VpcLayout& layout, const std::set<NetworkInterfaceId>& plugged) {
  Server& server = server_of(layout.number);
  std::lock_guard turn(server.mutex);
  bool had_ended = server.expected && !dnsmasq_.process(layout.number);
  bool started = TRY(dnsmasq_.apply(layout, plugged));
  server.problem = had_ended ? started_again : "";
  if (started || !server.expected) watch_->watch(layout.number, dnsmasq_.process(layout.number));
  server.expected = true;
  return {};
}

Result<void> NameServers::remove(std::uint32_t vpc) {
  Server& server = server_of(vpc);
  std::lock_guard turn(server.mutex);
  watch_->forget(vpc);
  server.expected = false;
  server.problem.clear();
  return dnsmasq_.remove(vpc);
}

std::string NameServers::problem(std::uint32_t vpc) {
  Server& server = server_of(vpc);
  std::lock_guard turn(server.mutex);
  return server.problem;
}

ProcessWatch::Next NameServers::revive(std::uint32_t vpc) {
  Server& server = server_of(vpc);
  // Whoever is at work on this server must not hold up the others'.
  std::unique_lock turn(server.mutex, std::try_to_lock);
  if (!turn) return {.process = {}, .ask_again = busy_interval};
  // Without its namespace or its files it waits for the next apply().
  if (!dnsmasq_.is_configured(vpc) || !name_space_exists(names_.name_space(vpc))) return {};
  if (auto process = dnsmasq_.process(vpc)) return {.process = std::move(process), .ask_again = {}};
  return start_again(vpc, server);
}

ProcessWatch::Next NameServers::start_again(std::uint32_t vpc, Server& server) {
  const auto now = RestartPace::Clock::now();
  if (auto pause = server.pace.wait(now); pause.count() > 0) return {.process = {}, .ask_again = pause};
  server.pace.starting(now);
  auto started = in_name_space(names_.name_space(vpc), [&] { return dnsmasq_.start(vpc); });
  server.expected = true;
  server.problem =
      started ? started_again : "the VPC's DHCP and DNS server does not start: " + describe(started.error());
  spdlog::warn("network: {}: {}", names_.name_space(vpc), server.problem);
  if (auto process = dnsmasq_.process(vpc)) return {.process = std::move(process), .ask_again = {}};
  return {.process = {}, .ask_again = server.pace.wait(RestartPace::Clock::now())};
}

}  // namespace virga::network
