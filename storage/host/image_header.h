#pragma once

// Reads the header of an uploaded disk image itself, before any QEMU tool opens the file, and refuses whatever refers
// to another file, is encrypted or has a shape that no honest tool writes. Works on bytes only; every read is bounded.
//
// Accepted: qcow2 version 2 or 3 that stands alone, raw disks with a boot sector, a single streamOptimized VMDK.

#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace virga::storage {

enum class ImageFormat { qcow2, raw, vmdk };
/// QEMU's driver name.
std::string_view driver_name(ImageFormat format);

struct ImageHeader {
  ImageFormat format = ImageFormat::raw;
  std::uint64_t virtual_bytes = 0;  ///< a multiple of 512, at most the limit given
};

/// Reads bytes of one open file. Beyond the end there is nothing.
class ImageBytes {
 public:
  /// `fd` must be a regular file and stays the caller's.
  static Result<ImageBytes> open(int fd);
  std::uint64_t size() const { return size_; }
  /// Fills `buffer` from `offset`; false when the file ends before.
  bool read(std::uint64_t offset, void* buffer, std::size_t length) const;
  /// Big- and little-endian numbers; 0 beyond the end, where all fields read mean "refused".
  std::uint64_t big64(std::uint64_t offset) const;
  std::uint32_t big32(std::uint64_t offset) const;
  std::uint64_t little64(std::uint64_t offset) const;
  std::uint32_t little32(std::uint64_t offset) const;
  std::uint16_t little16(std::uint64_t offset) const;
  bool starts_with(std::string_view magic, std::uint64_t offset = 0) const;

 private:
  ImageBytes(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  int fd_;
  std::uint64_t size_;
};

/// What kind of image this is and how large its disk. Errors: InvalidParameterValue that says what is wrong with the
/// file and how to make a good one.
Result<ImageHeader> check_image(const ImageBytes& bytes, std::uint64_t max_virtual_bytes);

/// The parts, by format; check_image chooses.
Result<ImageHeader> check_qcow2(const ImageBytes& bytes, std::uint64_t max_virtual_bytes);
Result<ImageHeader> check_vmdk(const ImageBytes& bytes, std::uint64_t max_virtual_bytes);

/// An error about an uploaded file: "The image file <what>."
tl::unexpected<Error> refused(std::string_view what);
/// The check that all formats share.
Result<void> check_virtual_size(std::uint64_t virtual_bytes, std::uint64_t max_virtual_bytes);

/// The size of the disk in a qcow2 file of a volume. Only what the header says: a guest's hypervisor has written it.
Result<std::uint64_t> disk_bytes(const ImageBytes& bytes);
/// The name of the backing file in a qcow2 file that Virga wrote itself; empty: none.
Result<std::string> backing_file(const ImageBytes& bytes);

}  // namespace virga::storage
