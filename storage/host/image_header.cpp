#include "storage/host/image_header.h"

#include <endian.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace virga::storage {

namespace {

constexpr std::uint64_t sector = 512;

/// Formats that are refused, known by bytes at a fixed place.
struct KnownFormat {
  std::string_view magic;
  std::uint64_t offset;
  std::string_view name;
};

using namespace std::string_view_literals;
constexpr KnownFormat disk_formats[] = {
    {"LUKS\xba\xbe"sv, 0, "an encrypted (LUKS) disk"},
    {"vhdxfile"sv, 0, "a VHDX disk"},
    {"conectix"sv, 0, "a VHD disk"},
    {"QED\0"sv, 0, "a QED disk"},
    {"COWD"sv, 0, "an old ESX VMDK disk"},
    {"OOOM"sv, 0, "a user-mode Linux COW disk"},
    {"# Disk DescriptorFile"sv, 0, "a VMDK descriptor that refers to other files"},
    {"\x7f\x10\xda\xbe"sv, 0x40, "a VDI disk"},
    {"WithoutFreeSpace"sv, 0, "a Parallels disk"},
    {"WithouFreSpacExt"sv, 0, "a Parallels disk"},
    {"Bochs Virtual HD Image"sv, 0, "a Bochs disk"},
    {"#!/bin/sh\n#V2.0 Format"sv, 0, "a cloop disk"},
};
constexpr KnownFormat packed_formats[] = {
    {"\x1f\x8b"sv, 0, "gzip"},
    {"\xfd"
     "7zXZ\0"sv,
     0, "xz"},
    {"\x28\xb5\x2f\xfd"sv, 0, "zstd"},
    {"BZh"sv, 0, "bzip2"},
    {"PK\x03\x04"sv, 0, "zip"},
    {"7z\xbc\xaf\x27\x1c"sv, 0, "7z"},
    {"ustar"sv, 257, "tar"},
};

Result<ImageHeader> check_raw(const ImageBytes& bytes, std::uint64_t max_virtual_bytes) {
  if (bytes.size() % sector != 0)
    return refused(
        fmt::format("is no disk image: its size, {} bytes, is not a multiple of 512. Was it cut off?", bytes.size()));
  // Trailers of formats that otherwise look raw.
  if (bytes.size() >= sector && bytes.starts_with("conectix", bytes.size() - sector))
    return refused("is a VHD disk. Convert it first: qemu-img convert -f vpc -O qcow2 IN OUT");
  if (bytes.size() >= sector && bytes.starts_with("koly", bytes.size() - sector))
    return refused("is a DMG disk, which is not supported");
  if (!bytes.starts_with("\x55\xaa"sv, 510))
    return refused(
        "is neither qcow2, nor a streamOptimized VMDK, nor a raw disk with a boot sector. Give a bootable disk image");
  TRY_VOID(check_virtual_size(bytes.size(), max_virtual_bytes));
  return ImageHeader{ImageFormat::raw, bytes.size()};
}

}  // namespace

std::string_view driver_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::qcow2:
      return "qcow2";
    case ImageFormat::raw:
      return "raw";
    case ImageFormat::vmdk:
      return "vmdk";
  }
  return {};
}

Result<ImageBytes> ImageBytes::open(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail(internal_error(fmt::format("fstat: {}", std::strerror(errno))));
  if (!S_ISREG(status.st_mode)) return refused("is not a regular file. Give the path of the image itself");
  return ImageBytes(fd, static_cast<std::uint64_t>(status.st_size));
}

bool ImageBytes::read(std::uint64_t offset, void* buffer, std::size_t length) const {
  if (offset > size_ || length > size_ - offset) return false;
  auto* target = static_cast<char*>(buffer);
  while (length > 0) {
    const auto got = ::pread(fd_, target, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    target += got;
    offset += static_cast<std::uint64_t>(got);
    length -= static_cast<std::size_t>(got);
  }
  return true;
}

namespace {
template <class T>
T number_at(const ImageBytes& bytes, std::uint64_t offset) {
  T value{};
  return bytes.read(offset, &value, sizeof value) ? value : T{};
}
}  // namespace

std::uint64_t ImageBytes::big64(std::uint64_t offset) const { return be64toh(number_at<std::uint64_t>(*this, offset)); }
std::uint32_t ImageBytes::big32(std::uint64_t offset) const { return be32toh(number_at<std::uint32_t>(*this, offset)); }
std::uint64_t ImageBytes::little64(std::uint64_t offset) const {
  return le64toh(number_at<std::uint64_t>(*this, offset));
}
std::uint32_t ImageBytes::little32(std::uint64_t offset) const {
  return le32toh(number_at<std::uint32_t>(*this, offset));
}
std::uint16_t ImageBytes::little16(std::uint64_t offset) const {
  return le16toh(number_at<std::uint16_t>(*this, offset));
}

bool ImageBytes::starts_with(std::string_view magic, std::uint64_t offset) const {
  std::array<char, 32> found{};
  return magic.size() <= found.size() && read(offset, found.data(), magic.size()) &&
         std::string_view(found.data(), magic.size()) == magic;
}

tl::unexpected<Error> refused(std::string_view what) {
  return fail(Code::invalid_parameter_value, fmt::format("The image file {}.", what));
}

Result<void> check_virtual_size(std::uint64_t virtual_bytes, std::uint64_t max_virtual_bytes) {
  if (virtual_bytes == 0 || virtual_bytes % sector != 0)
    return refused(fmt::format("says that its disk has {} bytes, which is no number of sectors", virtual_bytes));
  if (virtual_bytes > max_virtual_bytes)
    return refused(fmt::format("has a disk of {} GiB; the limit is {} GiB. Shrink the disk before importing it",
                               ((virtual_bytes - 1) >> 30) + 1, max_virtual_bytes >> 30));
  return {};
}

Result<ImageHeader> check_image(const ImageBytes& bytes, std::uint64_t max_virtual_bytes) {
  if (bytes.size() < sector) return refused(fmt::format("has only {} bytes. Was it cut off?", bytes.size()));
  if (bytes.starts_with("QFI\xfb")) return check_qcow2(bytes, max_virtual_bytes);
  if (bytes.starts_with("KDMV")) return check_vmdk(bytes, max_virtual_bytes);
  for (const auto& format : disk_formats)
    if (bytes.starts_with(format.magic, format.offset))
      return refused(
          fmt::format("is {}. Convert it first, where it was made: qemu-img convert -O qcow2 IN OUT", format.name));
  for (const auto& format : packed_formats)
    if (bytes.starts_with(format.magic, format.offset))
      return refused(fmt::format("is packed with {}. Unpack it first", format.name));
  return check_raw(bytes, max_virtual_bytes);
}

}  // namespace virga::storage
