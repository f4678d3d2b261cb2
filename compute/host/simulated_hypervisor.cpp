#include "compute/host/simulated_hypervisor.h"

#include "core/json_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/durable_file.h"

namespace virga::compute {

using std::chrono::milliseconds;

Result<std::unique_ptr<SimulatedHypervisor>> SimulatedHypervisor::create(SimulatedMachine machine, const Clock& clock,
                                                                         Faults& faults) {
  std::unique_ptr<SimulatedHypervisor> hypervisor(new SimulatedHypervisor(std::move(machine), clock, faults));
  TRY_VOID(hypervisor->load());
  faults.subscribe([raw = hypervisor.get()](FaultKind kind, const std::string& object) { raw->suffer(kind, object); });
  if (hypervisor->machine_.watch_clock) {
    hypervisor->watcher_ = std::jthread([raw = hypervisor.get()](const std::stop_token& stop) { raw->watch(stop); });
  }
  return hypervisor;
}

SimulatedHypervisor::SimulatedHypervisor(SimulatedMachine machine, const Clock& clock, Faults& faults)
    : machine_(std::move(machine)), clock_(clock), faults_(faults) {}

SimulatedHypervisor::~SimulatedHypervisor() = default;

std::filesystem::path SimulatedHypervisor::file_of(const InstanceId& id) const {
  return machine_.directory / (id.str() + ".json");
}

Result<void> SimulatedHypervisor::load() {
  std::error_code error;
  std::filesystem::create_directories(machine_.directory, error);
  if (error) return fail(internal_error("create " + machine_.directory.string() + ": " + error.message()));
  for (const auto& entry : std::filesystem::directory_iterator(machine_.directory)) {
    if (entry.path().extension() != ".json") continue;
    const auto text = TRY(read_file(entry.path()));
    try {
      auto guest = nlohmann::json::parse(text).get<SimulatedGuest>();
      guests_.emplace(guest.id, std::move(guest));
    } catch (const nlohmann::json::exception& exception) {
      return fail(internal_error(entry.path().string() + ": " + exception.what()));
    }
  }
  return {};
}

Result<void> SimulatedHypervisor::save(const SimulatedGuest& guest) {
  touched_ = true;
  due_.notify_all();
  return replace_file(file_of(guest.id), nlohmann::json(guest).dump(), Durability::process_end);
}

void SimulatedHypervisor::settle() {
  for (auto& [id, guest] : guests_) {
    if (!guest.settle(clock_.now(), machine_.latencies)) continue;
    unreported_ = true;
    // A file that cannot be written keeps the earlier state, from which the same follows again.
    static_cast<void>(save(guest));
  }
}

void SimulatedHypervisor::watch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    milliseconds wait{60'000};
    for (const auto& [id, guest] : guests_) {
      if (const auto due = guest.next_due()) wait = std::min(wait, std::max(*due - clock_.now(), milliseconds(1)));
    }
    due_.wait_for(lock, stop, wait, [this] { return touched_; });
    touched_ = false;
    settle();
    if (!std::exchange(unreported_, false) || !changed_) continue;
    const auto changed = changed_;
    lock.unlock();
    changed();
    lock.lock();
  }
}

Result<SimulatedGuest*> SimulatedHypervisor::find(const InstanceId& id) {
  const auto found = guests_.find(id);
  if (found == guests_.end()) return fail(Code::incorrect_state, "The guest is not defined on its host.");
  return &found->second;
}

Result<SimulatedGuest*> SimulatedHypervisor::find_on(const InstanceId& id) {
  auto* guest = TRY(find(id));
  if (!guest->on()) return fail(Code::incorrect_state, "The guest is off.");
  return guest;
}

void SimulatedHypervisor::forget(const InstanceId& id) {
  guests_.erase(id);
  static_cast<void>(remove_file(file_of(id), Durability::process_end));
}

Result<void> SimulatedHypervisor::call(std::string_view name, const InstanceId& id,
                                       const std::function<Result<void>()>& effect) {
  TRY_VOID(faults_.enter(name, id.str()));
  {
    const std::lock_guard lock(mutex_);
    settle();
    TRY_VOID(effect());
  }
  faults_.leave(name);
  return {};
}

void SimulatedHypervisor::suffer(FaultKind kind, const std::string& object) {
  const auto id = InstanceId::parse(object);
  if (!id) return;
  // A guest that is not there, or off, has nothing to suffer.
  if (kind == FaultKind::poweroff) static_cast<void>(guest_poweroff(*id));
  if (kind == FaultKind::kill) static_cast<void>(kill_process(*id));
  if (kind != FaultKind::forget) return;
  const std::lock_guard lock(mutex_);
  forget(*id);
  unreported_ = touched_ = true;
  due_.notify_all();
}

