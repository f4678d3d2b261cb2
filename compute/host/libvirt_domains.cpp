#include "compute/host/libvirt_domains.h"

#include <algorithm>

#include "compute/host/guest_user.h"

namespace virga::compute {
namespace {

struct Seen {
  DomainState state = DomainState::off;
  ExitReason exit_reason = ExitReason::none;
};

// How a domain that is off went off. libvirt says "crashed" when QEMU's process ended without the guest having shut
// down: kill -9, the OOM killer, an abort of QEMU. (A crash of the guest's kernel would need a panic device to be told;
// it ends in a reset instead.) It says "daemon" when it found that end while it took up its guests after a restart of
// its own; of one that ended before, the reason is unknown.
ExitReason exit_reason(int reason) {
  switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
      return ExitReason::guest_shutdown;
    case VIR_DOMAIN_SHUTOFF_CRASHED:
    case VIR_DOMAIN_SHUTOFF_DAEMON:
      return ExitReason::process_killed;
    default:
      return ExitReason::none;
  }
}

Seen seen(int state, int reason) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
      return {DomainState::running, ExitReason::none};
    case VIR_DOMAIN_PAUSED:
      return {reason == VIR_DOMAIN_PAUSED_SHUTTING_DOWN ? DomainState::shutting_down : DomainState::paused,
              ExitReason::none};
    case VIR_DOMAIN_PMSUSPENDED:
      return {DomainState::paused, ExitReason::none};
    case VIR_DOMAIN_SHUTDOWN:
      return {DomainState::shutting_down, ExitReason::none};
    case VIR_DOMAIN_CRASHED:
      return {DomainState::off, ExitReason::guest_crashed};
    default:
      return {DomainState::off, exit_reason(reason)};
  }
}

Result<Seen> state_of(virDomainPtr domain) {
  int state = 0;
  int reason = 0;
  if (virDomainGetState(domain, &state, &reason, 0) < 0) return fail(last_libvirt_error("state"));
  return seen(state, reason);
}

Result<std::string> xml_of(virDomainPtr domain) {
  const LibvirtString xml(virDomainGetXMLDesc(domain, 0));
  if (xml.text == nullptr) return fail(last_libvirt_error("describe"));
  return std::string(xml.text);
}

Error not_running(const char* verb) {
  return {Code::incorrect_state, "The instance is not running", std::string(verb) + ": domain is off"};
}

// libvirt refuses what makes no sense for a domain that is off with this code.
bool was_off() { return last_libvirt_code() == VIR_ERR_OPERATION_INVALID; }
bool was_gone() { return last_libvirt_code() == VIR_ERR_NO_DOMAIN; }

}  // namespace

Result<std::optional<FileOwner>> guest_owner(virConnectPtr connection) {
  const LibvirtString xml(virConnectGetCapabilities(connection));
  if (xml.text == nullptr) return fail(last_libvirt_error("capabilities"));
  return read_guest_owner(xml.text);
}

Result<void> let_guest_read(virConnectPtr connection, std::span<const DomainDisk> disks) {
  const bool any =
      std::any_of(disks.begin(), disks.end(), [](const DomainDisk& disk) { return !disk.backing.empty(); });
  if (!any) return {};
  const auto owner = TRY(guest_owner(connection));
  if (!owner) return {};
  const auto readers = TRY(guest_readers(*owner));
  for (const auto& disk : disks)
    for (const auto& file : disk.backing) TRY_VOID(let_read(file, readers));
  return {};
}

Result<DomainHandle> find_domain(virConnectPtr connection, const std::string& realm, const InstanceId& id) {
  DomainHandle domain(virDomainLookupByUUIDString(connection, domain_uuid(realm, id).c_str()));
  if (!domain && !was_gone()) return fail(last_libvirt_error("look up"));
  return domain;
}

Result<std::optional<Domain>> describe_domain(virDomainPtr handle, const std::string& realm) {
  auto xml = xml_of(handle);
  if (!xml && was_gone()) return std::nullopt;
  if (!xml) return fail(std::move(xml.error()));
  const auto facts = read_domain(*xml);
  if (!facts || facts->realm != realm) return std::nullopt;
  auto state = state_of(handle);
  if (!state && was_gone()) return std::nullopt;
  if (!state) return fail(std::move(state.error()));
  Domain domain{facts->id, facts->start_number, state->state, state->exit_reason, {}};
  // A definition lists the disks of the last start; a domain that is off has none of them open.
  if (domain.state != DomainState::off) domain.disks = facts->disks;
  return domain;
}

Result<std::vector<Domain>> list_domains(virConnectPtr connection, const std::string& realm) {
  virDomainPtr* raw = nullptr;
  const int count = virConnectListAllDomains(connection, &raw, 0);
  if (count < 0) return fail(last_libvirt_error("list"));
  std::vector<DomainHandle> handles(raw, raw + count);
  free(raw);
  std::vector<Domain> domains;
  for (const auto& handle : handles) {
    auto domain = TRY(describe_domain(handle.get(), realm));
    if (domain) domains.push_back(std::move(*domain));
  }
  return domains;
}

