#pragma once

// Carries out the steps of plan_instance. Dull: what is to be done was decided there.

#include "hostapi/agent/guest_records.h"
#include "hostapi/agent/parts.h"
#include "hostapi/agent/plan_instance.h"

namespace virga::hostapi {

class InstanceSteps {
 public:
  InstanceSteps(const Shared& shared, GuestRecords& records, std::string boot_id)
      : shared_(shared), records_(records), boot_id_(std::move(boot_id)) {}

  Result<void> run(const InstanceStep& step, const InstanceFacts& facts);
  /// Deletes the taps of all interfaces that are, or are said to be, this instance's.
  Result<void> unplug_all(const InstanceId& id, const std::vector<compute::WantedNic>& nics);

 private:
  Result<void> launch(const compute::WantedInstance& wanted, const GuestRecord& before);
  Result<void> start_paused(const compute::WantedInstance& wanted);
  /// From a paused domain to a running guest.
  Result<void> continue_launch(const compute::WantedInstance& wanted, const GuestRecord& before);
  Result<void> plug_and_resume(const compute::WantedInstance& wanted);
  /// Takes a launch back, so that the next one begins from nothing.
  void undo_launch(const compute::WantedInstance& wanted, const GuestRecord& before);
  Result<compute::DomainDisk> domain_disk(const compute::WantedDisk& disk) const;
  Result<std::string> create_tap(const compute::WantedNic& nic);
  Result<void> plug(const compute::WantedNic& nic);
  Result<void> plug(const compute::WantedInstance& wanted, const NetworkInterfaceId& interface);
  Result<void> record_start(const compute::WantedInstance& wanted, std::uint64_t reboot_number);
  Result<void> reboot(const InstanceFacts& facts);
  Result<void> attach(const compute::WantedInstance& wanted, const VolumeId& volume);
  Result<void> forget(const InstanceId& id);
  /// The newest document of a VPC, with its lock held by the caller.
  Result<network::WantedVpc> vpc_document(const VpcId& id) const;

  Shared shared_;
  GuestRecords& records_;
  const std::string boot_id_;
};

}  // namespace virga::hostapi