Result<HypervisorInfo> SimulatedHypervisor::info() {
  TRY_VOID(faults_.enter("hypervisor.info", "@hypervisor"));
  return HypervisorInfo{.accelerator = "simulated",
                        .version = "simulated",
                        .cpus = machine_.cpus,
                        .memory_mib = machine_.memory_mib,
                        .problems = {}};
}

Result<std::vector<Domain>> SimulatedHypervisor::list() {
  TRY_VOID(faults_.enter("hypervisor.list", "@hypervisor"));
  std::vector<Domain> domains;
  const std::lock_guard lock(mutex_);
  settle();
  domains.reserve(guests_.size());
  for (const auto& [id, guest] : guests_) domains.push_back(guest.as_domain());
  return domains;
}

Result<std::optional<Domain>> SimulatedHypervisor::look_at(const InstanceId& id) {
  TRY_VOID(faults_.enter("hypervisor.look_at", id.str()));
  const std::lock_guard lock(mutex_);
  settle();
  const auto found = guests_.find(id);
  if (found == guests_.end()) return std::nullopt;
  return found->second.as_domain();
}

Result<void> SimulatedHypervisor::check_room(const DomainSpec& spec) const {
  std::int64_t used = 0;
  for (const auto& [id, guest] : guests_)
    if (guest.on()) used += guest.memory_mib;
  if (used + spec.memory_mib <= machine_.memory_mib) return {};
  return fail(Code::insufficient_instance_capacity,
              fmt::format("The host has not enough memory: needed {} MiB, free {} MiB.", spec.memory_mib,
                          machine_.memory_mib - used));
}

Result<void> SimulatedHypervisor::check_free(const InstanceId& id, const DomainDisk& disk) const {
  for (const auto& [other, guest] : guests_) {
    if (!guest.on()) continue;
    for (const auto& taken : guest.disks) {
      if (taken.volume == disk.volume) return fail(Code::incorrect_state, "The volume is in use by a guest already.");
      if (other == id && taken.slot == disk.slot) return fail(Code::incorrect_state, "The guest's slot is taken.");
    }
  }
  return {};
}

Result<void> SimulatedHypervisor::start_paused(const DomainSpec& spec) {
  return call("hypervisor.start_paused", spec.id, [&]() -> Result<void> {
    if (const auto found = guests_.find(spec.id); found != guests_.end() && found->second.on()) {
      return fail(Code::incorrect_state, "The guest is on already.");
    }
    TRY_VOID(check_room(spec));
    for (const auto& disk : spec.disks) TRY_VOID(check_free(spec.id, disk));
    auto& guest = guests_[spec.id];
    auto console = std::move(guest.console);
    guest = SimulatedGuest{};
    guest.id = spec.id;
    guest.start_number = spec.start_number;
    guest.instance_type = spec.instance_type;
    guest.vcpus = spec.vcpus;
    guest.memory_mib = spec.memory_mib;
    guest.state = DomainState::paused;
    guest.console = std::move(console);
    for (const auto& disk : spec.disks) guest.disks.push_back({.volume = disk.volume, .slot = disk.slot});
    return save(guest);
  });
}

Result<void> SimulatedHypervisor::resume(const InstanceId& id) {
  return call("hypervisor.resume", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    if (guest->state != DomainState::paused) return {};
    guest->boot(clock_.now(), machine_.latencies);
    return save(*guest);
  });
}

Result<void> SimulatedHypervisor::shutdown(const InstanceId& id) {
  return call("hypervisor.shutdown", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    guest->press_power_button(clock_.now(), machine_.latencies);
    return save(*guest);
  });
}

Result<void> SimulatedHypervisor::destroy(const InstanceId& id) {
  return call("hypervisor.destroy", id, [&]() -> Result<void> {
    const auto found = guests_.find(id);
    if (found == guests_.end() || !found->second.on()) return {};
    found->second.go_off(clock_.now(), ExitReason::none);
    return save(found->second);
  });
}

Result<void> SimulatedHypervisor::reboot(const InstanceId& id) {
  return call("hypervisor.reboot", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    guest->ask_reboot(clock_.now(), machine_.latencies);
    return save(*guest);
  });
}

Result<void> SimulatedHypervisor::reset(const InstanceId& id) {
  return call("hypervisor.reset", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    guest->reboot_at_ms = 0;
    ++guest->resets;
    guest->boot(clock_.now(), machine_.latencies);
    return save(*guest);
  });
}

Result<void> SimulatedHypervisor::undefine(const InstanceId& id) {
  return call("hypervisor.undefine", id, [&]() -> Result<void> {
    const auto found = guests_.find(id);
    if (found == guests_.end()) return {};
    if (found->second.on()) return fail(Code::incorrect_state, "The guest is on.");
    forget(id);
    return {};
  });
}

