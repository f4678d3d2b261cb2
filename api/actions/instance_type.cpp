#include <algorithm>
#include <set>

#include "api/action.h"
#include "compute/instance_types.h"
#include "ec2/op/DescribeInstanceTypeOfferings.h"
#include "ec2/op/DescribeInstanceTypes.h"
#include "network/zones.h"

namespace virga::api {

namespace {

constexpr int max_attachments = 26;  ///< the root volume and 25 more
constexpr std::string_view network_performance = "Up to 5 Gigabit";

ec2::VCpuInfo cpus_of(const compute::InstanceType& type) {
  ec2::VCpuInfo view;
  view.default_v_cpus = type.vcpus;
  view.default_cores = type.cores();
  view.default_threads_per_core = type.threads_per_core;
  view.valid_cores = {type.cores()};
  view.valid_threads_per_core = {type.threads_per_core};
  return view;
}

ec2::NetworkInfo network_of(const compute::InstanceType& type) {
  ec2::NetworkInfo view;
  view.network_performance = network_performance;
  view.maximum_network_interfaces = type.max_interfaces;
  view.maximum_network_cards = 1;
  view.default_network_card_index = 0;
  ec2::NetworkCardInfo card;
  card.network_card_index = 0;
  card.network_performance = network_performance;
  card.maximum_network_interfaces = type.max_interfaces;
  view.network_cards.push_back(card);
  view.ipv4_addresses_per_interface = type.addresses_per_interface;
  view.ipv6_addresses_per_interface = 0;
  view.ipv6_supported = false;
  view.ena_support = "supported";
  view.efa_supported = false;
  view.encryption_in_transit_supported = false;
  return view;
}

ec2::EbsInfo ebs_info() {
  ec2::EbsInfo view;
  view.ebs_optimized_support = "default";
  view.encryption_support = "unsupported";
  view.nvme_support = "unsupported";
  view.maximum_ebs_attachments = max_attachments;
  return view;
}

ec2::InstanceTypeInfo to_ec2(const compute::InstanceType& type) {
  ec2::InstanceTypeInfo view;
  view.instance_type = type.name;
  view.current_generation = type.current_generation;
  view.free_tier_eligible = type.name == "t2.micro" || type.name == "t3.micro";
  view.supported_usage_classes = {"on-demand"};
  view.supported_root_device_types = {"ebs"};
  view.supported_virtualization_types = {"hvm"};
  view.bare_metal = false;
  view.hypervisor = "nitro";
  view.processor_info.emplace().supported_architectures = {"x86_64"};
  view.v_cpu_info = cpus_of(type);
  view.memory_info.emplace().size_in_mi_b = type.memory_mib;
  view.instance_storage_supported = false;
  view.ebs_info = ebs_info();
  view.network_info = network_of(type);
  view.placement_group_info.emplace();  // there are no groups; Terraform's data source insists on being told
  view.hibernation_supported = false;
  view.burstable_performance_supported = type.burstable;
  view.dedicated_hosts_supported = false;
  view.auto_recovery_supported = false;
  view.supported_boot_modes = {"legacy-bios"};
  view.nitro_enclaves_support = "unsupported";
  view.nitro_tpm_support = "unsupported";
  return view;
}

Result<ec2::DescribeInstanceTypesResult> describe_instance_types(Call& call,
                                                                 const ec2::DescribeInstanceTypesRequest& request) {
  const std::set<std::string, std::less<>> wanted(request.instance_types.begin(), request.instance_types.end());
  for (const auto& name : wanted) TRY_VOID(compute::find_instance_type(name));
  auto page = call.listing<ec2::InstanceTypeInfo>();
  for (const auto& type : compute::instance_types()) {
    if (!wanted.empty() && !wanted.contains(type.name)) continue;
    if (!page.offer(type.name, to_ec2(type))) break;
  }
  ec2::DescribeInstanceTypesResult response;
  response.instance_types = page.take();
  return response;
}

/// The locations of a kind, in ascending order.
std::vector<std::string> locations(const Config& config, std::string_view kind) {
  std::vector<std::string> names;
  if (kind == "region") names.push_back(config.region);
  for (const auto& zone : network::zones(config)) {
    if (kind == "availability-zone") names.push_back(zone.name);
    if (kind == "availability-zone-id") names.push_back(zone.id);
  }
  std::ranges::sort(names);
  return names;
}

/// Every host runs every type, so each is offered everywhere.
Result<ec2::DescribeInstanceTypeOfferingsResult> describe_offerings(
    Call& call, const ec2::DescribeInstanceTypeOfferingsRequest& request) {
  const auto kind = request.location_type.value_or("region");
  auto page = call.listing<ec2::InstanceTypeOffering>();
  bool full = false;
  for (const auto& type : compute::instance_types()) {
    for (const auto& location : locations(call.config(), kind)) {
      const auto key = std::string(type.name) + "\x01" + location;
      full = full || !page.offer(key, {std::string(type.name), kind, location});
    }
    if (full) break;
  }
  ec2::DescribeInstanceTypeOfferingsResult response;
  response.instance_type_offerings = page.take();
  return response;
}

}  // namespace

std::vector<Action> instance_type_actions() {
  return {action("DescribeInstanceTypes", Access::read, &describe_instance_types,
                 {.only = {{"IncludeUnsupportedInRegion", {"false"}}}}),
          action("DescribeInstanceTypeOfferings", Access::read, &describe_offerings,
                 {.only = {{"LocationType", {"region", "availability-zone", "availability-zone-id"}}}})};
}

}  // namespace virga::api
