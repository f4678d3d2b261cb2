#pragma once

// What crosses the host API about instances: plain values.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/json_declare.h"

namespace virga::compute {

struct WantedDisk {
  VolumeId volume;
  std::string device;      ///< EC2's name: /dev/sda1, /dev/xvda, /dev/sdf
  int slot = 0;            ///< 0: vda (root), 1: vdb, ...: fixed while the volume is attached
  bool root = false;
};

struct WantedNic {
  NetworkInterfaceId interface;
  std::uint32_t number = 0;  ///< of the interface; its tap's name derives from it
  VpcId vpc;
  std::uint32_t vpc_number = 0;
  std::string mac;
  int device_index = 0;
};

struct MetadataOptions {
  std::string http_tokens = "optional";    ///< optional | required
  std::string http_endpoint = "enabled";   ///< enabled | disabled
  int http_put_response_hop_limit = 1;     ///< 1-64
  std::string instance_metadata_tags = "disabled";
};

/// What the metadata service (169.254.169.254) tells the guest.
struct MetadataNic {
  NetworkInterfaceId interface;
  int device_index = 0;
  std::string mac;
  std::string private_ip;
  SubnetId subnet;
  std::string subnet_cidr;
  VpcId vpc;
  std::string vpc_cidr;
  std::vector<std::string> security_groups;
  std::vector<std::string> security_group_ids;
  std::string public_ip;        ///< empty: none
  std::string public_hostname;  ///< empty: none, or the VPC gives no public names
};

struct Metadata {
  MetadataOptions options;
  std::string ami_id;
  int ami_launch_index = 0;
  std::string instance_type;
  std::string local_hostname;  ///< ip-172-31-0-10.ec2.internal
  std::string availability_zone;
  std::string region;
  std::string reservation_id;
  std::string account;
  std::string architecture;    ///< x86_64
  std::string pending_time;    ///< ISO 8601, when the instance was launched
  std::string key_name;
  std::string public_key;      ///< OpenSSH line; empty without key pair
  std::string user_data;       ///< bytes, base64
  bool has_user_data = false;
  std::vector<MetadataNic> nics;
  std::map<std::string, std::string> tags;  ///< filled only where instance_metadata_tags is enabled
  std::map<std::string, std::string> block_devices;  ///< "root" -> "/dev/sda1", "ebs1" -> "sdf"
};

enum class Power { stopped, running };

struct WantedInstance {
  InstanceId id;
  std::uint64_t generation = 0;
  std::uint32_t number = 0;
  AccountId account;
  Power power = Power::running;
  /// Counts StartInstances (and the launch): a guest that ended by itself is started again only for a greater one.
  std::uint64_t start_number = 1;
  /// Counts RebootInstances: each increase reboots a running guest once.
  std::uint64_t reboot_number = 0;
  /// Stop and terminate: the guest gets this long to shut down before it is destroyed. 0: at once (Force).
  int shutdown_timeout_s = 60;
  std::string instance_type;
  int vcpus = 1;
  int memory_mib = 512;
  std::vector<WantedDisk> disks;
  std::vector<WantedNic> nics;
  Metadata metadata;
};

/// Where a guest is, as its host sees it.
enum class GuestState {
  waiting,   ///< not started yet: its volumes or network are not ready, or it is being started
  running,
  stopping,  ///< asked to shut down
  stopped,   ///< off, as wanted
  exited,    ///< off by itself: `exit_reason` says how
  failed     ///< could not be started; `problem` says why; tried again
};

enum class ExitReason { none, guest_shutdown, guest_crashed, process_killed };

struct ObservedDisk {
  VolumeId volume;
  bool attached = false;  ///< the guest has it
  std::string problem;    ///< attach or detach refused by the guest or QEMU
};

struct ObservedInstance {
  InstanceId id;
  std::uint64_t generation = 0;   ///< of the document last acted on
  std::uint64_t start_number = 0; ///< the start that `state` speaks of
  GuestState state = GuestState::waiting;
  ExitReason exit_reason = ExitReason::none;
  std::vector<ObservedDisk> disks;  ///< every volume that is attached or was asked to be
  std::string problem;
};

VIRGA_JSON_DECLARE(Power);
VIRGA_JSON_DECLARE(GuestState);
VIRGA_JSON_DECLARE(ExitReason);
VIRGA_JSON_DECLARE(WantedDisk);
VIRGA_JSON_DECLARE(WantedNic);
VIRGA_JSON_DECLARE(MetadataOptions);
VIRGA_JSON_DECLARE(MetadataNic);
VIRGA_JSON_DECLARE(Metadata);
VIRGA_JSON_DECLARE(WantedInstance);
VIRGA_JSON_DECLARE(ObservedDisk);
VIRGA_JSON_DECLARE(ObservedInstance);

}  // namespace virga::compute
