#include "hostapi/host.h"

#include "core/json_values.h"

namespace virga::hostapi {

VIRGA_JSON_DEFINE(Inventory, boot_id, instances, vpcs)
VIRGA_JSON_DEFINE(HostCapacity, vcpus, memory_mib, storage_gib)
VIRGA_JSON_DEFINE(HostState, identity, name, version, boot_id, sequence, capacity, accelerator, problems, damaged, instances,
                  volumes, snapshots, images, vpcs)

}  // namespace virga::hostapi
