#include "hostapi/agent/instance_steps.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace virga::hostapi {

using Kind = InstanceStepKind;

Result<void> InstanceSteps::run(const InstanceStep& step, const InstanceFacts& facts) {
  const auto& wanted = facts.wanted;
  switch (step.kind) {
    case Kind::record_start: {
      // A start carried out by an earlier run of the role, which did not come to write it down: no reboot is owed.
      const bool same = facts.record.start_number == wanted.start_number;
      return record_start(wanted, same ? facts.record.reboot_number : wanted.reboot_number);
    }
    case Kind::record_exit: {
      auto record = facts.record;
      record.exited = true;
      record.exit_reason = step.reason;
      return records_.write(wanted.id, record);
    }
    case Kind::launch:
      return launch(wanted, facts.record);
    case Kind::continue_launch:
      return continue_launch(wanted, facts.record);
    case Kind::plug:
      return plug(wanted, step.interface);
    case Kind::resume:
      return shared_.ports.hypervisor.resume(wanted.id);
    case Kind::shutdown:
      return shared_.ports.hypervisor.shutdown(wanted.id);
    case Kind::destroy:
      return shared_.ports.hypervisor.destroy(wanted.id);
    case Kind::unplug_all:
      return unplug_all(wanted.id, wanted.nics);
    case Kind::forget:
      return forget(wanted.id);
    case Kind::reboot:
      return reboot(facts);
    case Kind::reset:
      return shared_.ports.hypervisor.reset(wanted.id);
    case Kind::attach_disk:
      return attach(wanted, step.volume);
    case Kind::detach_disk:
      return shared_.ports.hypervisor.detach_disk(wanted.id, step.volume);
  }
  return {};
}

Result<compute::DomainDisk> InstanceSteps::domain_disk(const compute::WantedDisk& disk) const {
  const auto documents = shared_.documents.current();
  const auto found = documents->volumes.find(disk.volume);
  // Without the document nothing says what the volume is an overlay on, and a guest would see zeros in its place.
  if (found == documents->volumes.end() || found->second->remnant) {
    return fail(Code::incorrect_state, "The volume " + disk.volume.str() + " is not on the instance's host.");
  }
  const auto& volumes = shared_.ports.volumes;
  return compute::DomainDisk{.volume = disk.volume,
                             .path = volumes.path(disk.volume),
                             .slot = disk.slot,
                             .backing = volumes.backing(found->second->wanted)};
}

Result<void> InstanceSteps::launch(const compute::WantedInstance& wanted, const GuestRecord& before) {
  auto done = start_paused(wanted);
  if (done) done = plug_and_resume(wanted);
  if (!done) undo_launch(wanted, before);
  return done;
}

Result<void> InstanceSteps::continue_launch(const compute::WantedInstance& wanted, const GuestRecord& before) {
  auto done = plug_and_resume(wanted);
  if (!done) undo_launch(wanted, before);
  return done;
}

Result<void> InstanceSteps::start_paused(const compute::WantedInstance& wanted) {
  compute::DomainSpec spec{.id = wanted.id,
                           .start_number = wanted.start_number,
                           .account = wanted.account,
                           .instance_type = wanted.instance_type,
                           .vcpus = wanted.vcpus,
                           .memory_mib = wanted.memory_mib,
                           .disks = {},
                           .nics = {}};
  for (const auto& disk : wanted.disks) {
    auto opened = TRY(domain_disk(disk));
    spec.disks.push_back(std::move(opened));
  }
  auto nics = wanted.nics;
  std::sort(nics.begin(), nics.end(), [](const auto& a, const auto& b) { return a.device_index < b.device_index; });
  for (const auto& nic : nics) {
    auto tap = TRY(create_tap(nic));
    spec.nics.push_back({.interface = nic.interface, .tap = std::move(tap), .mac = nic.mac});
  }
  return shared_.ports.hypervisor.start_paused(spec);
}

Result<void> InstanceSteps::plug_and_resume(const compute::WantedInstance& wanted) {
  for (const auto& nic : wanted.nics) TRY_VOID(plug(nic));
  // Written before the guest runs: a guest that ends right after resuming has been started, and is not started again.
  TRY_VOID(record_start(wanted, wanted.reboot_number));
  return shared_.ports.hypervisor.resume(wanted.id);
}

