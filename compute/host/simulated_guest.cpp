#include "compute/host/simulated_guest.h"
#include "core/json_values.h"

#include <fmt/format.h>

#include <algorithm>

namespace virga::compute {

NLOHMANN_JSON_SERIALIZE_ENUM(DomainState, {{DomainState::off, "off"},
                                           {DomainState::paused, "paused"},
                                           {DomainState::running, "running"},
                                           {DomainState::shutting_down, "shutting-down"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SimulatedDisk, volume, slot, gone_at_ms)
NLOHMANN_JSON_SERIALIZE_ENUM(DiskBackup::State, {{DiskBackup::State::none, "none"},
                                                 {DiskBackup::State::running, "running"},
                                                 {DiskBackup::State::finished, "finished"},
                                                 {DiskBackup::State::failed, "failed"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SimulatedBackup, volume, target, begun_at_ms, done_at_ms, state)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ConsoleLine, at_ms, text)

namespace {
constexpr std::size_t max_console_lines = 500;
constexpr std::size_t max_console_bytes = 64 << 10;
}  // namespace

void SimulatedGuest::print(Time at, std::string text) {
  console.push_back({at.ms, std::move(text)});
  if (console.size() > max_console_lines) console.erase(console.begin());
}

void SimulatedGuest::boot(Time now, const SimulatedLatencies& latencies) {
  state = DomainState::running;
  ready_at_ms = (now + latencies.boot).ms;
  const double seconds = static_cast<double>(latencies.boot.count()) / 1000.0;
  print(now, "[    0.000000] Linux version 6.1.0-virga (simulated) #1 SMP");
  print(now, fmt::format("[    0.004000] Memory: {}K/{}K available, {} CPU(s)", memory_mib * 1000, memory_mib * 1024,
                         vcpus));
  print({ready_at_ms}, fmt::format("tiny: init uptime={:.2f}", seconds));
  print({ready_at_ms}, fmt::format("tiny: meta instance-id={}", id.str()));
  print({ready_at_ms}, fmt::format("tiny: ready uptime={:.2f}", seconds));
}

void SimulatedGuest::press_power_button(Time now, const SimulatedLatencies& latencies) {
  if (deaf || off_at_ms != 0) return;
  const Time listens{std::max(now.ms, ready_at_ms)};
  off_at_ms = (listens + latencies.shutdown).ms;
}

void SimulatedGuest::ask_reboot(Time now, const SimulatedLatencies& latencies) {
  if (deaf || off_at_ms != 0 || reboot_at_ms != 0) return;
  const Time listens{std::max(now.ms, ready_at_ms)};
  reboot_at_ms = (listens + latencies.shutdown).ms;
}

DiskBackup SimulatedBackup::seen(Time now) const {
  constexpr std::uint64_t bytes = 1 << 20;
  DiskBackup backup{.state = state};
  if (state != DiskBackup::State::running) return backup;
  const auto all = std::max<std::int64_t>(done_at_ms - begun_at_ms, 1);
  const auto past = std::clamp<std::int64_t>(now.ms - begun_at_ms, 0, all);
  backup.total_bytes = bytes;
  backup.done_bytes = bytes * static_cast<std::uint64_t>(past) / static_cast<std::uint64_t>(all);
  return backup;
}

void SimulatedGuest::begin_backup(const VolumeId& volume, const std::string& target, Time now,
                                  const SimulatedLatencies& latencies) {
  backup = {.volume = volume,
            .target = target,
            .begun_at_ms = now.ms,
            .done_at_ms = (now + latencies.backup).ms,
            .state = DiskBackup::State::running};
}

void SimulatedGuest::cancel_backup() {
  if (backup.state == DiskBackup::State::running) backup.state = DiskBackup::State::failed;
}

void SimulatedGuest::go_off(Time at, ExitReason reason) {
  std::erase_if(console, [&](const ConsoleLine& line) { return line.at_ms > at.ms; });
  if (reason == ExitReason::guest_shutdown) print(at, "reboot: Power down");
  if (reason == ExitReason::guest_crashed) print(at, "Kernel panic - not syncing: simulated");
  state = DomainState::off;
  exit_reason = reason;
  off_at_ms = reboot_at_ms = ready_at_ms = 0;
  deaf = false;
  backup = {};
  std::erase_if(disks, [](const SimulatedDisk& disk) { return disk.gone_at_ms != 0; });
}

bool SimulatedGuest::settle(Time now, const SimulatedLatencies& latencies) {
  if (!on()) return false;
  bool happened = std::erase_if(disks, [&](const SimulatedDisk& disk) {
                    return disk.gone_at_ms != 0 && disk.gone_at_ms <= now.ms;
                  }) > 0;
  if (backup.state == DiskBackup::State::running && backup.done_at_ms <= now.ms) {
    backup.state = DiskBackup::State::finished;
    happened = true;
  }
  if (off_at_ms != 0 && off_at_ms <= now.ms) {
    go_off({off_at_ms}, ExitReason::guest_shutdown);
    return true;
  }
  if (reboot_at_ms != 0 && reboot_at_ms <= now.ms) {
    const Time at{reboot_at_ms};
    print(at, "reboot: Restarting system");
    reboot_at_ms = 0;
    ++resets;
    boot(at, latencies);
    happened = true;
  }
  return happened;
}

std::optional<Time> SimulatedGuest::next_due() const {
  if (!on()) return std::nullopt;
  std::int64_t next = 0;
  const auto consider = [&](std::int64_t at_ms) {
    if (at_ms != 0 && (next == 0 || at_ms < next)) next = at_ms;
  };
  consider(off_at_ms);
  consider(reboot_at_ms);
  for (const auto& disk : disks) consider(disk.gone_at_ms);
  if (backup.state == DiskBackup::State::running) consider(backup.done_at_ms);
  return next == 0 ? std::nullopt : std::optional<Time>(Time{next});
}

std::string SimulatedGuest::console_until(Time now) const {
  std::string output;
  for (const auto& line : console)
    if (line.at_ms <= now.ms) output += line.text + "\r\n";
  if (output.size() > max_console_bytes) output.erase(0, output.size() - max_console_bytes);
  return output;
}

Domain SimulatedGuest::as_domain() const {
  Domain domain{.id = id,
                .start_number = start_number,
                .state = state,
                .exit_reason = exit_reason,
                .disks = {},
                .resets = resets};
  if (on())
    for (const auto& disk : disks) domain.disks.push_back(disk.volume);
  return domain;
}

void to_json(nlohmann::json& json, const SimulatedGuest& guest) {
  json = {{"id", guest.id},
          {"start_number", guest.start_number},
          {"instance_type", guest.instance_type},
          {"vcpus", guest.vcpus},
          {"memory_mib", guest.memory_mib},
          {"state", guest.state},
          {"exit_reason", guest.exit_reason},
          {"deaf", guest.deaf},
          {"ready_at_ms", guest.ready_at_ms},
          {"off_at_ms", guest.off_at_ms},
          {"reboot_at_ms", guest.reboot_at_ms},
          {"resets", guest.resets},
          {"disks", guest.disks},
          {"backup", guest.backup},
          {"console", guest.console}};
}

void from_json(const nlohmann::json& json, SimulatedGuest& guest) {
  json.at("id").get_to(guest.id);
  json.at("start_number").get_to(guest.start_number);
  json.at("instance_type").get_to(guest.instance_type);
  json.at("vcpus").get_to(guest.vcpus);
  json.at("memory_mib").get_to(guest.memory_mib);
  json.at("state").get_to(guest.state);
  json.at("exit_reason").get_to(guest.exit_reason);
  json.at("deaf").get_to(guest.deaf);
  json.at("ready_at_ms").get_to(guest.ready_at_ms);
  json.at("off_at_ms").get_to(guest.off_at_ms);
  json.at("reboot_at_ms").get_to(guest.reboot_at_ms);
  json.at("resets").get_to(guest.resets);
  json.at("disks").get_to(guest.disks);
  if (json.contains("backup")) json.at("backup").get_to(guest.backup);  // an earlier version wrote none
  json.at("console").get_to(guest.console);
}

}  // namespace virga::compute
