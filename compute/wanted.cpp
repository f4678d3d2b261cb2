#include "compute/wanted.h"

#include "core/json_values.h"

namespace virga::compute {

VIRGA_JSON_DEFINE_ENUM(Power, {Power::stopped, "stopped"}, {Power::running, "running"})
VIRGA_JSON_DEFINE_ENUM(GuestState, {GuestState::waiting, "waiting"}, {GuestState::running, "running"},
                       {GuestState::stopping, "stopping"}, {GuestState::stopped, "stopped"},
                       {GuestState::exited, "exited"}, {GuestState::failed, "failed"})
VIRGA_JSON_DEFINE_ENUM(ExitReason, {ExitReason::none, "none"}, {ExitReason::guest_shutdown, "guest-shutdown"},
                       {ExitReason::guest_crashed, "guest-crashed"}, {ExitReason::process_killed, "process-killed"})
VIRGA_JSON_DEFINE(WantedDisk, volume, device, slot, root)
VIRGA_JSON_DEFINE(WantedNic, interface, number, vpc, vpc_number, mac, device_index)
VIRGA_JSON_DEFINE(MetadataOptions, http_tokens, http_endpoint, http_put_response_hop_limit, instance_metadata_tags)
VIRGA_JSON_DEFINE(MetadataNic, interface, device_index, mac, private_ip, subnet, subnet_cidr, vpc, vpc_cidr,
                  security_groups, security_group_ids, public_ip, public_hostname)
VIRGA_JSON_DEFINE(Metadata, options, ami_id, ami_launch_index, instance_type, local_hostname, availability_zone, region,
                  reservation_id, account, architecture, pending_time, key_name, public_key, user_data, has_user_data,
                  nics, tags, block_devices)
VIRGA_JSON_DEFINE(WantedInstance, id, generation, number, account, power, start_number, reboot_number,
                  shutdown_timeout_s, instance_type, vcpus, memory_mib, disks, nics, metadata)
VIRGA_JSON_DEFINE(ObservedDisk, volume, attached, problem)
VIRGA_JSON_DEFINE(ObservedInstance, id, generation, start_number, state, exit_reason, disks, problem)

}  // namespace virga::compute
