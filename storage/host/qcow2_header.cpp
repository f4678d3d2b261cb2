#include <fmt/format.h>

#include "storage/host/image_header.h"

// The layout is QEMU's docs/interop/qcow2.txt. Offsets are bytes from the start of the file, numbers big-endian.

namespace virga::storage {

namespace {

enum Field : std::uint64_t {
  version_at = 4,
  backing_offset_at = 8,
  backing_length_at = 16,
  cluster_bits_at = 20,
  size_at = 24,
  crypt_method_at = 32,
  l1_entries_at = 36,
  l1_offset_at = 40,
  refcount_offset_at = 48,
  refcount_clusters_at = 56,
  snapshots_at = 60,
  incompatible_at = 72,
  refcount_order_at = 96,
  header_length_at = 100,
  compression_at = 104,
};

enum Feature : std::uint64_t {
  dirty = 1,
  corrupt = 2,
  external_data_file = 4,
  compression_type = 8,
  extended_l2 = 16,
};

constexpr std::uint32_t version_2_header_bytes = 72;
constexpr std::uint32_t version_3_header_bytes = 104;
constexpr std::uint64_t max_l1_bytes = 32 << 20;  // QEMU's own limit
constexpr std::uint64_t max_refcount_table_bytes = 8 << 20;

constexpr std::string_view flatten = "Make one that stands alone: qemu-img convert -f qcow2 -O qcow2 IN OUT";

struct Shape {
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint32_t cluster_bits;
  std::uint64_t cluster_bytes() const { return std::uint64_t{1} << cluster_bits; }
};

Result<void> check_references(const ImageBytes& bytes) {
  if (bytes.big64(backing_offset_at) != 0 || bytes.big32(backing_length_at) != 0)
    return refused(fmt::format("needs another file (it has a backing file). {}", flatten));
  if (bytes.big32(crypt_method_at) != 0)
    return refused(fmt::format("is encrypted. Decrypt it first: {}", "qemu-img convert with --object secret,..."));
  if (bytes.big32(snapshots_at) != 0) return refused(fmt::format("has snapshots inside. {}", flatten));
  return {};
}

Result<void> check_features(const ImageBytes& bytes) {
  const auto features = bytes.big64(incompatible_at);
  if ((features & external_data_file) != 0)
    return refused(fmt::format("keeps its data in another file (external data file). {}", flatten));
  if ((features & corrupt) != 0) return refused("is marked as corrupt. Repair it first: qemu-img check -r all FILE");
  if ((features & dirty) != 0) return refused("was not closed properly. Repair it first: qemu-img check -r all FILE");
  if ((features & ~std::uint64_t{compression_type | extended_l2}) != 0)
    return refused(fmt::format("has features nobody knows (bits {:#x}). {}", features, flatten));
  return {};
}

Result<Shape> check_shape(const ImageBytes& bytes) {
  const auto version = bytes.big32(version_at);
  if (version != 2 && version != 3)
    return refused(fmt::format("is qcow version {}; only 2 and 3 are supported. {}", version, flatten));
  const Shape shape{version, version == 2 ? version_2_header_bytes : bytes.big32(header_length_at),
                    bytes.big32(cluster_bits_at)};
  if (shape.cluster_bits < 9 || shape.cluster_bits > 21)
    return refused(fmt::format("is damaged: clusters of 2^{} bytes", shape.cluster_bits));
  if (version == 2) return shape;
  if (shape.header_bytes < version_3_header_bytes || shape.header_bytes % 8 != 0 ||
      shape.header_bytes > shape.cluster_bytes())
    return refused(fmt::format("is damaged: a header of {} bytes", shape.header_bytes));
  TRY_VOID(check_features(bytes));
  if (bytes.big32(refcount_order_at) != 4)
    return refused(fmt::format("has reference counts of an odd width. {}", flatten));
  const auto compressed_by_type = (bytes.big64(incompatible_at) & compression_type) != 0;
  const auto type = shape.header_bytes > compression_at ? bytes.big32(compression_at) >> 24 : 0;
  if (type > 1 || (type != 0) != compressed_by_type)
    return refused(fmt::format("has an unknown compression. {}", flatten));
  return shape;
}

/// Optional parts that follow the header: only the table of feature names may be there.
Result<void> check_extensions(const ImageBytes& bytes, const Shape& shape) {
  constexpr std::uint32_t end = 0;
  constexpr std::uint32_t backing_format = 0xE2792ACA;
  constexpr std::uint32_t feature_names = 0x6803F857;
  constexpr std::uint32_t bitmaps = 0x23852875;
  constexpr std::uint32_t encryption = 0x0537BE77;
  constexpr std::uint32_t data_file = 0x44415441;
  auto offset = std::uint64_t{shape.header_bytes};
  while (offset + 8 <= shape.cluster_bytes()) {
    const auto type = bytes.big32(offset);
    const auto length = std::uint64_t{bytes.big32(offset + 4)};
    if (type == end) return {};
    if (type == backing_format || type == data_file) return refused(fmt::format("names another file. {}", flatten));
    if (type == encryption) return refused("is encrypted. Decrypt it first");
    if (type == bitmaps) return refused(fmt::format("has backup bitmaps inside. {}", flatten));
    if (type != feature_names) return refused(fmt::format("has an unknown part (type {:#x}). {}", type, flatten));
    offset += 8 + (length + 7) / 8 * 8;
  }
  if (offset > shape.cluster_bytes()) return refused("is damaged: its header does not end");
  return {};
}

Result<void> check_tables(const ImageBytes& bytes, const Shape& shape, std::uint64_t virtual_bytes) {
  const auto inside = [&](std::uint64_t offset, std::uint64_t length) {
    return offset != 0 && offset % shape.cluster_bytes() == 0 && offset <= bytes.size() &&
           length <= bytes.size() - offset;
  };
  const auto extended = shape.version == 3 && (bytes.big64(incompatible_at) & extended_l2) != 0;
  if (extended && shape.cluster_bits < 14) return refused("is damaged: sub-clusters in small clusters");
  const auto l2_reach = shape.cluster_bytes() * (shape.cluster_bytes() / (extended ? 16 : 8));
  const auto l1_needed = (virtual_bytes - 1) / l2_reach + 1;
  const auto l1_entries = std::uint64_t{bytes.big32(l1_entries_at)};
  if (l1_entries < l1_needed || l1_entries * 8 > max_l1_bytes || !inside(bytes.big64(l1_offset_at), l1_entries * 8))
    return refused(
        fmt::format("is damaged or cut off: its first table, {} entries, is not inside the file", l1_entries));
  const auto refcount_bytes = std::uint64_t{bytes.big32(refcount_clusters_at)} * shape.cluster_bytes();
  // The table may end in the middle of the last cluster of the file: only its beginning must be there.
  if (refcount_bytes == 0 || refcount_bytes > max_refcount_table_bytes || !inside(bytes.big64(refcount_offset_at), 8))
    return refused("is damaged or cut off: its table of reference counts is not inside the file");
  return {};
}

}  // namespace

Result<ImageHeader> check_qcow2(const ImageBytes& bytes, std::uint64_t max_virtual_bytes) {
  const auto shape = TRY(check_shape(bytes));
  TRY_VOID(check_references(bytes));
  TRY_VOID(check_extensions(bytes, shape));
  const auto virtual_bytes = bytes.big64(size_at);
  TRY_VOID(check_virtual_size(virtual_bytes, max_virtual_bytes));
  TRY_VOID(check_tables(bytes, shape, virtual_bytes));
  return ImageHeader{ImageFormat::qcow2, virtual_bytes};
}

Result<std::uint64_t> disk_bytes(const ImageBytes& bytes) {
  if (!bytes.starts_with("QFI\xfb")) return fail(internal_error("not a qcow2 file"));
  return bytes.big64(size_at);
}

Result<std::string> backing_file(const ImageBytes& bytes) {
  constexpr std::uint32_t longest_name = 1023;  // by the format
  if (!bytes.starts_with("QFI\xfb")) return fail(internal_error("not a qcow2 file"));
  const auto length = bytes.big32(backing_length_at);
  const auto offset = bytes.big64(backing_offset_at);
  if (offset == 0 || length == 0) return std::string();
  std::string name(std::min(length, longest_name), '\0');
  if (!bytes.read(offset, name.data(), name.size())) return fail(internal_error("a qcow2 file that is cut off"));
  return name;
}

}  // namespace virga::storage
