// wanted_instance of compute/sync.h: what a host must know of an instance, from the rows of all three services.

#include <fmt/format.h>

#include "compute/instances.h"
#include "compute/sync.h"
#include "network/interfaces.h"
#include "storage/volumes.h"

namespace virga {

namespace {

using compute::Instance;
using compute::WantedInstance;

void add_disks(Scope& scope, const Instance& instance, WantedInstance& wanted) {
  auto& devices = wanted.metadata.block_devices;
  devices["ami"] = instance.spec.root_device;
  int number = 0;
  for (const auto& attachment : storage::attachments::of_instance(scope, instance.id)) {
    if (attachment.state == storage::AttachmentState::detaching) continue;
    wanted.disks.push_back({attachment.volume, attachment.device, attachment.slot, attachment.root});
    if (attachment.root)
      devices["root"] = attachment.device;
    else
      devices[fmt::format("ebs{}", ++number)] = attachment.device.substr(std::string_view("/dev/").size());
  }
}

compute::MetadataNic metadata_of(const network::Interface& interface) {
  compute::MetadataNic nic{.interface = interface.id,
                           .device_index = interface.device_index,
                           .mac = interface.mac,
                           .private_ip = interface.private_ip,
                           .subnet = interface.subnet,
                           .subnet_cidr = interface.subnet_cidr,
                           .vpc = interface.vpc,
                           .vpc_cidr = interface.vpc_cidr,
                           .security_groups = {},
                           .security_group_ids = {},
                           .public_ip = interface.public_ip,
                           .public_hostname = interface.public_dns_name};
  for (const auto& group : interface.groups) {
    nic.security_groups.push_back(group.name);
    nic.security_group_ids.push_back(group.id.str());
  }
  return nic;
}

void add_nics(Scope& scope, const Instance& instance, WantedInstance& wanted) {
  for (const auto& interface : network::interfaces_of(scope, instance.id)) {
    wanted.nics.push_back(
        {interface.id, interface.number, interface.vpc, interface.vpc_number, interface.mac, interface.device_index});
    wanted.metadata.nics.push_back(metadata_of(interface));
    if (interface.device_index == 0) wanted.metadata.local_hostname = interface.private_dns_name;
  }
}

void add_metadata(Scope& scope, const Config& config, const Instance& instance, WantedInstance& wanted) {
  auto& metadata = wanted.metadata;
  metadata.options = instance.spec.metadata;
  metadata.ami_id = instance.spec.image.str();
  metadata.ami_launch_index = instance.spec.launch_index;
  metadata.instance_type = instance.type_name;
  metadata.availability_zone = instance.spec.zone;
  metadata.region = config.region;
  metadata.reservation_id = instance.spec.reservation.str();
  metadata.account = instance.account.str();
  metadata.architecture = "x86_64";
  metadata.pending_time = to_iso8601({instance.launched.ms / 1000 * 1000}).substr(0, 19) + "Z";
  metadata.key_name = instance.spec.key_name;
  metadata.public_key = instance.spec.public_key;
  metadata.user_data = instance.spec.user_data.value_or("");
  metadata.has_user_data = instance.spec.user_data.has_value();
  if (instance.spec.metadata.instance_metadata_tags == "enabled") metadata.tags = tags::of(scope, instance.id.str());
}

}  // namespace

std::optional<WantedInstance> compute::wanted_instance(store::Transaction& tx, const Config& config,
                                                       const InstanceId& id) {
  const auto instance = instances::find_anywhere(tx, id);
  if (!instance || !is_alive(instance->state)) return std::nullopt;
  SystemIdSource unused;  // reading makes no ids
  Scope scope{tx, instance->account, {}, unused, "virga", "wanted_instance", {}};
  WantedInstance wanted;
  wanted.id = id;
  wanted.number = instance->number;
  wanted.account = instance->account;
  wanted.power = instance->image_hold.empty() ? instance->power : Power::stopped;
  wanted.start_number = instance->start_number;
  wanted.reboot_number = instance->reboot_number;
  wanted.shutdown_timeout_s = instance->shutdown_timeout_s;
  wanted.instance_type = instance->type_name;
  wanted.vcpus = instance->spec.type.vcpus;
  wanted.memory_mib = instance->spec.type.memory_mib;
  add_disks(scope, *instance, wanted);
  add_nics(scope, *instance, wanted);
  add_metadata(scope, config, *instance, wanted);
  return wanted;
}

}  // namespace virga