Result<void> define_and_start_paused(virConnectPtr connection, const std::string& realm, const DomainSpec& spec,
                                     const std::string& xml) {
  const auto old = TRY(find_domain(connection, realm, spec.id));
  if (old) {
    const auto state = TRY(state_of(old.get()));
    if (state.state != DomainState::off) {
      const auto facts = read_domain(TRY(xml_of(old.get())));
      if (facts && facts->start_number == spec.start_number) return {};
      return fail(Code::incorrect_state, "The instance is still running", "start: an earlier start is on");
    }
  }
  const DomainHandle domain(virDomainDefineXMLFlags(connection, xml.c_str(), 0));
  if (!domain) return fail(last_libvirt_error("define"));
  if (virDomainCreateWithFlags(domain.get(), VIR_DOMAIN_START_PAUSED) < 0) return fail(last_libvirt_error("start"));
  return {};
}

Result<void> resume_domain(virDomainPtr domain) {
  const auto state = TRY(state_of(domain));
  if (state.state == DomainState::running) return {};
  if (state.state == DomainState::off) return fail(not_running("resume"));
  if (virDomainResume(domain) < 0) return fail(last_libvirt_error("resume"));
  return {};
}

Result<void> shutdown_domain(virDomainPtr domain) {
  if (virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0 && !was_off() && !was_gone()) {
    return fail(last_libvirt_error("shut down"));
  }
  return {};
}

Result<void> destroy_domain(virDomainPtr domain) {
  if (virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_DEFAULT) < 0 && !was_off() && !was_gone()) {
    return fail(last_libvirt_error("destroy"));
  }
  return {};
}

Result<void> undefine_domain(virDomainPtr domain) {
  const auto state = TRY(state_of(domain));
  if (state.state != DomainState::off) {
    return fail(Code::incorrect_state, "The instance is still running", "undefine: domain is on");
  }
  constexpr unsigned flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                             VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM;
  if (virDomainUndefineFlags(domain, flags) < 0 && !was_gone()) return fail(last_libvirt_error("undefine"));
  return {};
}

Result<void> attach_volume(virDomainPtr domain, const DomainDisk& disk, const DomainSettings& settings) {
  const auto state = TRY(state_of(domain));
  if (state.state == DomainState::off) return fail(not_running("attach"));
  const auto before = TRY(xml_of(domain));
  if (find_disk(before, disk.volume)) return {};
  TRY_VOID(let_guest_read(virDomainGetConnect(domain), {&disk, 1}));
  const auto xml = TRY(disk_xml(disk, settings));
  if (virDomainAttachDeviceFlags(domain, xml.c_str(), VIR_DOMAIN_AFFECT_LIVE) < 0) {
    return fail(last_libvirt_error("attach " + disk.volume.str()));
  }
  return {};
}

Result<void> detach_volume(virDomainPtr domain, const VolumeId& volume) {
  const auto state = TRY(state_of(domain));
  if (state.state == DomainState::off) return {};
  const auto disk = find_disk(TRY(xml_of(domain)), volume);
  if (!disk) return {};
  if (virDomainDetachDeviceFlags(domain, disk->c_str(), VIR_DOMAIN_AFFECT_LIVE) >= 0) return {};
  // Asked before, and the guest has not let go yet: libvirt does not ask again, list() goes on showing it.
  const auto* error = virGetLastError();
  if (error != nullptr && error->message != nullptr &&
      std::string_view(error->message).find("in the process of unplug") != std::string_view::npos) {
    return {};
  }
  if (last_libvirt_code() == VIR_ERR_DEVICE_MISSING) return {};
  return fail(last_libvirt_error("detach " + volume.str()));
}

Result<void> resize_volume(virDomainPtr domain, const VolumeId& volume, std::uint64_t size_gib) {
  const auto state = TRY(state_of(domain));
  if (state.state == DomainState::off) return fail(not_running("resize"));
  const auto target = find_disk_target(TRY(xml_of(domain)), volume);
  if (!target) {
    return fail(Code::incorrect_state, "The volume " + volume.str() + " is not attached to the instance.");
  }
  const unsigned long long wanted = size_gib << 30;
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(domain, target->c_str(), &info, 0) < 0) {
    return fail(last_libvirt_error("size of " + volume.str()));
  }
  if (info.capacity >= wanted) return {};
  if (virDomainBlockResize(domain, target->c_str(), wanted, VIR_DOMAIN_BLOCK_RESIZE_BYTES) < 0) {
    return fail(last_libvirt_error("resize " + volume.str()));
  }
  return {};
}

}  // namespace virga::compute
