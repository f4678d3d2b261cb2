#include "storage/wanted.h"

#include "core/json_values.h"

namespace virga::storage {

VIRGA_JSON_DEFINE(WantedVolume, id, generation, number, size_gib, image, snapshot)
VIRGA_JSON_DEFINE(ObservedVolume, id, generation, ready, allocated_bytes, problem, size_gib)
VIRGA_JSON_DEFINE(WantedSnapshot, id, generation, volume, size_gib)
VIRGA_JSON_DEFINE(ObservedSnapshot, id, generation, ready, done_bytes, total_bytes, file_bytes, problem)
VIRGA_JSON_DEFINE(ObservedImage, id, ready, virtual_bytes, file_bytes, sha256, problem)

}  // namespace virga::storage
