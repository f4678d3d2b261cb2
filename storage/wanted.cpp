#include "storage/wanted.h"

#include "core/json_values.h"

namespace virga::storage {

VIRGA_JSON_DEFINE(WantedVolume, id, generation, number, size_gib, image)
VIRGA_JSON_DEFINE(ObservedVolume, id, generation, ready, allocated_bytes, problem, size_gib)
VIRGA_JSON_DEFINE(ObservedImage, id, ready, virtual_bytes, file_bytes, sha256, problem)

}  // namespace virga::storage
