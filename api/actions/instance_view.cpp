#include "api/actions/instance_view.h"

#include "api/workflows/tag_specifications.h"
#include "network/zones.h"

namespace virga::api {

namespace {
/// Up to here, asking for each instance is cheaper than reading all that the account has.
constexpr std::size_t few = 20;
}  // namespace

InstanceSurroundings::InstanceSurroundings(Scope& scope, const std::vector<compute::Instance>& instances) {
  if (instances.size() <= few)
    read_each(scope, instances);
  else
    read_all(scope);
}

void InstanceSurroundings::read_each(Scope& scope, const std::vector<compute::Instance>& instances) {
  for (const auto& instance : instances) {
    interfaces_[instance.id] = network::interfaces_of(scope, instance.id);
    attachments_[instance.id] = storage::attachments::of_instance(scope, instance.id);
    tags_[instance.id.str()] = tags::of(scope, instance.id.str());
    for (const auto& interface : interfaces_[instance.id])
      tags_[interface.id.str()] = tags::of(scope, interface.id.str());
  }
}

void InstanceSurroundings::read_all(Scope& scope) {
  for (auto& interface : network::attached_interfaces(scope))
    interfaces_[interface.instance].push_back(std::move(interface));
  for (auto& attachment : storage::attachments::list(scope))
    attachments_[attachment.instance].push_back(std::move(attachment));
  for (auto& tag : tags::list(scope)) tags_[tag.resource_id].emplace(std::move(tag.key), std::move(tag.value));
}

namespace {
template <class Map, class Key>
const typename Map::mapped_type& find_or_empty(const Map& map, const Key& key) {
  static const typename Map::mapped_type empty;
  const auto found = map.find(key);
  return found == map.end() ? empty : found->second;
}
}  // namespace

const std::vector<network::Interface>& InstanceSurroundings::interfaces(const InstanceId& id) const {
  return find_or_empty(interfaces_, id);
}
const std::vector<storage::Attachment>& InstanceSurroundings::attachments(const InstanceId& id) const {
  return find_or_empty(attachments_, id);
}
const tags::Tags& InstanceSurroundings::tags(const std::string& id) const { return find_or_empty(tags_, id); }

ec2::InstanceState to_ec2(compute::InstanceState state) {
  return {compute::state_code(state), std::string(compute::to_string(state))};
}

namespace {

std::vector<ec2::GroupIdentifier> groups_of(const network::Interface& interface) {
  std::vector<ec2::GroupIdentifier> groups;
  for (const auto& group : interface.groups) groups.push_back({group.id.str(), group.name});
  return groups;
}

/// Nothing without a public address. One that EC2 assigned is its own; an elastic one belongs to the account.
std::optional<ec2::InstanceNetworkInterfaceAssociation> association_of(const network::Interface& interface) {
  if (interface.public_ip.empty()) return std::nullopt;
  ec2::InstanceNetworkInterfaceAssociation view;
  view.ip_owner_id = interface.allocation.empty() ? "amazon" : interface.account.str();
  view.public_dns_name = interface.public_dns_name;
  view.public_ip = interface.public_ip;
  return view;
}

ec2::InstanceNetworkInterface to_ec2(const network::Interface& interface) {
  ec2::InstanceNetworkInterface view;
  view.association = association_of(interface);
  view.attachment.emplace();
  view.attachment->attachment_id = interface.attachment.str();
  view.attachment->attach_time = interface.attached;
  view.attachment->delete_on_termination = interface.delete_on_termination;
  view.attachment->device_index = interface.device_index;
  view.attachment->network_card_index = 0;
  view.attachment->status = "attached";
  view.description = interface.description;
  view.groups = groups_of(interface);
  view.mac_address = interface.mac;
  view.network_interface_id = interface.id.str();
  view.owner_id = interface.account.str();
  view.private_dns_name = interface.private_dns_name;
  view.private_ip_address = interface.private_ip;
  view.private_ip_addresses.push_back({view.association, true, interface.private_dns_name, interface.private_ip});
  view.source_dest_check = interface.source_dest_check;
  view.status = "in-use";
  view.subnet_id = interface.subnet.str();
  view.vpc_id = interface.vpc.str();
  view.interface_type = "interface";
  view.operator_.emplace().managed = false;
  return view;
}

void show_network(const compute::Instance& instance, const InstanceSurroundings& around, ec2::Instance& view) {
  view.public_dns_name = "";
  for (const auto& interface : around.interfaces(instance.id)) {
    view.network_interfaces.push_back(to_ec2(interface));
    if (interface.device_index != 0) continue;
    view.private_ip_address = interface.private_ip;
    view.private_dns_name = interface.private_dns_name;
    view.security_groups = groups_of(interface);
    view.source_dest_check = interface.source_dest_check;
    view.public_dns_name = interface.public_dns_name;
    if (!interface.public_ip.empty()) view.public_ip_address = interface.public_ip;
  }
  if (!view.private_dns_name) view.private_dns_name = "";
  if (instance.state == compute::InstanceState::terminated) return;
  view.subnet_id = instance.spec.subnet.str();
  view.vpc_id = instance.spec.vpc.str();
}

void show_devices(const compute::Instance& instance, const InstanceSurroundings& around, ec2::Instance& view) {
  for (const auto& attachment : around.attachments(instance.id)) {
    ec2::EbsInstanceBlockDevice ebs;
    ebs.attach_time = attachment.attached;
    ebs.delete_on_termination = attachment.delete_on_termination;
    ebs.status = std::string(storage::to_string(attachment.state));
    ebs.volume_id = attachment.volume.str();
    view.block_device_mappings.push_back({attachment.device, std::move(ebs)});
  }
  view.root_device_name = instance.spec.root_device;
  view.root_device_type = "ebs";
}

/// What is the same for every instance of Virga, in EC2's words.
void show_constants(ec2::Instance& view) {
  view.architecture = "x86_64";
  view.hypervisor = "xen";  // what EC2 shows, whatever runs underneath
  view.virtualization_type = "hvm";
  view.ena_support = true;
  view.boot_mode = "legacy-bios";
  view.current_instance_boot_mode = "legacy-bios";
  view.platform_details = "Linux/UNIX";
  view.usage_operation = "RunInstances";
  view.operator_.emplace().managed = false;
  view.hibernation_options.emplace().configured = false;
  view.enclave_options.emplace().enabled = false;
  view.capacity_reservation_specification.emplace().capacity_reservation_preference = "open";
  view.network_performance_options.emplace().bandwidth_weighting = "default";
  auto& names = view.private_dns_name_options.emplace();
  names.hostname_type = "ip-name";
  names.enable_resource_name_dns_a_record = false;
  names.enable_resource_name_dns_aaaa_record = false;
}

void show_options(const compute::Instance& instance, const Config& config, ec2::Instance& view) {
  const auto& spec = instance.spec;
  view.ebs_optimized = spec.ebs_optimized;
  view.monitoring.emplace().state = spec.monitoring ? "enabled" : "disabled";
  auto& maintenance = view.maintenance_options.emplace();
  maintenance.auto_recovery = std::string(to_string(spec.auto_recovery));
  maintenance.reboot_migration = "default";
  auto& placement = view.placement.emplace();
  placement.availability_zone = spec.zone;
  if (const auto zone = network::zone_by_name(config, spec.zone)) placement.availability_zone_id = zone->id;
  placement.group_name = "";
  placement.tenancy = "default";
  auto& options = view.metadata_options.emplace();
  options.state = "applied";
  options.http_tokens = spec.metadata.http_tokens;
  options.http_endpoint = spec.metadata.http_endpoint;
  options.http_put_response_hop_limit = spec.metadata.http_put_response_hop_limit;
  options.http_protocol_ipv6 = "disabled";
  options.instance_metadata_tags = spec.metadata.instance_metadata_tags;
  auto& cpu = view.cpu_options.emplace();
  const auto type = compute::find_instance_type(instance.type_name);
  cpu.threads_per_core = type ? type->threads_per_core : 1;
  cpu.core_count = spec.type.vcpus / *cpu.threads_per_core;
}

}  // namespace

ec2::Instance to_ec2(const compute::Instance& instance, const InstanceSurroundings& around, const Config& config) {
  ec2::Instance view;
  show_constants(view);
  show_options(instance, config, view);
  show_network(instance, around, view);
  show_devices(instance, around, view);
  view.instance_id = instance.id.str();
  view.image_id = instance.spec.image.str();
  view.instance_type = instance.type_name;
  view.state = to_ec2(instance.state);
  view.state_transition_reason = instance.transition_reason;
  if (!instance.reason_code.empty())
    view.state_reason = ec2::StateReason{instance.reason_code, instance.reason_message};
  if (!instance.spec.key_name.empty()) view.key_name = instance.spec.key_name;
  if (!instance.spec.client_token.empty()) view.client_token = instance.spec.client_token;
  view.ami_launch_index = instance.spec.launch_index;
  view.launch_time = instance.launched;
  view.usage_operation_update_time = instance.created;
  view.tags = to_ec2(around.tags(instance.id.str()));
  return view;
}

ec2::Reservation reservation_of(const compute::Instance& instance, const InstanceSurroundings& around,
                                const Config& config) {
  ec2::Reservation reservation;
  reservation.reservation_id = instance.spec.reservation.str();
  reservation.owner_id = instance.account.str();
  reservation.instances.push_back(to_ec2(instance, around, config));
  return reservation;
}

std::vector<ec2::Reservation> merge_reservations(std::vector<ec2::Reservation> single) {
  std::vector<ec2::Reservation> merged;
  std::map<std::string, std::size_t> places;
  for (auto& reservation : single) {
    const auto [place, is_new] = places.emplace(*reservation.reservation_id, merged.size());
    if (is_new)
      merged.push_back(std::move(reservation));
    else
      merged[place->second].instances.push_back(std::move(reservation.instances.front()));
  }
  return merged;
}

}  // namespace virga::api