Result<void> SimulatedHypervisor::attach_disk(const InstanceId& id, const DomainDisk& disk) {
  return call("hypervisor.attach_disk", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    TRY_VOID(check_free(id, disk));
    guest->disks.push_back({.volume = disk.volume, .slot = disk.slot});
    return save(*guest);
  });
}

Result<void> SimulatedHypervisor::detach_disk(const InstanceId& id, const VolumeId& volume) {
  return call("hypervisor.detach_disk", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    if (guest->backup.state == DiskBackup::State::running && guest->backup.volume == volume)
      return fail(Code::incorrect_state, "The volume is being copied.");
    for (auto& disk : guest->disks) {
      if (disk.volume != volume || disk.gone_at_ms != 0 || guest->deaf) continue;
      disk.gone_at_ms = (clock_.now() + machine_.latencies.detach).ms;
    }
    return save(*guest);
  });
}

namespace {

Result<void> check_attached(const SimulatedGuest& guest, const VolumeId& volume) {
  const bool attached = std::any_of(guest.disks.begin(), guest.disks.end(),
                                    [&](const SimulatedDisk& disk) { return disk.volume == volume; });
  if (!attached) return fail(Code::incorrect_state, "The volume is not attached to the guest.");
  return {};
}

}  // namespace

Result<void> SimulatedHypervisor::begin_backup(const InstanceId& id, const VolumeId& volume,
                                               const std::string& target) {
  return call("hypervisor.begin_backup", id, [&]() -> Result<void> {
    auto* guest = TRY(find_on(id));
    TRY_VOID(check_attached(*guest, volume));
    guest->begin_backup(volume, target, clock_.now(), machine_.latencies);
    return save(*guest);
  });
}

Result<DiskBackup> SimulatedHypervisor::backup_state(const InstanceId& id) {
  TRY_VOID(faults_.enter("hypervisor.backup_state", id.str()));
  const std::lock_guard lock(mutex_);
  settle();
  const auto found = guests_.find(id);
  return found == guests_.end() ? DiskBackup{} : found->second.backup.seen(clock_.now());
}

Result<void> SimulatedHypervisor::cancel_backup(const InstanceId& id) {
  return call("hypervisor.cancel_backup", id, [&]() -> Result<void> {
    const auto found = guests_.find(id);
    if (found == guests_.end()) return {};
    found->second.cancel_backup();
    return save(found->second);
  });
}

Result<void> SimulatedHypervisor::resize_disk(const InstanceId& id, const VolumeId& volume, std::uint64_t size_gib) {
  return call("hypervisor.resize_disk", id, [&]() -> Result<void> {
    const auto* guest = TRY(find_on(id));
    TRY_VOID(check_attached(*guest, volume));
    return machine_.grow_volume ? machine_.grow_volume(volume, size_gib) : Result<void>();
  });
}

Result<std::string> SimulatedHypervisor::console_output(const InstanceId& id) {
  TRY_VOID(faults_.enter("hypervisor.console_output", id.str()));
  const std::lock_guard lock(mutex_);
  settle();
  const auto found = guests_.find(id);
  return found == guests_.end() ? std::string() : found->second.console_until(clock_.now());
}

Result<std::string> SimulatedHypervisor::console_socket(const InstanceId&) {
  return fail(Code::unsupported_operation, "A simulated guest has no interactive console.");
}

void SimulatedHypervisor::on_change(std::function<void()> changed) {
  const std::lock_guard lock(mutex_);
  changed_ = std::move(changed);
}

Result<void> SimulatedHypervisor::guest_poweroff(const InstanceId& id) {
  const std::lock_guard lock(mutex_);
  auto* guest = TRY(find_on(id));
  guest->go_off(clock_.now(), ExitReason::guest_shutdown);
  unreported_ = true;
  return save(*guest);
}

Result<void> SimulatedHypervisor::kill_process(const InstanceId& id) {
  const std::lock_guard lock(mutex_);
  auto* guest = TRY(find_on(id));
  guest->go_off(clock_.now(), ExitReason::process_killed);
  unreported_ = true;
  return save(*guest);
}

Result<void> SimulatedHypervisor::make_deaf(const InstanceId& id) {
  const std::lock_guard lock(mutex_);
  auto* guest = TRY(find_on(id));
  guest->deaf = true;
  return save(*guest);
}

void SimulatedHypervisor::lose_power() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, guest] : guests_) {
    if (!guest.on()) continue;
    guest.go_off(clock_.now(), ExitReason::none);
    static_cast<void>(save(guest));
  }
}

}  // namespace virga::compute
