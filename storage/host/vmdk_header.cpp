#include <fmt/format.h>

#include <cctype>
#include <sstream>

#include "storage/host/image_header.h"

// The layout is VMware's "Virtual Disk Format 5.0". Numbers are little-endian; sizes count sectors of 512 bytes.

namespace virga::storage {

namespace {

enum Field : std::uint64_t {
  version_at = 4,
  flags_at = 8,
  capacity_at = 12,
  grain_sectors_at = 20,
  descriptor_offset_at = 28,
  descriptor_sectors_at = 36,
  entries_per_table_at = 44,
  directory_offset_at = 56,
  compression_at = 77,
};

constexpr std::uint32_t compressed_with_markers = 3U << 16;
constexpr std::uint64_t directory_at_end = ~std::uint64_t{0};
constexpr std::uint64_t max_descriptor_sectors = 128;
constexpr std::string_view remake = "Make one that stands alone: qemu-img convert -f vmdk -O qcow2 IN OUT";

/// The sparse header at `base`: at the start of the file, and once more in the footer, which QEMU believes over the
/// first.
Result<std::uint64_t> check_sparse_header(const ImageBytes& bytes, std::uint64_t base) {
  const auto version = bytes.little32(base + version_at);
  const auto flags = bytes.little32(base + flags_at);
  const auto capacity = bytes.little64(base + capacity_at);
  if (version < 1 || version > 3) return refused(fmt::format("is a VMDK of unknown version {}", version));
  if ((flags & compressed_with_markers) != compressed_with_markers || bytes.little16(base + compression_at) != 1)
    return refused(fmt::format("is a VMDK, but not of the streamOptimized kind. {}", remake));
  const auto grain = bytes.little64(base + grain_sectors_at);
  const auto entries = bytes.little32(base + entries_per_table_at);
  // A capacity of 0 makes QEMU read the descriptor as a list of files: CVE-2022-47951.
  if (capacity == 0 || grain < 8 || grain > 128 || (grain & (grain - 1)) != 0 || entries == 0 || entries > 512 ||
      capacity > (std::uint64_t{1} << 53))
    return refused("is a damaged VMDK: its header has impossible sizes");
  return capacity * 512;
}

std::string trimmed(std::string line) {
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
  const auto begin = line.find_first_not_of(" \t");
  return begin == std::string::npos ? std::string() : line.substr(begin);
}

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool is_extent(const std::string& line) {
  return line.starts_with("rw ") || line.starts_with("rdonly ") || line.starts_with("noaccess ");
}

/// The text inside the file: exactly one extent, which is this file itself, and no parent.
Result<void> check_descriptor(const std::string& descriptor) {
  int extents = 0;
  bool stream_optimized = false;
  std::istringstream lines(descriptor);
  for (std::string raw; std::getline(lines, raw);) {
    const auto line = lower(trimmed(raw));
    if (line.starts_with("parentfilenamehint") || (line.starts_with("parentcid") && line != "parentcid=ffffffff"))
      return refused(fmt::format("needs another file (it has a parent). {}", remake));
    if (line.starts_with("createtype")) stream_optimized = line == "createtype=\"streamoptimized\"";
    if (!is_extent(line)) continue;
    std::istringstream words(line);
    std::string access, sectors, kind;
    words >> access >> sectors >> kind;
    if (kind != "sparse" || access == "noaccess")
      return refused(fmt::format("keeps its data in another file (a {} extent). {}", kind.substr(0, 16), remake));
    ++extents;
  }
  if (!stream_optimized) return refused(fmt::format("is a VMDK, but not of the streamOptimized kind. {}", remake));
  if (extents != 1) return refused(fmt::format("is a VMDK of {} parts. {}", extents, remake));
  return {};
}

}  // namespace

Result<ImageHeader> check_vmdk(const ImageBytes& bytes, std::uint64_t max_virtual_bytes) {
  const auto virtual_bytes = TRY(check_sparse_header(bytes, 0));
  if (bytes.little64(directory_offset_at) == directory_at_end) {
    constexpr std::uint64_t footer_from_end = 1024;
    if (bytes.size() < footer_from_end || !bytes.starts_with("KDMV", bytes.size() - footer_from_end))
      return refused("is a VMDK whose end is missing. Was it cut off?");
    const auto footer = bytes.size() - footer_from_end;
    if (TRY(check_sparse_header(bytes, footer)) != virtual_bytes ||
        bytes.little64(footer + descriptor_offset_at) != bytes.little64(descriptor_offset_at) ||
        bytes.little64(footer + directory_offset_at) == directory_at_end)
      return refused("is a damaged VMDK: its two headers differ");
  }
  const auto sectors = bytes.little64(descriptor_sectors_at);
  const auto offset = bytes.little64(descriptor_offset_at);
  // QEMU reads the description at sector 1 and the footer of a whole number of sectors, whatever the header says.
  if (offset != 1 || bytes.size() % 512 != 0 || sectors == 0 || sectors > max_descriptor_sectors)
    return refused("is a damaged VMDK: it has no description inside");
  std::string descriptor(static_cast<std::size_t>(sectors) * 512, '\0');
  if (!bytes.read(offset * 512, descriptor.data(), descriptor.size())) return refused("is a VMDK that is cut off");
  descriptor.resize(std::min(descriptor.size(), descriptor.find('\0')));
  TRY_VOID(check_descriptor(descriptor));
  TRY_VOID(check_virtual_size(virtual_bytes, max_virtual_bytes));
  return ImageHeader{ImageFormat::vmdk, virtual_bytes};
}

}  // namespace virga::storage