void InstanceSteps::undo_launch(const compute::WantedInstance& wanted, const GuestRecord& before) {
  // The record first: a domain that is gone while its start is on record would count as a guest that ended by itself.
  if (const auto written = records_.write(wanted.id, before); !written) {
    spdlog::error("compute: take back the start of {}: {}", wanted.id.str(), describe(written.error()));
    return;
  }
  if (const auto destroyed = shared_.ports.hypervisor.destroy(wanted.id); !destroyed) {
    spdlog::warn("compute: destroy {} after a failed launch: {}", wanted.id.str(), describe(destroyed.error()));
    return;  // it stays paused; the next pass goes on from there
  }
  if (const auto unplugged = unplug_all(wanted.id, wanted.nics); !unplugged) {
    spdlog::warn("compute: unplug {} after a failed launch: {}", wanted.id.str(), describe(unplugged.error()));
  }
}

Result<network::WantedVpc> InstanceSteps::vpc_document(const VpcId& id) const {
  const auto wanted = shared_.documents.current();
  const auto found = wanted->vpcs.find(id);
  if (found == wanted->vpcs.end() || found->second->remnant) {
    return fail(Code::incorrect_state, "The instance's VPC is not on its host.", id.str());
  }
  return found->second->wanted;
}

Result<std::string> InstanceSteps::create_tap(const compute::WantedNic& nic) {
  const auto lock = shared_.vpc_locks.lock(nic.vpc);
  return shared_.ports.network.create_tap(TRY(vpc_document(nic.vpc)), nic.interface);
}

Result<void> InstanceSteps::plug(const compute::WantedNic& nic) {
  const auto lock = shared_.vpc_locks.lock(nic.vpc);
  const auto vpc = TRY(vpc_document(nic.vpc));
  if (shared_.ports.network.is_plugged(vpc, nic.interface)) return {};
  return shared_.ports.network.plug(vpc, nic.interface);
}

Result<void> InstanceSteps::plug(const compute::WantedInstance& wanted, const NetworkInterfaceId& interface) {
  for (const auto& nic : wanted.nics)
    if (nic.interface == interface) return plug(nic);
  return {};
}

Result<void> InstanceSteps::unplug_all(const InstanceId& id, const std::vector<compute::WantedNic>& nics) {
  std::map<VpcId, std::set<NetworkInterfaceId>> interfaces;
  for (const auto& nic : nics) interfaces[nic.vpc].insert(nic.interface);
  const auto wanted = shared_.documents.current();
  for (const auto& [vpc, entry] : wanted->vpcs)
    for (const auto& interface : entry->wanted.interfaces)
      if (interface.local && interface.instance == id) interfaces[vpc].insert(interface.id);
  for (const auto& [vpc, ids] : interfaces) {
    const auto lock = shared_.vpc_locks.lock(vpc);
    const auto document = vpc_document(vpc);
    if (!document) continue;  // a VPC goes after its last interface: there is none
    for (const auto& interface : ids) TRY_VOID(shared_.ports.network.unplug(*document, interface));
  }
  return {};
}

Result<void> InstanceSteps::record_start(const compute::WantedInstance& wanted, std::uint64_t reboot_number) {
  return records_.write(wanted.id, {.start_number = wanted.start_number,
                                    .reboot_number = reboot_number,
                                    .boot_id = boot_id_,
                                    .exited = false,
                                    .exit_reason = compute::ExitReason::none});
}

Result<void> InstanceSteps::reboot(const InstanceFacts& facts) {
  const auto& id = facts.wanted.id;
  if (const auto asked = shared_.ports.hypervisor.reboot(id); !asked) {
    spdlog::info("compute: {} cannot be asked to reboot, it is reset: {}", id.str(), describe(asked.error()));
    TRY_VOID(shared_.ports.hypervisor.reset(id));
  }
  auto record = facts.record;
  record.reboot_number = facts.wanted.reboot_number;
  return records_.write(id, record);
}

Result<void> InstanceSteps::attach(const compute::WantedInstance& wanted, const VolumeId& volume) {
  for (const auto& disk : wanted.disks) {
    if (disk.volume != volume) continue;
    const auto plugged = TRY(domain_disk(disk));
    return shared_.ports.hypervisor.attach_disk(wanted.id, plugged);
  }
  return {};
}

Result<void> InstanceSteps::forget(const InstanceId& id) {
  TRY_VOID(shared_.ports.hypervisor.undefine(id));
  TRY_VOID(records_.forget(id));
  return shared_.documents.forget(DocumentKind::instance, id.str());
}

}  // namespace virga::hostapi
